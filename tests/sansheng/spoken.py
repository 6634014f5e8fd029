"""A small spoken corpus with what was heard of it, so that no model need listen."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from calls import wav
from calls.call import Channel
from calls.speech import SpeechSpan, Transcript, Utterance
from sansheng.bench.hearing import Kept
from tests.asr.scripted import ScriptedEngine

RATE = 8000
LASTS_MS = 4000
VOICES = tuple(f"voice{number}" for number in range(5))
ENGINE = ("scripted 1", "none")
CLEAR, REFUTED = -1.0, -6.0
"""Log-probability of a phrase that was said, and of one that was not."""


@dataclass(frozen=True)
class Spoken:
    """One call: the caller asks, then the agent says a sentence; or the agent alone."""

    id: str
    text: str
    heard: str = ""
    """What the recogniser made of it; empty: the text."""
    family: str = ""
    after: str = "我想问一下社保卡怎么补办"
    voice: str = VOICES[0]
    log_probability: float = 0.0
    """The recogniser's of the agent's text."""


def make_corpus(folder: Path, calls: Sequence[Spoken]) -> tuple[Path, Path]:
    """The corpus and a cache in which all is transcribed, and nothing yet put to the audio."""
    corpus, cache = folder / "corpus", folder / "heard"
    cache.mkdir(parents=True)
    index = []
    for call in calls:
        place = corpus / call.id
        place.mkdir(parents=True)
        turns = [(Channel.CALLER, call.after, call.after)] if call.after else []
        turns.append((Channel.AGENT, call.text, call.heard or call.text))
        row = {"id": call.id, "sentence": call.id, "speaker": "agent", "family": call.family}
        index.append(json.dumps({**row, "text": call.text, "turn": len(turns) - 1}))
        said = [
            {"channel": side.value, "text": text, "voice": call.voice, "speed": 1.1}
            for side, text, _ in turns
        ]
        truth = {"turns": said, "level_dbfs": -24.0, "snr_db": 21.0}
        (place / "truth.json").write_text(json.dumps(truth), encoding="utf-8")
        lasts = len(turns) * LASTS_MS
        wav.write(place / "call.wav", np.zeros((lasts * RATE // 1000, 2), np.float32), RATE)
        utterances = tuple(
            Utterance(
                channel=side,
                start_ms=position * LASTS_MS,
                end_ms=position * LASTS_MS + LASTS_MS - 500,
                text=heard,
                log_probability=call.log_probability if side is Channel.AGENT else 0.0,
            )
            for position, (side, _, heard) in enumerate(turns)
        )
        transcript = Transcript(
            call_id=call.id,
            duration_ms=lasts,
            utterances=utterances,
            speech=tuple(
                SpeechSpan(channel=u.channel, start_ms=u.start_ms, end_ms=u.end_ms)
                for u in utterances
            ),
            engine=ENGINE[0],
            model=ENGINE[1],
        )
        kept = Kept(transcript=transcript, answers={}, transcribe_s=2.0, check_s=0.1)
        (cache / f"{call.id}.json").write_bytes(msgspec.json.encode(kept))
    (corpus / "index.jsonl").write_text("\n".join(index), encoding="utf-8")
    return corpus, cache


def knowing_engine(*said: str, others: Sequence[str] = ()) -> ScriptedEngine:
    """Scores these phrases as said, all others as not said; reads ``others`` a second time."""
    scores = defaultdict(lambda: REFUTED, dict.fromkeys(said, CLEAR))
    return ScriptedEngine(scores=scores, others=others)
