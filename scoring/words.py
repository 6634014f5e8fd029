"""Word lists against what was said: longest word first, with words that only look alike masked.

Comparison drops punctuation, spaces and case (``calls.text.normalise``); positions come back as
character offsets in the original text. 您 and 你 are one character here, because a recogniser
cannot tell them apart.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from pydantic import BaseModel, ConfigDict, Field

from calls.text import MARKS, MappedText, normalise, spoken

_CLAUSE_END = re.compile(f"[{MARKS}]+")


class Words(BaseModel):
    """A list of words as the rules file writes it: ``any`` counts, inside ``unless`` it does not.

    ``unless`` keeps 行不行 from being a refusal (不行) without any code knowing of it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    any: tuple[str, ...] = Field(description="Words that count.")
    unless: tuple[str, ...] = Field(
        default=(), description="Longer words in which they do not count."
    )

    @cached_property
    def pattern(self) -> re.Pattern[str] | None:
        """Finds the words in folded text, and the ``masks``; None for an empty list.

        One flat list of words, for which ``re`` skips all places where none can begin.
        """
        good = _alternatives(self.any)
        if not good:
            return None
        return re.compile("|".join(filter(None, (_alternatives(self.unless), good))))

    @cached_property
    def masks(self) -> frozenset[str]:
        """The folded words of ``unless``."""
        return frozenset(map(fold, self.unless))

    @cached_property
    def whole(self) -> re.Pattern[str] | None:
        """Matches folded text that is nothing but words of the list."""
        good = _alternatives(self.any)
        return re.compile(f"(?:{good})+") if good else None


@dataclass(frozen=True, slots=True)
class Found:
    """A word found, at character offsets of the text it was looked for in."""

    word: str
    start: int
    end: int


@lru_cache(maxsize=8192)
def fold(text: str) -> str:
    """The text as it is compared: spoken characters only, 您 written 你."""
    return spoken(text).replace("您", "你")


@lru_cache(maxsize=1024)
def folded(text: str) -> MappedText:
    """``fold`` with the origin of each character."""
    plain = normalise(text)
    return MappedText(plain.text.replace("您", "你"), plain.origin, plain.original)


def find(words: Words, text: str) -> tuple[Found, ...]:
    """All places where a word of the list was said, in order."""
    pattern = words.pattern
    if pattern is None or not text:
        return ()
    match = pattern.search(fold(text))
    if match is None:
        return ()
    mapped = folded(text)
    found: list[Found] = []
    while match is not None:
        if (word := match.group()) not in words.masks:
            found.append(Found(word, *mapped.span(*match.span())))
        match = pattern.search(mapped.text, match.end())
    return tuple(found)


def holds(words: Words, text: str) -> bool:
    """Whether any word of the list was said."""
    pattern = words.pattern
    if pattern is None or not text:
        return False
    said = fold(text)
    match = pattern.search(said)
    while match is not None and match.group() in words.masks:
        match = pattern.search(said, match.end())
    return match is not None


def consists_of(words: Words, text: str) -> bool:
    """Whether the text is nothing but words of the list (and not empty)."""
    said = fold(text)
    if not said:
        return False
    return words.whole is not None and words.whole.fullmatch(said) is not None


@lru_cache(maxsize=8192)
def clauses(text: str) -> tuple[tuple[str, int, int], ...]:
    """The text's clauses between punctuation, each with its offsets."""
    parts: list[tuple[str, int, int]] = []
    start = 0
    for match in _CLAUSE_END.finditer(text):
        if match.start() > start:
            parts.append((text[start : match.start()], start, match.start()))
        start = match.end()
    if start < len(text):
        parts.append((text[start:], start, len(text)))
    return tuple(parts)


def _alternatives(words: Sequence[str]) -> str:
    listed = {fold(word) for word in words} - {""}
    return "|".join(re.escape(word) for word in sorted(listed, key=lambda w: (-len(w), w)))
