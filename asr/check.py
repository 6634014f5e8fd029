"""Was it said? A phrase scored against the audio, in its place, beside what was heard there.

The recogniser errs on one character in five, so neither its text nor a likeness to it is proof.
The engine can score any text against the audio: the phrase is put into the heard text instead of
the span that resembles it, and only the tokens of the two spans are compared. Alone, a phrase in
the middle of an utterance would be punished for how it starts.
"""

import math
import tomllib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from asr.engine import Claim, Engine
from asr.lanes import in_lanes
from asr.windows import pack, render, widen
from calls.call import Channel
from calls.hit import Candidate, Kind, Reading
from calls.speech import SpeechSpan, Transcript, Utterance
from calls.text import is_spoken

CALIBRATION = Path(__file__).with_name("calibration.toml")
_CONTEXT_MS = 1500
"""Audio around a stretch that gave no text: short phrases need it."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """A logistic curve from the two log-probabilities to a probability."""

    version: str
    intercept: float
    phrase: float
    margin: float

    def probability(self, phrase_logprob: float, heard_logprob: float) -> float:
        """Probability that the phrase was said."""
        margin = min(0.0, phrase_logprob - heard_logprob)
        value = self.intercept + self.phrase * phrase_logprob + self.margin * margin
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, value))))


@cache
def calibration() -> Calibration:
    """The calibration that came with this version."""
    return Calibration(**tomllib.loads(CALIBRATION.read_text("utf-8")))


def check(
    engine: Engine,
    recording: Path,
    channels: tuple[Channel, ...],
    transcript: Transcript,
    candidates: Sequence[Candidate],
) -> list[Reading | None]:
    """Ask the engine about the candidates, each stretch of audio encoded once.

    Returns readings in the candidates' order. None where the audio has nothing to add (courtesy
    whose very words were heard, candidates whose evidence is their meaning), and throughout where
    the engine cannot score.
    """
    readings: list[Reading | None] = [None] * len(candidates)
    if not engine.can_score:
        return readings
    by_place: dict[SpeechSpan, list[int]] = defaultdict(list)
    places = widen([_span(u) for u in transcript.utterances], transcript.duration_ms)
    for index, candidate in enumerate(candidates):
        if candidate.by != "meaning" and not _is_plain_courtesy(candidate):
            place = (
                places[candidate.utterance]
                if candidate.utterance >= 0
                else _around(candidate, transcript.duration_ms)
            )
            by_place[place].append(index)

    def ask(place: SpeechSpan) -> list[tuple[int, Reading]]:
        [window] = pack([place])
        samples = render(window, [place], recording, channels)
        questions = {i: _question(transcript, candidates[i]) for i in by_place[place]}
        claims = list(dict.fromkeys(c for q in questions.values() for c in q.claims))
        scores = dict(zip(claims, engine.score(samples, claims), strict=True))
        return [(index, _reading(question, scores)) for index, question in questions.items()]

    for answers in in_lanes(engine.lanes, ask, by_place):
        for index, reading in answers:
            readings[index] = reading
    return readings


def _reading(question: "_Question", scores: Mapping[Claim, float]) -> Reading:
    phrase_logprob = max(scores[claim] for claim in question.phrase)
    heard_logprob = scores[question.heard] if question.heard else phrase_logprob
    return Reading(
        phrase_logprob=round(phrase_logprob, 3),
        heard_logprob=round(heard_logprob, 3),
        probability=round(calibration().probability(phrase_logprob, heard_logprob), 3),
    )


def _is_plain_courtesy(candidate: Candidate) -> bool:
    return candidate.kind is Kind.COURTESY and candidate.by == "text"


def _span(utterance: Utterance) -> SpeechSpan:
    return SpeechSpan(
        channel=utterance.channel, start_ms=utterance.start_ms, end_ms=utterance.end_ms
    )


def _around(candidate: Candidate, duration_ms: int) -> SpeechSpan:
    """A stretch that gave no text, with the audio around it."""
    return SpeechSpan(
        channel=candidate.channel,
        start_ms=max(0, candidate.start_ms - _CONTEXT_MS),
        end_ms=min(duration_ms, candidate.end_ms + _CONTEXT_MS),
    )


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked of the audio about one candidate."""

    phrase: tuple[Claim, ...]
    """The phrase in its place, in each of its wordings: the likeliest counts."""
    heard: Claim | None
    """What was heard in the same place; None where nothing was."""

    @property
    def claims(self) -> tuple[Claim, ...]:
        return self.phrase if self.heard is None else (*self.phrase, self.heard)


def _question(transcript: Transcript, candidate: Candidate) -> _Question:
    before = heard = after = ""
    if candidate.utterance >= 0:
        text = transcript.utterances[candidate.utterance].text
        before, after = text[: candidate.char_start], text[candidate.char_end :]
        heard = text[candidate.char_start : candidate.char_end]
    return _Question(
        tuple(Claim(before, wording, after) for wording in wordings(candidate.phrase)),
        Claim(before, heard, after) if heard else None,
    )


def wordings(phrase: str) -> tuple[str, ...]:
    """A phrase as the engine would write it: without marks, and with half-width commas inside.

    A full-width mark is three tokens that the model never writes: with one, 不知道，问别人去吧
    scored −3.9 where it was said, and −1.6 without.
    """
    clauses = "".join(c if is_spoken(c) else " " for c in phrase).split()
    return tuple(dict.fromkeys(("".join(clauses), ",".join(clauses))))
