"""Personal data out of sight: telephone and identity numbers, bank cards, in text and alone.

An identity number counts by its check digit (GB 11643-1999), a bank card by Luhn's; so that a case
number of the same length stays readable.
"""

import re

_PHONE = re.compile(r"(?<!\d)(?:\+?86[- ]?)?(1[3-9]\d)[- ]?(\d{4})[- ]?(\d{4})(?!\d)")
_LANDLINE = re.compile(r"(?<!\d)(0\d{2,3})[- ]?(\d{4})(\d{3,4})(?!\d)")
_LONG = re.compile(r"(?<!\d)(?:\d{17}[Xx]|\d{15,19})(?!\d)")
_SPOKEN = re.compile("[零〇一二三四五六七八九幺]{7,}")
"""A number read out digit by digit and written in characters."""
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"
_ID_LENGTH = 18
_CARD_LENGTHS = range(15, 20)
_SHORT = 4


def mask_text(text: str) -> str:
    """A text with the middle of each personal number starred; its length stays as it was."""
    text = _LONG.sub(lambda m: _starred(m[0], 4, 4) if _personal(m[0]) else m[0], text)
    text = _PHONE.sub(lambda m: _keep_ends(m[0], 3, 4), text)
    text = _LANDLINE.sub(lambda m: _keep_ends(m[0], len(m[1]), 3), text)
    return _SPOKEN.sub(lambda m: _starred(m[0], 3, 2), text)


def mask_number(number: str) -> str:
    """A caller's number for a list: its first three digits and its last four."""
    return number if len(number) <= _SHORT else _keep_ends(number, 3, min(4, len(number) - 4))


def _keep_ends(text: str, first: int, last: int) -> str:
    """Star the digits between the first and the last ones; other characters stay."""
    places = [i for i, c in enumerate(text) if c.isdigit()]
    prefix = text.startswith("+86") or (len(places) == 13 and text.startswith("86"))
    hidden = set(places[(2 if prefix else 0) + first : len(places) - last])
    return "".join("*" if i in hidden else c for i, c in enumerate(text))


def _starred(text: str, first: int, last: int) -> str:
    return text[:first] + "*" * (len(text) - first - last) + text[-last:]


def _personal(digits: str) -> bool:
    return _is_identity(digits) or (digits.isdigit() and _is_card(digits))


def _is_identity(text: str) -> bool:
    if len(text) != _ID_LENGTH or not text[:17].isdigit():
        return False
    total = sum(int(c) * w for c, w in zip(text[:17], _WEIGHTS, strict=True))
    return _CHECKS[total % 11] == text[17].upper()


def _is_card(digits: str) -> bool:
    total = 0
    for place, character in enumerate(reversed(digits)):
        value = int(character) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return len(digits) in _CARD_LENGTHS and total % 10 == 0
