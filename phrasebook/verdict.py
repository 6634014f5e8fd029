"""Decides: a candidate and what the audio says of it become ``fail``, ``review`` or nothing.

A ``fail`` rests on words that the audio confirmed; guards, weak readings and meaning alone lead to
``review``. Pure.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby

from calls.hit import Candidate, Hit, Kind, Reading, Severity, Status
from calls.speech import Transcript
from calls.text import normalise
from phrasebook import meaning
from phrasebook.book import Phrasebook
from phrasebook.context import ECHO, HARMLESS, is_echo, is_most, turn_before

_PASSAGE_GAP_MS = 3000
"""Hits of one family closer than this are one passage, hence one finding."""
_COURTESY_SAID = 0.5
"""Probability from which courtesy that only sounded alike counts as said."""
_COURTESY_PERHAPS = 0.1
_LONG, _NEAR = 6, 0.85
"""Syllables and likeness from which what was heard is nearly the phrase."""
_SEVERITIES = (Severity.CRITICAL, Severity.MAJOR, Severity.MINOR)


def decide(
    book: Phrasebook,
    transcript: Transcript,
    candidates: Sequence[Candidate],
    readings: Sequence[Reading | None],
) -> tuple[Hit, ...]:
    """The hits of a call in order of time; one a family and passage for forbidden phrases.

    ``readings`` has one item a candidate, None where the audio was not asked. Courtesy hits are
    ``pass`` (said) or ``review`` (perhaps said).
    """
    hits = []
    for candidate, reading in zip(candidates, readings, strict=True):
        if candidate.kind is Kind.FORBIDDEN:
            hit = _forbidden(book, transcript, candidate, reading)
        else:
            hit = _courtesy(candidate, reading)
        if hit is not None:
            hits.append(hit)
    return tuple(sorted(_merged(_worded(hits)), key=_time))


def decide_text(candidates: Iterable[Candidate], before: str) -> tuple[Hit, ...]:
    """The hits of one sentence whose text is taken as said, after a turn; one a family."""
    hits = []
    for proposed in candidates:
        candidate = proposed
        if is_echo(candidate.phrase, before):
            candidate = replace(candidate, guards=(*candidate.guards, ECHO))
        if candidate.by == "text" and not candidate.guards:
            hits.append(_hit(candidate, None, Status.FAIL, candidate.score, ""))
        else:
            reason = candidate.guards[0] if candidate.guards else candidate.by
            hits.append(_hit(candidate, None, Status.REVIEW, candidate.score, reason))
    return tuple(sorted(_merged(hits), key=_time))


def _worded(hits: Sequence[Hit]) -> list[Hit]:
    """Without the hits by meaning where the audio bore out words of the same utterance."""
    worded = {
        hit.candidate.utterance
        for hit in hits
        if hit.candidate.kind is Kind.FORBIDDEN and hit.candidate.by != "meaning"
    }
    return [h for h in hits if h.candidate.by != "meaning" or h.candidate.utterance not in worded]


def _forbidden(
    book: Phrasebook, transcript: Transcript, candidate: Candidate, reading: Reading | None
) -> Hit | None:
    limits = book.thresholds
    if candidate.by == "meaning":
        return _hit(candidate, reading, Status.REVIEW, candidate.score, "meaning")
    if reading is None:
        return _hit(candidate, None, Status.REVIEW, candidate.score, "not_checked")
    said = reading.probability
    near = _is_near(book, candidate)
    if said < (limits.near_probability if near else limits.review_probability):
        if candidate.by == "text":
            return _hit(candidate, reading, Status.REVIEW, said, "low_probability")
        return None
    if said < limits.fail_probability:
        return _hit(candidate, reading, Status.REVIEW, said, "low_probability")
    if candidate.guards:
        return _hit(candidate, reading, Status.REVIEW, said, candidate.guards[0])
    if candidate.utterance >= 0 and is_echo(
        candidate.phrase, turn_before(transcript.utterances, candidate.utterance)
    ):
        guarded = replace(candidate, guards=(ECHO,))
        return _hit(guarded, reading, Status.REVIEW, said, ECHO)
    if _reads_harmless(book, transcript, candidate):
        guarded = replace(candidate, guards=(HARMLESS,))
        return _hit(guarded, reading, Status.REVIEW, said, HARMLESS)
    return _hit(candidate, reading, Status.FAIL, said, "")


def _is_near(book: Phrasebook, candidate: Candidate) -> bool:
    """Whether what was heard is a long phrase but for a syllable or so.

    The recogniser itself then bears the phrase out, and the audio need not do so alone.
    """
    syllables = len(book.by_id[candidate.phrase_id].forms[0])
    return candidate.by == "sound" and syllables >= _LONG and candidate.score >= _NEAR


def _reads_harmless(book: Phrasebook, transcript: Transcript, candidate: Candidate) -> bool:
    """Whether the sentence, with the phrase in its place, speaks against a violation.

    A listed phrase that is all or most of what was said needs no sentence to bear it out.
    """
    if candidate.by not in ("text", "sound"):
        return False
    text = transcript.utterances[candidate.utterance].text
    start, end = candidate.char_start, candidate.char_end
    exact = candidate.by == "text"
    if exact and is_most(book, text, start, end):
        return False
    said = text if exact else text[:start] + normalise(candidate.phrase).text + text[end:]
    likelihood = meaning.likelihood_heard(said)
    return likelihood is not None and likelihood < book.thresholds.meaning_fail


def _courtesy(candidate: Candidate, reading: Reading | None) -> Hit | None:
    if candidate.by == "text":
        return _hit(candidate, reading, Status.PASS, candidate.score, "")
    if reading is None:
        if candidate.by == "audio":
            return None
        return _hit(candidate, None, Status.REVIEW, candidate.score, "not_checked")
    if reading.probability >= _COURTESY_SAID:
        return _hit(candidate, reading, Status.PASS, reading.probability, "")
    if reading.probability >= _COURTESY_PERHAPS:
        return _hit(candidate, reading, Status.REVIEW, reading.probability, "low_probability")
    return None


def _hit(
    candidate: Candidate, reading: Reading | None, status: Status, confidence: float, reason: str
) -> Hit:
    return Hit(
        candidate=candidate,
        reading=reading,
        status=status,
        confidence=round(confidence, 4),
        reason=reason,
    )


def _merged(hits: Iterable[Hit]) -> list[Hit]:
    """One hit a family and passage; ``fail`` before ``review``, then the graver, then the surer."""
    kept: list[Hit] = []
    ordered = sorted(hits, key=lambda h: (_family(h), *_time(h)))
    for _, members in groupby(ordered, key=_family):
        passage: list[Hit] = []
        for hit in members:
            if passage and not _joined(passage, hit):
                kept.append(min(passage, key=_rank))
                passage = []
            passage.append(hit)
        kept.append(min(passage, key=_rank))
    return kept


def _joined(passage: Sequence[Hit], hit: Hit) -> bool:
    """Whether a hit belongs to the passage: the same utterance, or forbidden and close by."""
    last = passage[-1].candidate
    here = hit.candidate
    if here.utterance == last.utterance and here.utterance >= 0:
        return True
    near = here.start_ms - max(h.candidate.end_ms for h in passage) <= _PASSAGE_GAP_MS
    return here.kind is Kind.FORBIDDEN and near


def _family(hit: Hit) -> tuple[str, str, str]:
    c = hit.candidate
    return c.kind.value, c.family, c.channel.value


def _time(hit: Hit) -> tuple[int, int, str]:
    c = hit.candidate
    return c.start_ms, c.char_start, c.phrase_id


def _rank(hit: Hit) -> tuple[int, int, float, int]:
    c = hit.candidate
    order = (Status.FAIL, Status.PASS, Status.REVIEW)
    return (
        order.index(hit.status),
        _SEVERITIES.index(c.severity),
        -hit.confidence,
        -len(c.phrase),
    )
