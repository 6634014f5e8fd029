"""Recordings laid out by hand, and an engine that hears what it was told to."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from asr.engine import Claim, Heard
from calls import wav
from calls.wav import Samples
from tests.asr.sounds import DEMO, RATE


def line(seconds: float, seed: int = 1) -> Samples:
    """A quiet line."""
    noise = np.random.default_rng(seed).normal(0, 0.001, int(seconds * RATE))
    return noise.astype(np.float32)


def speech(name: str = "good/agent.wav", start_ms: int = 660, end_ms: int = 3180) -> Samples:
    """A piece of the demo's spoken Mandarin (synthetic voice): 您好，很高兴为您服务。"""
    return wav.read(DEMO / name, 0, start_ms=start_ms, end_ms=end_ms)


def at(seconds: float, *parts: tuple[float, Samples]) -> Samples:
    """A quiet line of a length with sounds laid on it at their seconds."""
    whole = line(seconds)
    for start, sound in parts:
        first = int(start * RATE)
        whole[first : first + len(sound)] += sound[: len(whole) - first]
    return whole


def record(folder: Path, *sides: Samples) -> Path:
    """Write caller and agent to a stereo A-law recording, or one side to a mono one."""
    path = folder / "recording.wav"
    samples = np.stack(sides, axis=1) if len(sides) > 1 else sides[0]
    wav.write(path, np.clip(samples, -1, 1), RATE, "ALAW")
    return path


@dataclass
class ScriptedEngine:
    """Stands for a recogniser where what is tested is around it."""

    heard: Sequence[Heard] = ()
    scores: dict[str, float] = field(default_factory=dict)
    """Phrase to log-probability."""
    name: str = "scripted 1"
    model: str = "none"
    batch_size: int = 2
    can_score: bool = True
    lanes: int = 1
    batches: list[int] = field(default_factory=list)
    """Windows in each batch that came."""
    lengths: list[int] = field(default_factory=list)
    """Samples of each window that came."""
    prompts: list[str] = field(default_factory=list)
    others: Sequence[str] = ()
    """What a second reading gives."""
    asked: list[list[Claim]] = field(default_factory=list)
    """Claims in each question."""

    def hear(self, windows: Sequence[Samples], prompt: str = "") -> list[Heard]:
        first = sum(self.batches)
        self.batches.append(len(windows))
        self.lengths += [len(window) for window in windows]
        self.prompts.append(prompt)
        given = list(self.heard[first : first + len(windows)])
        return given + [Heard(pieces=(), log_probability=-0.1)] * (len(windows) - len(given))

    def alternatives(self, window: Samples, most: int) -> list[str]:
        self.lengths.append(len(window))
        return list(self.others[:most])

    def score(self, window: Samples, claims: Sequence[Claim]) -> list[float]:
        self.lengths.append(len(window))
        self.asked.append(list(claims))
        return [self.scores[claim.phrase] for claim in claims]
