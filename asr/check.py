"""Was it said? A phrase scored against the audio, in its place, beside what was heard there.

The recogniser errs on one character in five, so neither its text nor a likeness to it is proof.
The engine can score any text against the audio: the phrase is put into the heard text instead of
the span that resembles it, and only the tokens of the two spans are compared. Alone, a phrase in
the middle of an utterance would be punished for how it starts.
"""

import math
import tomllib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from asr.engine import Claim, Engine
from asr.windows import pack, render, widen
from calls.call import Channel
from calls.hit import Candidate, Kind, Reading
from calls.speech import SpeechSpan, Transcript, Utterance

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

    Returns readings in the candidates' order. None where the audio has nothing to add: courtesy
    whose very words were heard, and candidates whose evidence is their meaning.
    """
    readings: list[Reading | None] = [None] * len(candidates)
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
    for place, indices in by_place.items():
        [window] = pack([place])
        samples = render(window, [place], recording, channels)
        claims: list[Claim] = []
        for index in indices:
            claims += _claims(transcript, candidates[index])
        unique = list(dict.fromkeys(claims))
        scores = dict(zip(unique, engine.score(samples, unique), strict=True))
        for index in indices:
            phrase, heard = _claims(transcript, candidates[index])
            phrase_logprob = scores[phrase]
            heard_logprob = scores[heard] if heard.phrase else phrase_logprob
            readings[index] = Reading(
                phrase_logprob=round(phrase_logprob, 3),
                heard_logprob=round(heard_logprob, 3),
                probability=round(calibration().probability(phrase_logprob, heard_logprob), 3),
            )
    return readings


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


def _claims(transcript: Transcript, candidate: Candidate) -> tuple[Claim, Claim]:
    """The phrase in its place, and what was heard in the same place."""
    if candidate.utterance < 0:
        return Claim("", candidate.phrase, ""), Claim("", "", "")
    text = transcript.utterances[candidate.utterance].text
    before, after = text[: candidate.char_start], text[candidate.char_end :]
    heard = text[candidate.char_start : candidate.char_end]
    return Claim(before, candidate.phrase, after), Claim(before, heard, after)
