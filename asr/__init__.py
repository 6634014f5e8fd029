"""The ears: voice activity, windows, engines and the was-it-said check."""
