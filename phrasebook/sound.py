"""How words sound on a phone line: syllables without tone, with the usual confusions merged.

A recogniser errs on one character in five, mostly to a character of the same or nearly the same
sound, so phrases are compared by sound. pypinyin is imported here only.
"""

import re
from functools import lru_cache
from typing import Final

from pypinyin import Style, lazy_pinyin

from calls.text import MARKS

SYMBOLS: Final = 3
"""Symbols a syllable in ``spell``: initial, vowel, coda."""

_MERGED_INITIALS: Final = {
    "zh": "z", "ch": "c", "sh": "s",  # flat and retroflex
    "l": "n",  # n/l
    "f": "h",  # h/f
    "r": "n",  # r/l, hence r/n too
}  # fmt: skip
_INITIALS: Final = "bpmdtngkhjqxzcs"
_NO_INITIAL: Final = "-"
_VOWEL_NAMES: Final = "a o e i u v ai ei ao ou ia ie ua uo ve iao iou uai uei"
_VOWELS: Final = {
    name: chr(ord("A") + position) for position, name in enumerate(_VOWEL_NAMES.split(" "))
}
_NASALS: Final = {
    # The vowel and coda of nasal finals; in/ing and en/eng are one (coda 1), an/ang differ.
    "an": ("a", "1"), "ang": ("a", "2"), "en": ("e", "1"), "eng": ("e", "1"),
    "in": ("i", "1"), "ing": ("i", "1"), "ong": ("o", "2"), "iong": ("v", "2"),
    "ian": ("ia", "1"), "iang": ("ia", "2"), "uan": ("ua", "1"), "uang": ("ua", "2"),
    "uen": ("u", "1"), "ueng": ("u", "1"), "van": ("v", "2"), "vn": ("v", "1"),
}  # fmt: skip
_NO_CODA: Final = "0"
_FOLDED: Final = {
    "您": "你",
    "妳": "你",
    "啦": "了",
    "拉": "了",
    "咱": "我",
    "俺": "我",
    "祢": "你",
}
_PAUSE: Final = f"[{MARKS}]*"
_FIRST_CODE: Final = 0xE000
"""Codes of syllables lie in Unicode's private use area, away from every spoken character."""


class _Codes(dict[int, str]):
    """Character to syllable code, worked out when a character is first met."""

    def __init__(self) -> None:
        super().__init__()
        self._of_spelling: dict[str, str] = {}
        self.spelling: dict[str, str] = {}

    def __missing__(self, codepoint: int) -> str:
        character = _FOLDED.get(chr(codepoint), chr(codepoint))
        spelling = _spelling(character)
        code = self._of_spelling.get(spelling)
        if code is None:
            code = chr(_FIRST_CODE + len(self._of_spelling))
            self._of_spelling[spelling] = code
            self.spelling[code] = spelling
        self[codepoint] = code
        return code


_CODES: Final = _Codes()


def code(text: str) -> str:
    """One private character a syllable; equal characters sound alike on a phone line.

    ``text`` is normalised (no punctuation); the result has its length. 您 and 你 are one.
    """
    return text.translate(_CODES)


def spell(codes: str) -> str:
    """``SYMBOLS`` characters a syllable of ``code``'s result, for a likeness in parts.

    A dropped final or a wrong initial costs a third of a syllable, a wrong syllable a whole one.
    """
    spelling = _CODES.spelling
    return "".join([spelling[c] for c in codes])


def alike(text: str) -> str:
    """A regular expression (RE2 or ``re``) that finds what sounds like ``text`` in a transcript.

    Each character stands for all common ones (GB/T 2312) of its ``code``, so that 下班 also
    finds 夏班 and 下搬; punctuation and spaces between them do not count.
    """
    of_code = _common()
    return _PAUSE.join(
        f"[{of_code[c]}]" if c in of_code else re.escape(spoken)
        for spoken, c in zip(text, code(text), strict=True)
    )


@lru_cache(maxsize=1)
def _common() -> dict[str, str]:
    """The characters of GB/T 2312, by the code of their sound."""
    found: dict[str, str] = {}
    for row in range(0xB0, 0xF8):
        for cell in bytes(range(0xA1, 0xFF)):
            character = bytes((row, cell)).decode("gb2312", errors="ignore")
            if character:
                sound = code(character)
                found[sound] = found.get(sound, "") + character
    return found


def pinyin(text: str) -> list[str]:
    """Plain pinyin without tone, one item a character, for people to read."""
    return [lazy_pinyin(character)[0] for character in text]


def _spelling(character: str) -> str:
    initial = lazy_pinyin(character, style=Style.INITIALS, strict=True)[0]
    final = lazy_pinyin(character, style=Style.FINALS, strict=True)[0]
    if final == character or not final:
        return character * SYMBOLS
    initial = _MERGED_INITIALS.get(initial, initial)
    vowel, coda = _NASALS.get(final, (final, _NO_CODA))
    symbol = _VOWELS.get(vowel, "Z")
    return (initial if initial and initial in _INITIALS else _NO_INITIAL) + symbol + coda
