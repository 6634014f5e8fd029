"""Text offsets: normalise for comparison and still know where each character came from."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

MARKS = r"，。？！；：、,.?!;:\s"
"""The marks and spaces that a recogniser sets, for a character class of a pattern."""
_PLAIN = re.compile(rf"[\u4e00-\u9fffa-z0-9{MARKS}]*")
"""Almost all that a recogniser writes: nothing in it is folded, and only its marks are dropped."""
_MARKS = re.compile(f"[{MARKS}]+")


@dataclass(frozen=True, slots=True)
class MappedText:
    """A text made from another one, with the origin of every character."""

    text: str
    origin: tuple[int, ...]
    """Offset in the original text of each character of ``text``; same length."""
    original: str

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Offsets in the original text of ``text[start:end]`` (half open, non-empty)."""
        if not 0 <= start < end <= len(self.text):
            raise ValueError(f"span {start}:{end} outside a text of {len(self.text)}")
        return self.origin[start], self.origin[end - 1] + 1


def normalise(text: str, keep: Callable[[str], bool] | None = None) -> MappedText:
    """Drop white space and punctuation, fold width and case; offsets are kept.

    ``keep`` may say otherwise for a character of the folded text.
    """
    if keep is None and _PLAIN.fullmatch(text):
        return MappedText(_MARKS.sub("", text), _unmarked(text), text)
    kept = keep or is_spoken
    characters: list[str] = []
    origin: list[int] = []
    for offset, character in enumerate(text):
        for folded in unicodedata.normalize("NFKC", character).lower():
            if kept(folded):
                characters.append(folded)
                origin.append(offset)
    return MappedText("".join(characters), tuple(origin), text)


def spoken(text: str) -> str:
    """The text that ``normalise`` gives, at a fraction of the cost where no offsets are asked."""
    return _MARKS.sub("", text) if _PLAIN.fullmatch(text) else normalise(text).text


def _unmarked(text: str) -> tuple[int, ...]:
    """Offsets of the characters that are no marks."""
    offsets: list[int] = []
    start = 0
    for mark in _MARKS.finditer(text):
        offsets += range(start, mark.start())
        start = mark.end()
    offsets += range(start, len(text))
    return tuple(offsets)


def is_spoken(character: str) -> bool:
    """Whether a character is said aloud: a letter or a number, no punctuation, mark or space."""
    return unicodedata.category(character)[0] in "LN"


def is_han(character: str) -> bool:
    """Whether a character is a CJK ideograph (one syllable of Mandarin)."""
    return "\u4e00" <= character <= "\u9fff" or "\u3400" <= character <= "\u4dbf"


def cell_width(text: str) -> int:
    """Width in terminal cells (Unicode TR11: wide and fullwidth characters take two)."""
    return sum(
        2 if unicodedata.east_asian_width(c) in "WF" else 0 if unicodedata.combining(c) else 1
        for c in text
    )
