"""Proposes phrases from the audio where the text may be far off: short clips, speech without words.

The recogniser hears two lone syllables badly, so a few short phrases are put to the audio check.
"""

from collections.abc import Container, Iterable, Iterator
from dataclasses import replace

from calls.call import Channel
from calls.hit import Candidate, Kind
from calls.speech import SpeechSpan, Transcript, Utterance
from calls.text import normalise
from phrasebook.book import Phrase, Phrasebook
from phrasebook.context import guards_of, is_opening, place_ms
from phrasebook.index import Match, PhraseIndex

WORDLESS = -1
"""Place of what is proposed for speech that gave no words, instead of an utterance's."""
_SHORT_MS = 2000
"""Speech this short or shorter is asked about."""
_SHORTEST_MS = 200
_SYLLABLES_HEARD = 5
_SYLLABLES_PROPOSED = 4
_PROPOSED = 3
"""Phrases put to the check for one short utterance."""
_COVERED = 0.5
"""Share of a stretch of speech that utterances must cover for it to count as heard."""
_LEAST_LIKENESS = 0.4
_DOUBTFUL_LOGPROB = -0.4
"""From here down the recogniser doubts its own text, and a longer phrase may be far off too."""
_LONGEST_SYLLABLES = 14
_LEAST_GARBLED = 0.45
_GREETING, _FAREWELL = "您好", "再见"
_CLOSING_MS = 15_000
"""The end of the call, in which a farewell counts (rule farewell)."""


def is_short(phrase: Phrase) -> bool:
    """Whether a phrase is of the kind that is said alone and misheard: few syllables, whole."""
    return phrase.whole and 2 <= len(phrase.forms[0]) <= _SYLLABLES_PROPOSED


def unheard(
    book: Phrasebook,
    short: PhraseIndex,
    whole: PhraseIndex,
    transcript: Transcript,
    proposed: Iterable[Candidate],
    only: Container[int],
) -> Iterator[Candidate]:
    """Candidates ``by="audio"``, beside those already found by text and sound.

    ``short``: the phrases that ``is_short``; ``whole``: all forbidden ones; ``only``: the
    utterances that are looked at, and ``WORDLESS``.
    """
    known = list(proposed)
    busy = {c.utterance for c in known if c.kind is Kind.FORBIDDEN and c.by in ("text", "sound")}
    fine = {c.utterance for c in known if c.kind is Kind.COURTESY and c.by == "text"}
    utterances = transcript.utterances
    for position, utterance in enumerate(utterances):
        if utterance.channel is not Channel.AGENT or position in busy | fine:
            continue
        if position not in only:
            continue
        mapped = normalise(utterance.text)
        opening = is_opening(utterances, position)
        for match in far_off(short, whole, utterance, mapped.text, opening=opening):
            found = _propose(
                book, match.phrase, match.likeness, utterance, position, opening=opening
            )
            yield _placed(found, utterance, *mapped.span(match.start, match.end))
    if WORDLESS in only:
        yield from _wordless(book, short, transcript)
    yield from _missing_courtesy(book, transcript, known, only)


def far_off(
    short: PhraseIndex, whole: PhraseIndex, utterance: Utterance, text: str, *, opening: bool
) -> list[Match]:
    """The phrases to put to the audio for an utterance whose text (normalised) may be far off."""
    lasts = utterance.end_ms - utterance.start_ms
    if 0 < len(text) <= _SYLLABLES_HEARD and _SHORTEST_MS <= lasts <= _SHORT_MS:
        index, least = short, _LEAST_LIKENESS
    elif (
        _SYLLABLES_PROPOSED <= len(text) <= _LONGEST_SYLLABLES
        and utterance.log_probability <= _DOUBTFUL_LOGPROB
    ):
        index, least = whole, _LEAST_GARBLED
    else:
        return []
    nearest = index.nearest(text, _PROPOSED, first_turn=opening)
    return [match for match in nearest if match.likeness >= least]


def is_seed(phrase: Phrase) -> bool:
    """Whether a short phrase is also proposed for speech without words."""
    return "seed" in phrase.sources


