"""Proposes what may have been said: forbidden phrases of the agent, courtesy of both sides.

Generous on purpose: the audio check decides. Pure: the same transcript gives the same candidates.
"""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from calls.call import Channel
from calls.hit import Candidate, Hit, Kind
from calls.speech import Transcript, Utterance
from calls.text import normalise
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
    passage_of,
    pauses_of,
    place_ms,
    read_sentence,
)
from phrasebook.index import Match, PhraseIndex
from phrasebook.unheard import WORDLESS, is_short, unheard

_FORBIDDEN_A_FAMILY = 2
_FORBIDDEN_AN_UTTERANCE = 5
_SOUND_FAMILIES = frozenset(
    ("greeting", "hold_consent", "hold_return", "further_help", "hangup_consent", "farewell")
)
"""Courtesy whose miss would accuse an agent falsely: also proposed by sound."""
_CORE_SYLLABLES = 6
_MANDARIN = "zh"
_SURELY = 0.8
"""Probability from which a language is taken as told, as the rule on Mandarin has it."""


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
                _readings(utterance, passage_of(utterances, position), courtesy),
                opening=is_opening(utterances, position),
                sound=sound,
            )
        found += courtesy
    found += unheard(book, indexes.short, indexes.forbidden, transcript, found, only)
    return tuple(sorted(found, key=lambda c: (c.start_ms, c.char_start, c.phrase_id)))


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
    candidates = _forbidden(book, utterance, 0, sentence, (), opening=opening, written_after=prev)
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
    readings: Sequence[str],
    *,
    opening: bool,
    sound: bool = True,
    written_after: str | None = None,
) -> list[Candidate]:
    """``readings``: how else recognised speech may be read (``_readings``).

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
        found += _by_meaning(book, utterance, position, readings, written_after)
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


def _by_meaning(
    book: Phrasebook,
    utterance: Utterance,
    position: int,
    readings: Sequence[str],
    written_after: str | None,
) -> list[Candidate]:
    """A whole sentence that reads like a violation, though no listed words are in it.

    Recognised speech must read so in all its ``readings``. What was said in another language has
    no meaning in Mandarin characters.
    """
    if utterance.language != _MANDARIN and utterance.language_probability >= _SURELY:
        return []
    if written_after is not None:
        least = book.thresholds.meaning_review
        likelihood = meaning_model.likelihood(utterance.text, written_after)
    else:
        least = book.thresholds.meaning_heard
        likelihood = meaning_model.likelihood_heard(utterance.text)
        for reading in readings:
            if likelihood is not None and likelihood >= least:
                likelihood = min(likelihood, meaning_model.likelihood_heard(reading) or 0.0)
    if likelihood is None or likelihood < least:
        return []
    family = meaning_model.family(utterance.text, written_after or "")
    if family not in book.families:
        return []
    return [
        Candidate(
            kind=Kind.FORBIDDEN,
            family=family,
            phrase_id=f"meaning:{family}",
            phrase=book.families[family].name,
            channel=utterance.channel,
            utterance=position,
            char_start=0,
            char_end=len(utterance.text),
            start_ms=utterance.start_ms,
            end_ms=utterance.end_ms,
            heard=utterance.text,
            score=round(likelihood, 4),
            by="meaning",
        )
    ]


def _readings(utterance: Utterance, passage: str, courtesy: Iterable[Candidate]) -> tuple[str, ...]:
    """How else an utterance may be read than alone and as it was heard.

    It may be a part of the sentence that it makes with its neighbours (``passage``), and what
    sounds like courtesy may be misheard courtesy.
    """
    text = utterance.text
    polite = (
        text[: c.char_start] + normalise(c.phrase).text + text[c.char_end :]
        for c in courtesy
        if c.by == "sound"
    )
    return tuple(dict.fromkeys(reading for reading in (passage, *polite) if reading != text))


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
