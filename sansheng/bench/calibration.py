"""Fits the curve from log-probabilities to "was it said" on spoken calls whose truth is known.

Half of the voices and half of the sentences are kept for the report: it counts only what has
neither a voice nor a sentence in common with what was learnt from.
"""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calls.text import normalise
from phrasebook.book import Phrasebook
from phrasebook.search import search
from phrasebook.sound import code
from sansheng.bench.hearing import Heard

_STEPS = 60
_RIDGE = 0.05
_CURVE = (0.2, 0.35, 0.5, 0.7, 0.8, 0.9, 0.95)


@dataclass(frozen=True, slots=True)
class Observation:
    """One phrase put to the audio, with the truth."""

    call: str
    sentence: str
    voice: str
    phrase_logprob: float
    heard_logprob: float
    said: bool


def observe(book: Phrasebook, calls: Iterable[Heard]) -> Iterator[Observation]:
    """Every phrase that the search puts to the audio of these calls, with what was truly said."""
    for heard in calls:
        candidates = search(book, heard.kept.transcript)
        for candidate, reading in zip(candidates, heard.readings(candidates), strict=True):
            turns = [t for t in heard.call.turns if t.channel is candidate.channel]
            if reading is None or not turns:
                continue
            spoken = code("|".join(normalise(turn.text).text for turn in turns))
            yield Observation(
                call=heard.call.id,
                sentence=heard.call.sentence,
                voice=turns[-1].voice,
                phrase_logprob=reading.phrase_logprob,
                heard_logprob=reading.heard_logprob,
                said=any(code(form) in spoken for form in book.by_id[candidate.phrase_id].forms),
            )


def fit(observations: Sequence[Observation]) -> NDArray[np.float64]:
    """Intercept, weight of the phrase and of the margin: ridge logistic regression by Newton."""
    facts, said = _facts(observations), np.array([o.said for o in observations], float)
    weights = np.zeros(3)
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-np.clip(facts @ weights, -30, 30)))
        slope = facts.T @ (said - p) - _RIDGE * weights
        bend = (facts * (p * (1 - p))[:, None]).T @ facts + _RIDGE * np.eye(3)
        weights = weights + np.linalg.solve(bend, slope)
    return weights


def report(observations: Sequence[Observation]) -> dict[str, object]:
    """The fit on one part, and on the other its curve beside the one in use."""
    from asr.check import calibration

    learnt = fit([o for o in observations if not _kept(o.voice) and not _kept(o.sentence)])
    unseen = [o for o in observations if _kept(o.voice) and _kept(o.sentence)]
    used = calibration()
    now = np.array([used.intercept, used.phrase, used.margin])
    return {
        "observations": len(observations),
        "said": sum(o.said for o in observations),
        "unseen": len(unseen),
        "unseen_said": sum(o.said for o in unseen),
        "fit": dict(zip(("intercept", "phrase", "margin"), learnt.round(3).tolist(), strict=True)),
        "curve_fit": _curve(unseen, learnt),
        "curve_in_use": _curve(unseen, now),
    }


def _curve(observations: Sequence[Observation], weights: NDArray[np.float64]) -> list[list[float]]:
    """Rows of threshold, share of said phrases at or above it, share of unsaid ones."""
    if not observations:
        return []
    p = 1 / (1 + np.exp(-np.clip(_facts(observations) @ weights, -30, 30)))
    said = np.array([o.said for o in observations])
    return [
        [
            limit,
            *(round(float((p[part] >= limit).mean()), 4) for part in (said, ~said) if any(part)),
        ]
        for limit in _CURVE
    ]


def _facts(observations: Sequence[Observation]) -> NDArray[np.float64]:
    return np.array(
        [
            (1.0, o.phrase_logprob, min(0.0, o.phrase_logprob - o.heard_logprob))
            for o in observations
        ]
    ).reshape(-1, 3)


def _kept(name: str) -> bool:
    return zlib.crc32(name.encode()) % 2 == 1
