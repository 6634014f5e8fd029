"""Unannounced calls (明察暗访): the hotline called as a citizen would."""
