"""Finds phrases in a text by sound: an index of syllable pairs proposes, rapidfuzz measures.

rapidfuzz is imported here only. Cost: one dictionary look-up a syllable pair and a measurement for
the few phrases that share pairs, so that a thousand phrases cost little more than a hundred.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from rapidfuzz import fuzz

from phrasebook.book import Phrase
from phrasebook.sound import SYMBOLS, code, spell

_TEXT_SHARE: Final = 0.15
"""Share of a likeness that equal characters give; the rest is sound."""
_MOST_PLACES: Final = 4
"""Places of one phrase in one text that are looked at."""


def least_sound(syllables: int) -> float:
    """The likeness 0–1 by sound below which a phrase of this length is not proposed.

    Two syllables must sound the same; four may miss one syllable's initial and vowel.
    """
    if syllables <= 2:
        return 0.999
    if syllables == 3:
        return 0.88
    if syllables == 4:
        return 0.83
    if syllables <= 7:
        return 0.78
    return 0.72


@dataclass(frozen=True, slots=True)
class Match:
    """A phrase found in a normalised text."""

    phrase: Phrase
    start: int
    end: int
    """Offsets in the normalised text, half open."""
    likeness: float
    exact: bool
    """Whether the characters are the phrase's own (or a known mishearing of them)."""


@dataclass(frozen=True, slots=True)
class _Form:
    phrase: Phrase
    text: str
    code: str
    spelling: str
    needed: int
    """Shared pairs (neighbours or one apart) that make it worth measuring."""


class PhraseIndex:
    """Phrases by the pairs of syllables that they hold; built once, then read only."""

    def __init__(self, phrases: Iterable[Phrase]) -> None:
        self.phrases = tuple(phrases)
        self._forms: list[_Form] = []
        self._by_pair: dict[str, list[int]] = {}
        self._single: dict[str, list[int]] = {}
        for phrase in self.phrases:
            for text in phrase.forms + phrase.misheard:
                self._add(phrase, text)

    def find(self, text: str, *, sound: bool = True) -> list[Match]:
        """The phrases in a normalised text, the same place possibly several times.

        ``sound=False`` returns only those whose characters are there.
        """
        codes = code(text)
        counts: dict[int, int] = {}
        by_pair = self._by_pair
        for pair in {*map(str.__add__, codes, codes[1:]), *map(str.__add__, codes, codes[2:])}:
            for number in by_pair.get(pair, ()):
                counts[number] = counts.get(number, 0) + 1
        matches: list[Match] = []
        for character in set(codes):
            for number in self._single.get(character, ()):
                matches += self._places(self._forms[number], text, codes)
        spelling = ""
        for number, count in counts.items():
            form = self._forms[number]
            if count < form.needed:
                continue
            if form.code in codes:
                matches += self._places(form, text, codes)
            elif sound:
                spelling = spelling or spell(codes)
                if (match := _measure(form, text, spelling)) is not None:
                    matches.append(match)
        return matches

    @cached_property
    def _any(self) -> re.Pattern[str]:
        """A pair of syllables of any phrase, next to each other or one apart, or a lone one."""
        pairs = (".?".join(pair) for pair in self._by_pair)
        return re.compile("|".join((*pairs, *self._single)))

    def may_find(self, codes: str) -> bool:
        """Whether ``find`` has anything to measure in a text of these syllables (``code``)."""
        return self._any.search(codes) is not None

    def nearest(self, text: str, most: int, *, first_turn: bool) -> list[Match]:
        """The phrases that come nearest in sound to a text, or to a part of it, in their places.

        For texts that may be far off. Likeness is the mean of that to the whole and that to the
        part. ``first_turn=False`` leaves out the phrases that count only before the caller has
        spoken.
        """
        heard = spell(code(text))
        best: dict[str, tuple[float, _Form]] = {}
        for form in self._forms:
            phrase = form.phrase
            if phrase.first_turn and not first_turn:
                continue
            likeness = fuzz.ratio(heard, form.spelling) / 100
            if len(form.spelling) < len(heard) and not phrase.whole:
                likeness = (likeness + fuzz.partial_ratio(form.spelling, heard) / 100) / 2
            if likeness > best.get(phrase.id, (-1.0, form))[0]:
                best[phrase.id] = (likeness, form)
        ranked = sorted(best.values(), key=lambda pair: (-pair[0], pair[1].phrase.id))[:most]
        return [
            Match(form.phrase, *_nearest_place(form, heard, len(text)), likeness, False)
            for likeness, form in ranked
        ]

    def _add(self, phrase: Phrase, text: str) -> None:
        number = len(self._forms)
        codes = code(text)
        neighbours = set(map(str.__add__, codes, codes[1:]))
        apart = set(map(str.__add__, codes, codes[2:]))
        pairs = neighbours | apart
        needed = 1 if len(codes) <= 3 else max(2, len(pairs) * 3 // 10)
        self._forms.append(_Form(phrase, text, codes, spell(codes), min(needed, len(pairs))))
        if len(codes) == 1:
            self._single.setdefault(codes, []).append(number)
        for pair in pairs:
            self._by_pair.setdefault(pair, []).append(number)

    @staticmethod
    def _places(form: _Form, text: str, codes: str) -> Iterable[Match]:
        """Where the phrase's sound is whole in the text."""
        size = len(form.code)
        at = codes.find(form.code)
        for _ in range(_MOST_PLACES):
            if at < 0:
                return
            here = text[at : at + size]
            same = _same_characters(form.text, here)
            likeness = 1 - _TEXT_SHARE * (1 - same)
            yield Match(form.phrase, at, at + size, likeness, same >= 1)
            at = codes.find(form.code, at + 1)


def _measure(form: _Form, text: str, spelling: str) -> Match | None:
    """The best place of a phrase that is not there syllable for syllable."""
    size = len(form.code)
    least = least_sound(size)
    if len(text) < size:
        likeness = fuzz.ratio(form.spelling, spelling, score_cutoff=least * 100) / 100
        start, end = 0, len(text)
    else:
        found = fuzz.partial_ratio_alignment(form.spelling, spelling, score_cutoff=least * 100)
        if found is None:
            return None
        likeness = found.score / 100
        start = round(found.dest_start / SYMBOLS)
        end = min(len(text), max(start + 1, round(found.dest_end / SYMBOLS)))
    if likeness < least:
        return None
    same = _same_characters(form.text, text[start:end])
    return Match(form.phrase, start, end, (1 - _TEXT_SHARE) * likeness + _TEXT_SHARE * same, False)


def _nearest_place(form: _Form, heard: str, size: int) -> tuple[int, int]:
    """Where a phrase would be in a text of ``size`` syllables: the part most like it, or all."""
    if form.phrase.whole or len(form.spelling) >= len(heard):
        return 0, size
    found = fuzz.partial_ratio_alignment(form.spelling, heard)
    if found is None:
        return 0, size
    start = min(size - 1, round(found.dest_start / SYMBOLS))
    return start, min(size, max(start + 1, round(found.dest_end / SYMBOLS)))


def _same_characters(a: str, b: str) -> float:
    """Share 0–1 of equal characters at equal places; 您 and 你, 啦 and 了 count as equal."""
    if a == b:
        return 1.0
    a, b = a.translate(_SAME), b.translate(_SAME)
    return sum(x == y for x, y in zip(a, b, strict=False)) / max(len(a), len(b))


_SAME: Final = str.maketrans({"您": "你", "啦": "了", "俺": "我", "咱": "我"})
