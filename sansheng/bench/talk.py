"""Calls of any length for the benches: the demo's turns in random order on a noisy line."""

import random
from dataclasses import dataclass

import numpy as np

from calls import wav
from calls.call import Channel
from calls.text import normalise
from calls.wav import Samples
from sansheng.demo import CALLS, demo_calls
from voices.truth import AGENT_FILE, CALLER_FILE

_FILES = {Channel.CALLER: CALLER_FILE, Channel.AGENT: AGENT_FILE}
_RATE = 8000
_PAD_MS = 150
_NOISE_DBFS = -62.0
_PAUSE_S = (0.3, 1.5)


@dataclass(frozen=True, slots=True)
class Talk:
    """What two people say, and what it sounds like."""

    samples: Samples
    """Shape (frames, 2), in the order of ``Channel``."""
    truth: dict[Channel, str]
    """Normalised text of each side, in order."""
    sample_rate: int = _RATE


def make_talk(seconds: float, seed: int) -> Talk:
    """Make a talk of many short turns; the same seed gives the same one."""
    turns = [
        (
            turn.channel,
            normalise(turn.text).text,
            wav.read(
                CALLS / call.name / _FILES[turn.channel],
                0,
                start_ms=max(0, turn.start_ms - _PAD_MS),
                end_ms=turn.end_ms + _PAD_MS,
            ),
        )
        for call in demo_calls()
        for turn in call.truth.turns
    ]
    order = random.Random(seed)
    noise = np.random.default_rng(seed)
    sides = tuple(Channel)
    length = int(seconds * _RATE)
    samples = noise.normal(0, 10 ** (_NOISE_DBFS / 20), (length, 2)).astype(np.float32)
    truth = dict.fromkeys(sides, "")
    at = _RATE // 2
    while True:
        side, text, spoken = order.choice(turns)
        if at + len(spoken) > length:
            break
        samples[at : at + len(spoken), sides.index(side)] += spoken
        truth[side] += text
        at += len(spoken) + int(order.uniform(*_PAUSE_S) * _RATE)
    return Talk(np.clip(samples, -1, 1), truth)
