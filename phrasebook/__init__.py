"""Phrases and families as data, and how they are found in what was heard."""
