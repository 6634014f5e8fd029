"""A changed phrasebook over a stored call, without its audio: stored check scores are used again.

What the audio was never asked about is counted, so that it can be queued to be heard again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from calls.hit import Candidate, Hit, Kind, Reading
from calls.speech import Transcript

Propose = Callable[[Transcript], Sequence[Candidate]]
Decide = Callable[[Transcript, Sequence[Candidate], Sequence[Reading | None]], Sequence[Hit]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The changed phrasebook's search and verdict, and the phrases that were asked about before."""

    propose: Propose
    decide: Decide
    known: frozenset[str]
    """Texts of the phrases in the phrasebook that made the stored hits."""
    version: str
    """The changed phrasebook's."""
    families: frozenset[str] | None = None
    """The families that changed: only they are searched for again. None: all."""


@dataclass(frozen=True, slots=True)
class Reheard:
    """A call's hits under the changed phrasebook."""

    hits: tuple[Hit, ...]
    unasked: tuple[Candidate, ...]
    """Candidates that only the audio can settle."""


def rehear(transcript: Transcript, stored: Sequence[Hit], words: Words) -> Reheard:
    """Search again and settle each candidate by what is stored.

    Stored hits of families that did not change stand. A candidate takes the reading of the stored
    hit of the same phrase in the same place. A phrase that was searched for before and left no hit
    was refuted by the audio, or stood behind a graver one of its family, which then speaks for it.
    A new phrase whose words stand in the text goes on without a reading (a review at most); one
    that only sounds alike waits for the audio.
    """
    families = words.families
    stands = [h for h in stored if families is not None and h.candidate.family not in families]
    readings = {_place(hit.candidate): hit.reading for hit in stored}
    proposed = [c for c in words.propose(transcript) if families is None or c.family in families]
    texts = {candidate.phrase for candidate in proposed}
    kept: list[Candidate] = []
    taken: list[Reading | None] = []
    unasked: list[Candidate] = []
    for candidate in proposed:
        place = _place(candidate)
        if place in readings:
            kept.append(candidate)
            taken.append(readings[place])
        elif candidate.by == "meaning" or _needs_no_audio(candidate):
            kept.append(candidate)
            taken.append(None)
        elif candidate.phrase in words.known and not _orphaned(candidate, stored, texts):
            continue
        else:
            unasked.append(candidate)
            if candidate.by == "text":
                kept.append(candidate)
                taken.append(None)
    hits = (*stands, *words.decide(transcript, kept, taken))
    in_time = sorted(hits, key=lambda hit: (hit.candidate.start_ms, hit.candidate.end_ms))
    return Reheard(tuple(in_time), tuple(unasked))


def _needs_no_audio(candidate: Candidate) -> bool:
    """Courtesy that stands in the text is taken as said."""
    return candidate.kind is Kind.COURTESY and candidate.by == "text"


def _orphaned(candidate: Candidate, stored: Sequence[Hit], texts: set[str]) -> bool:
    """Whether the hit that spoke for a candidate's passage is of a phrase that is gone."""
    beside = [
        hit.candidate.phrase
        for hit in stored
        if hit.candidate.family == candidate.family
        and hit.candidate.channel is candidate.channel
        and (
            hit.candidate.utterance == candidate.utterance >= 0
            or (
                hit.candidate.start_ms < candidate.end_ms
                and candidate.start_ms < hit.candidate.end_ms
            )
        )
    ]
    return bool(beside) and not any(phrase in texts for phrase in beside)


def _place(candidate: Candidate) -> tuple[object, ...]:
    """The phrase and where it was heard."""
    where = candidate.utterance if candidate.utterance >= 0 else ("ms", candidate.start_ms)
    return (
        candidate.kind,
        candidate.phrase,
        candidate.channel,
        where,
        candidate.char_start,
        candidate.char_end,
    )
