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
class Reach:
    """Where in a call a changed phrasebook may say something else."""

    families: frozenset[str] | None
    """Whose hits may come out otherwise: the others stand. None: any."""
    places: frozenset[int] | None
    """The utterances for which it may propose other candidates (-1: speech without words). None:
    any."""
    asked: Sequence[Candidate]
    """What was proposed there before, so that the audio was asked about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The changed phrasebook's search and verdict, and how far they reach."""

    propose: Propose
    decide: Decide
    version: str
    """The changed phrasebook's."""
    reach: Callable[[Transcript, Sequence[Hit]], Reach]
    """For a call's transcript and its stored hits."""
    forgives: bool = False
    """Whether the audio refutes less than before, so that a phrase without a hit may be one."""


@dataclass(frozen=True, slots=True)
class Reheard:
    """A call's hits under the changed phrasebook."""

    hits: tuple[Hit, ...]
    unasked: tuple[Candidate, ...]
    """Candidates that only the audio can settle."""


def rehear(transcript: Transcript, stored: Sequence[Hit], words: Words) -> Reheard:
    """The hits under the changed phrasebook: searched for again where they may come out otherwise.

    Hits of the families that cannot stand as they are stored.
    """
    reach = words.reach(transcript, stored)
    families = reach.families
    if families is None:
        return _rehear(transcript, stored, words, reach)
    if not families:
        return Reheard(tuple(stored), ())
    anew = _rehear(transcript, stored, words, reach)
    hits = [hit for hit in stored if hit.candidate.family not in families]
    hits += [hit for hit in anew.hits if hit.candidate.family in families]
    return Reheard(
        tuple(sorted(hits, key=_time)), tuple(c for c in anew.unasked if c.family in families)
    )


def _rehear(transcript: Transcript, stored: Sequence[Hit], words: Words, reach: Reach) -> Reheard:
    """Search the whole call again and settle each candidate by what is stored.

    A candidate takes the reading of the stored hit of the same phrase in the same place. One that
    was proposed before and left no hit was refuted by the audio, or stood behind a graver one of
    its family, which then speaks for it. A new one whose words stand in the text goes on without
    a reading (a review at most); one that only sounds alike waits for the audio.
    """
    readings = {_place(hit.candidate): hit.reading for hit in stored}
    asked = set(map(_place, reach.asked))
    proposed = words.propose(transcript)
    texts = {candidate.phrase for candidate in proposed}
    kept: list[Candidate] = []
    taken: list[Reading | None] = []
    unasked: list[Candidate] = []
    for candidate in proposed:
        place = _place(candidate)
        was_asked = place in asked or (
            reach.places is not None and candidate.utterance not in reach.places
        )
        if place in readings:
            kept.append(candidate)
            taken.append(readings[place])
        elif candidate.by == "meaning" or _needs_no_audio(candidate):
            kept.append(candidate)
            taken.append(None)
        elif (
            was_asked
            and not (words.forgives and _was_refuted(candidate))
            and not _orphaned(candidate, stored, texts)
        ):
            continue
        else:
            unasked.append(candidate)
            if candidate.by == "text":
                kept.append(candidate)
                taken.append(None)
    return Reheard(tuple(words.decide(transcript, kept, taken)), tuple(unasked))


def _time(hit: Hit) -> tuple[int, int, str]:
    candidate = hit.candidate
    return candidate.start_ms, candidate.char_start, candidate.phrase_id


def _was_refuted(candidate: Candidate) -> bool:
    """Whether the audio may have refuted a phrase that left no hit: text leaves one always."""
    return candidate.kind is Kind.FORBIDDEN and candidate.by != "text"


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
