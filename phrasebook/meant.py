"""Candidates by meaning: what reads like a violation though no listed words are in it.

Recognised speech may be read in several ways; a violation must read so in what was heard, whatever
stands around it, and on the whole of its likely texts.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from calls.hit import Candidate, Kind
from calls.speech import Again, Stretch, Utterance, stretch
from calls.text import normalise
from phrasebook import meaning
from phrasebook.book import Phrasebook
from phrasebook.context import passage_of

_MANDARIN = "zh"
_SURELY = 0.8
"""Probability from which a language is taken as told, as the rule on Mandarin has it."""


@dataclass(frozen=True, slots=True)
class Ways:
    """How a stretch of recognised speech may be read."""

    texts: tuple[str, ...]
    """Its likely texts, as first heard and as read again: the mean likelihood counts."""
    others: tuple[str, ...] = ()
    """As a part of the sentence that it makes with its neighbours, and with what sounds like
    courtesy as that courtesy: the least likelihood counts."""

    def likelihood(self, least: float) -> float | None:
        """Probability 0–1 of a violation by meaning; None below ``least``, or without a model."""
        told = [meaning.likelihood_heard(text) or 0.0 for text in self.texts]
        lowest = sum(told) / len(told) if told else 0.0
        for other in self.others:
            if lowest < least:
                break
            lowest = min(lowest, meaning.likelihood_heard(other) or 0.0)
        return lowest if lowest >= least and told else None


def ways_of(
    utterances: Sequence[Utterance],
    position: int,
    courtesy: Iterable[Candidate],
    again: Mapping[Stretch, tuple[str, ...]],
) -> Ways:
    """How one utterance may be read, among the others and after the second readings."""
    utterance = utterances[position]
    text = utterance.text
    polite = (
        text[: c.char_start] + normalise(c.phrase).text + text[c.char_end :]
        for c in courtesy
        if c.by == "sound"
    )
    others = dict.fromkeys((passage_of(utterances, position), *polite))
    texts = dict.fromkeys((text, *again.get(stretch(utterance), ())))
    return Ways(tuple(texts), tuple(other for other in others if other != text))


def is_foreign(utterance: Utterance) -> bool:
    """Whether it was surely said in another language: its Mandarin text has no meaning."""
    return utterance.language != _MANDARIN and utterance.language_probability >= _SURELY


def heard_so(book: Phrasebook, utterance: Utterance, position: int, ways: Ways) -> list[Candidate]:
    """A whole utterance of recognised speech that reads like a violation."""
    likelihood = None if is_foreign(utterance) else ways.likelihood(book.thresholds.meaning_heard)
    if likelihood is None:
        return []
    return _candidates(book, utterance, utterance.text, position, likelihood)


def wordless_so(book: Phrasebook, again: Again) -> list[Candidate]:
    """Speech from which no words came at first, and whose second reading is like a violation."""
    likelihood = Ways(again.texts).likelihood(book.thresholds.meaning_heard)
    if likelihood is None:
        return []
    return _candidates(book, again, again.texts[0], -1, likelihood)


def written_so(
    book: Phrasebook, utterance: Utterance, position: int, previous: str
) -> list[Candidate]:
    """A written sentence, after the other side's turn, that reads like a violation."""
    likelihood = None if is_foreign(utterance) else meaning.likelihood(utterance.text, previous)
    if likelihood is None or likelihood < book.thresholds.meaning_review:
        return []
    return _candidates(book, utterance, utterance.text, position, likelihood, previous)


def _candidates(
    book: Phrasebook,
    where: Utterance | Again,
    text: str,
    position: int,
    likelihood: float,
    previous: str = "",
) -> list[Candidate]:
    family = meaning.family(text, previous)
    if family not in book.families:
        return []
    return [
        Candidate(
            kind=Kind.FORBIDDEN,
            family=family,
            phrase_id=f"meaning:{family}",
            phrase=book.families[family].name,
            channel=where.channel,
            utterance=position,
            char_start=0,
            char_end=len(text) if position >= 0 else 0,
            start_ms=where.start_ms,
            end_ms=where.end_ms,
            heard=text,
            score=round(likelihood, 4),
            by="meaning",
        )
    ]
