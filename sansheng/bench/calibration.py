"""Fits the curve from log-probabilities to "was it said" on spoken calls whose truth is known.

Half of the voices and half of the sentences are kept for the report: it counts only what has
neither a voice nor a sentence in common with what was learnt from.
"""

import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

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


def observe(corpus: Path, cache: Path, limit: int) -> Iterator[Observation]:
    """What the audio says of each call's candidates; ``cache`` keeps it, a file a call.

    ``limit``: calls not yet in the cache that are listened to; 0: all.
    """
    from asr.engine import open_engine
    from sansheng.settings import load

    cache.mkdir(parents=True, exist_ok=True)
    engine, heard = None, 0
    for line in (corpus / "index.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        kept, folder = cache / f"{row['id']}.json", corpus / row["id"]
        if not kept.is_file():
            if (limit and heard >= limit) or not (folder / "truth.json").is_file():
                continue
            engine = engine or open_engine(load().asr)
            made = [asdict(o) for o in _listen(engine, folder, row["sentence"])]
            kept.write_text(json.dumps(made), encoding="utf-8")
            heard += 1
        for item in json.loads(kept.read_text(encoding="utf-8")):
            yield Observation(**item)


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


def _listen(engine: object, folder: Path, sentence: str) -> Iterator[Observation]:
    from typing import Any, cast

    from asr.check import check
    from asr.ears import transcribe
    from calls.call import Channel
    from calls.text import normalise
    from phrasebook.book import load
    from phrasebook.search import search
    from phrasebook.sound import code

    ears = cast("Any", engine)
    truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    recording, sides, book = folder / "call.wav", tuple(Channel), load()
    transcript = transcribe(ears, folder.name, recording, sides)
    candidates = search(book, transcript)
    for candidate, reading in zip(
        candidates, check(ears, recording, sides, transcript, candidates), strict=True
    ):
        turns = [t for t in truth["turns"] if t["channel"] == candidate.channel.value]
        if reading is None or not turns:
            continue
        spoken = code("|".join(normalise(t["text"]).text for t in turns))
        phrase = book.by_id[candidate.phrase_id]
        yield Observation(
            call=folder.name,
            sentence=sentence,
            voice=turns[-1]["voice"],
            phrase_logprob=reading.phrase_logprob,
            heard_logprob=reading.heard_logprob,
            said=any(code(form) in spoken for form in phrase.forms),
        )
