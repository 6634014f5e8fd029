"""Test voices: a small script becomes a two-party call with its truth beside it."""