def wordless_spans(transcript: Transcript) -> Iterator[SpeechSpan]:
    """The agent's short stretches of speech from which no words came."""
    for span in transcript.speech:
        lasts = span.end_ms - span.start_ms
        if (
            span.channel is Channel.AGENT
            and _SHORTEST_MS <= lasts <= _SHORT_MS
            and _covered(span, transcript.utterances) < _COVERED * lasts
        ):
            yield span


def _wordless(book: Phrasebook, short: PhraseIndex, transcript: Transcript) -> Iterator[Candidate]:
    """The seed's short phrases for an agent's short speech from which no words came."""
    seeds = [p for p in short.phrases if is_seed(p)]
    for span in wordless_spans(transcript):
        opening = not any(
            u.channel is Channel.CALLER and u.start_ms < span.start_ms
            for u in transcript.utterances
        )
        for phrase in seeds:
            if opening or not phrase.first_turn:
                yield _propose(book, phrase, 0.0, span, WORDLESS, opening=opening)


def _missing_courtesy(
    book: Phrasebook, transcript: Transcript, known: list[Candidate], only: Container[int]
) -> Iterator[Candidate]:
    """您好 at the agent's first words and 再见 at its last ones, where the text shows neither.

    Their miss would accuse an agent falsely.
    """
    agent = [i for i, u in enumerate(transcript.utterances) if u.channel is Channel.AGENT]
    if not agent:
        return
    closing = transcript.utterances[agent[-1]].end_ms >= transcript.duration_ms - _CLOSING_MS
    wanted = [(agent[0], "greeting", _GREETING)]
    if closing:
        wanted.append((agent[-1], "farewell", _FAREWELL))
    for position, family, text in wanted:
        if position not in only:
            continue
        if any(c.utterance == position and c.family == family for c in known):
            continue
        phrase = _courtesy(book, text)
        if phrase is not None:
            yield _propose(
                book, phrase, 0.0, transcript.utterances[position], position, opening=True
            )


def always_asked(book: Phrasebook) -> tuple[Phrase | None, ...]:
    """The courtesy that is put to the audio in every call whose text does not show it."""
    return _courtesy(book, _GREETING), _courtesy(book, _FAREWELL)


def _courtesy(book: Phrasebook, text: str) -> Phrase | None:
    return next((p for p in book.phrases if p.kind is Kind.COURTESY and p.text == text), None)


def _propose(
    book: Phrasebook,
    phrase: Phrase,
    likeness: float,
    where: Utterance | SpeechSpan,
    position: int,
    *,
    opening: bool,
) -> Candidate:
    text = where.text if isinstance(where, Utterance) else ""
    forbidden = phrase.kind is Kind.FORBIDDEN
    return Candidate(
        kind=phrase.kind,
        family=phrase.family,
        phrase_id=phrase.id,
        phrase=phrase.text,
        severity=phrase.severity,
        channel=where.channel,
        utterance=position,
        char_start=0,
        char_end=len(text),
        start_ms=where.start_ms,
        end_ms=where.end_ms,
        heard=text,
        score=round(likeness, 4),
        by="audio",
        guards=guards_of(book, phrase, "", opening=opening) if forbidden else (),
    )


def _placed(candidate: Candidate, utterance: Utterance, start: int, end: int) -> Candidate:
    """The candidate at a part of its utterance: the audio is asked about no more than that."""
    if (start, end) == (candidate.char_start, candidate.char_end):
        return candidate
    start_ms, end_ms = place_ms(utterance, start, end)
    return replace(
        candidate,
        char_start=start,
        char_end=end,
        start_ms=start_ms,
        end_ms=end_ms,
        heard=utterance.text[start:end],
    )


def _covered(span: SpeechSpan, utterances: Iterable[Utterance]) -> int:
    """Milliseconds of a stretch of speech that lie in utterances of its side."""
    return sum(
        max(0, min(span.end_ms, u.end_ms) - max(span.start_ms, u.start_ms))
        for u in utterances
        if u.channel is span.channel
    )
