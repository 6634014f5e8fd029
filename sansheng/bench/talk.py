"""Calls of any length for the benches: spoken turns in random order on a noisy line."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import numpy as np

from calls import wav
from calls.call import Channel
from calls.errors import RecordingError
from calls.resample import resample
from calls.text import normalise
from calls.wav import Samples
from sansheng.demo import CALLS, demo_calls
from voices.truth import AGENT_FILE, CALLER_FILE

_NOISE_DBFS = -62.0
MANIFEST = "manifest.jsonl"
_FILES = {Channel.CALLER: CALLER_FILE, Channel.AGENT: AGENT_FILE}
_RATE = 8000
_PAD_MS = 150
_PAUSE_S = (0.3, 1.5)


@dataclass(frozen=True, slots=True)
class Turn:
    """What one person says without a pause."""

    text: str
    """Normalised."""
    samples: Samples
    channel: Channel | None = None
    """None: either side's."""


@dataclass(frozen=True, slots=True)
class Talk:
    """What two people say, and what it sounds like."""

    samples: Samples
    """Shape (frames, 2), in the order of ``Channel``."""
    truth: dict[Channel, str]
    """Normalised text of each side, in order."""
    sample_rate: int = _RATE


def demo_turns() -> list[Turn]:
    """The turns of the demo's two calls."""
    return [
        Turn(
            normalise(turn.text).text,
            wav.read(
                CALLS / call.name / _FILES[turn.channel],
                0,
                start_ms=max(0, turn.start_ms - _PAD_MS),
                end_ms=turn.end_ms + _PAD_MS,
            ),
            turn.channel,
        )
        for call in demo_calls()
        for turn in call.truth.turns
    ]


def read_turns(folder: Path) -> list[Turn]:
    """Turns from a folder of single utterances with ``manifest.jsonl`` (file, text).

    Errors: RecordingError when there is none.
    """
    try:
        lines = (folder / MANIFEST).read_text("utf-8").splitlines()
        entries = [json.loads(line) for line in lines]
        return [Turn(normalise(e["text"]).text, _narrow(folder / e["file"])) for e in entries]
    except (OSError, ValueError, KeyError) as error:
        raise RecordingError(
            f"{folder} has no {MANIFEST} with a file and its text a line",
            remedy="name a folder of single utterances",
        ) from error


def make_talk(
    seconds: float, seed: int, turns: Sequence[Turn], noise_dbfs: float = _NOISE_DBFS
) -> Talk:
    """Make a talk of many short turns, each as often as any other; a seed gives the same one."""
    order = random.Random(seed)
    noise = np.random.default_rng(seed)
    sides = tuple(Channel)
    length = int(seconds * _RATE)
    samples = noise.normal(0, 10 ** (noise_dbfs / 20), (length, 2)).astype(np.float32)
    truth = dict.fromkeys(sides, "")
    at = _RATE // 2
    for turn in cycle(order.sample(list(turns), len(turns))):
        if at + len(turn.samples) > length:
            break
        side = turn.channel or order.choice(sides)
        samples[at : at + len(turn.samples), sides.index(side)] += turn.samples
        truth[side] += turn.text
        at += len(turn.samples) + int(order.uniform(*_PAUSE_S) * _RATE)
    return Talk(np.clip(samples, -1, 1), truth)


def _narrow(path: Path) -> Samples:
    return resample(wav.read(path, 0), wav.inspect(path).sample_rate, _RATE)
