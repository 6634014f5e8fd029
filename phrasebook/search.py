"""Proposes what may have been said: forbidden phrases of the agent, courtesy of both sides.

Generous on purpose: the audio check decides. Pure: the same transcript gives the same candidates.
"""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from calls.call import Channel
from calls.hit import Candidate, Hit, Kind
from calls.speech import SpeechSpan, Transcript, Utterance, stretch
from phrasebook import meaning as meaning_model
from phrasebook import verdict
from phrasebook.book import Phrase, Phrasebook
from phrasebook.context import (
    HARMLESS,
    PASSING,
    Sentence,
    fits,
    guards_of,
    is_in_passing,
    is_opening,
    is_whole,
    pauses_of,
    place_ms,
    read_sentence,
)
from phrasebook.index import Match, PhraseIndex
from phrasebook.meant import (
    Ways,
    heard_so,
    is_foreign,
    ways_of,
    wordless_so,
    written_so,
)
from phrasebook.unheard import WORDLESS, is_short, unheard

_FORBIDDEN_A_FAMILY = 2
_FORBIDDEN_AN_UTTERANCE = 5
_SOUND_FAMILIES = frozenset(
    ("greeting", "hold_consent", "hold_return", "further_help", "hangup_consent", "farewell")
)
"""Courtesy whose miss would accuse an agent falsely: also proposed by sound."""
_CORE_SYLLABLES = 6
_DOUBTFUL_LOGPROB = -0.5
"""From here down the words that a meaning hangs on may be others."""
_DOUBTFUL = (0.2, 0.8)
"""Likelihoods between which a second reading may tell a violation from none."""
_WORDLESS_MS = 800
"""Speech without words that is long enough to mean something."""
_MOST_AGAIN = 8
"""Stretches of a call that are read again, those in most doubt."""


@dataclass(frozen=True, slots=True)
class _Indexes:
    forbidden: PhraseIndex
    courtesy: PhraseIndex
    short: PhraseIndex
    """The forbidden phrases that may be proposed from the audio alone."""


def search(
    book: Phrasebook,
    transcript: Transcript,
    *,
    sound: bool = True,
    only: Container[int] | None = None,
) -> tuple[Candidate, ...]:
    """All candidates of a call in order of their time: forbidden (agent only) and courtesy.

    ``sound=False`` leaves out likeness of sound, to show what it is worth. ``only``: the
    utterances to look at, and ``WORDLESS`` for speech without words; None: everything.
    """
    found: list[Candidate] = []
    utterances = transcript.utterances
    indexes = _indexes(book)
    again = {stretch(a): a.texts for a in transcript.again}
    if only is None:
        only = range(WORDLESS, len(utterances))
    for position, utterance in enumerate(utterances):
        if position not in only:
            continue
        if utterance.channel is not Channel.AGENT and not indexes.courtesy.phrases:
            continue
        sentence = read_sentence(utterance.text, pauses_of(utterance))
        if not sentence.text:
            continue
        courtesy = _courtesy(book, utterance, position, sentence, sound=sound)
        if utterance.channel is Channel.AGENT:
            found += _forbidden(
                book,
                utterance,
                position,
                sentence,
                ways_of(utterances, position, courtesy, again),
                opening=is_opening(utterances, position),
                sound=sound,
            )
        found += courtesy
    if WORDLESS in only:
        said = {stretch(utterance) for utterance in utterances}
        for read in transcript.again:
            if stretch(read) not in said:
                found += wordless_so(book, read)
    found += unheard(book, indexes.short, indexes.forbidden, transcript, found, only)
    return tuple(sorted(found, key=lambda c: (c.start_ms, c.char_start, c.phrase_id)))


def doubtful(book: Phrasebook, transcript: Transcript) -> tuple[SpeechSpan, ...]:
    """The agent's speech whose meaning hangs on badly heard words, to be read a second time.

    Where listed words were heard, they decide. Only the stretches in most doubt, since each costs
    time (docs/phrasebook.md).
    """
    utterances = transcript.utterances
    places = {stretch(utterance): position for position, utterance in enumerate(utterances)}
    doubts: list[tuple[float, SpeechSpan]] = []
    for span in transcript.speech:
        if span.channel is not Channel.AGENT:
            continue
        position = places.get(stretch(span))
        if position is None:
            if span.end_ms - span.start_ms >= _WORDLESS_MS:
                doubts.append((0.0, span))
            continue
        likelihood = _doubted(book, utterances, position)
        if likelihood is not None:
            doubts.append((abs(likelihood - book.thresholds.meaning_heard), span))
    chosen = sorted(doubts, key=lambda doubt: (doubt[0], doubt[1].start_ms))[:_MOST_AGAIN]
    return tuple(sorted((span for _, span in chosen), key=lambda span: span.start_ms))


def _doubted(book: Phrasebook, utterances: Sequence[Utterance], position: int) -> float | None:
    """The likelihood of a violation by meaning where a second reading may change it."""
    utterance = utterances[position]
    if utterance.log_probability > _DOUBTFUL_LOGPROB or is_foreign(utterance):
        return None
    if find_exact(book, utterance.text):
        return None
    sentence = read_sentence(utterance.text, pauses_of(utterance))
    courtesy = _courtesy(book, utterance, position, sentence, sound=True)
    likelihood = ways_of(utterances, position, courtesy, {}).likelihood(_DOUBTFUL[0])
    return likelihood if likelihood is not None and likelihood <= _DOUBTFUL[1] else None


def check_text(book: Phrasebook, speaker: Channel, text: str, prev: str = "") -> tuple[Hit, ...]:
    """Judge one sentence without audio, ``prev`` being the other side's turn before it.

    Only the agent's words are judged; a caller's sentence has no hits.
    """
    if speaker is not Channel.AGENT:
        return ()
    utterance = Utterance(channel=speaker, start_ms=0, end_ms=0, text=text)
    sentence = read_sentence(text)
    if not sentence.text:
        return ()
    opening = not prev.strip()
    candidates = _forbidden(
        book, utterance, 0, sentence, Ways((text,)), opening=opening, written_after=prev
    )
    return verdict.decide_text(candidates, prev)


def find_exact(book: Phrasebook, text: str) -> list[Match]:
    """The forbidden phrases whose words are in a text and count there, best first."""
    sentence = read_sentence(text)
    matches = _indexes(book).forbidden.find(sentence.text, sound=False)
    return _ranked(m for m in matches if fits(book, sentence, m))


def _forbidden(
    book: Phrasebook,
    utterance: Utterance,
    position: int,
    sentence: Sentence,
    ways: Ways,
    *,
    opening: bool,
    sound: bool = True,
    written_after: str | None = None,
) -> list[Candidate]:
    """The candidates of one utterance.

    ``written_after``: the turn before a text that is what was said, so that likeness of sound alone
    is no evidence; None for recognised text.
    """
    as_written = written_after is not None
    matches = [
        match
        for match in _indexes(book).forbidden.find(sentence.text)
        if (sound or match.exact) and fits(book, sentence, match)
    ]
    chosen = _best_of_families(_ranked(matches), _FORBIDDEN_A_FAMILY)[:_FORBIDDEN_AN_UTTERANCE]
    found = []
    for match in chosen:
        candidate = _candidate(utterance, position, sentence, match)
        whole = match.exact and is_whole(book, sentence, match)
        alone = whole and len(sentence.starts) == 1
        guards = guards_of(book, match.phrase, utterance.text, opening=opening)
        if is_in_passing(match.phrase, alone=alone):
            guards += (PASSING,)
        if written_after is not None and (not alone or guards):
            likelihood = meaning_model.likelihood(utterance.text, written_after)
            if likelihood is not None:
                limits = book.thresholds
                if not match.exact and likelihood < limits.meaning_review:
                    continue
                if likelihood < limits.meaning_fail:
                    guards += (HARMLESS,)
        found.append(replace(candidate, guards=guards))
    if not found or not (as_written or any(c.by == "text" for c in found)):
        if written_after is None:
            found += heard_so(book, utterance, position, ways)
        else:
            found += written_so(book, utterance, position, written_after)
    return found


def _courtesy(
    book: Phrasebook, utterance: Utterance, position: int, sentence: Sentence, *, sound: bool
) -> list[Candidate]:
    matches = [
        match
        for match in _indexes(book).courtesy.find(sentence.text)
        if (match.exact or (sound and _may_be_misheard(match.phrase)))
        and fits(book, sentence, match)
    ]
    return [
        _candidate(utterance, position, sentence, match)
        for match in _best_of_families(_ranked(matches), 1)
    ]


def _may_be_misheard(phrase: Phrase) -> bool:
    """Whether courtesy is also proposed by sound: a core of few syllables that rules rest on.

    In a long phrase the core (您好 of 您好，天津便民专线) would be too small a part.
    """
    return phrase.family in _SOUND_FAMILIES and len(phrase.forms[0]) <= _CORE_SYLLABLES


def _candidate(utterance: Utterance, position: int, sentence: Sentence, match: Match) -> Candidate:
    start, end = sentence.mapped.span(match.start, match.end)
    start_ms, end_ms = place_ms(utterance, start, end)
    return Candidate(
        kind=match.phrase.kind,
        family=match.phrase.family,
        phrase_id=match.phrase.id,
        phrase=match.phrase.text,
        severity=match.phrase.severity,
        channel=utterance.channel,
        utterance=position,
        char_start=start,
        char_end=end,
        start_ms=start_ms,
        end_ms=end_ms,
        heard=utterance.text[start:end],
        score=round(match.likeness, 4),
        by="text" if match.exact else "sound",
    )


def _ranked(matches: Iterable[Match]) -> list[Match]:
    """Best first: the words themselves, then the longer and the more alike."""
    return sorted(
        matches,
        key=lambda m: (
            not m.exact,
            -(m.end - m.start) * m.likeness**2,
            m.start,
            m.phrase.id,
        ),
    )


def _best_of_families(matches: Iterable[Match], most: int) -> list[Match]:
    """At most so many of a family; none inside words of its family that are there for certain."""
    chosen: list[Match] = []
    for match in matches:
        same = [m for m in chosen if m.phrase.family == match.phrase.family]
        told = any(m.exact and m.start < match.end and match.start < m.end for m in same)
        if len(same) < most and not told and all(m.phrase is not match.phrase for m in same):
            chosen.append(match)
    return chosen


@lru_cache(maxsize=4)
def _indexes(book: Phrasebook) -> _Indexes:
    """Built once a book: its hash is that of its version, and the same object is not compared."""
    forbidden = list(book.of(Kind.FORBIDDEN))
    return _Indexes(
        forbidden=PhraseIndex(forbidden),
        courtesy=PhraseIndex(book.of(Kind.COURTESY)),
        short=PhraseIndex(p for p in forbidden if is_short(p)),
    )
