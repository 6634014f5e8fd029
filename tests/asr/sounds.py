"""Sounds of a telephone line, and an engine that hears what a test tells it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from asr.engine import Claim, Engine, Heard, Piece
from calls import wav
from calls.call import Channel
from calls.speech import SpeechSpan
from calls.wav import Samples

RATE = 8000
SIDES = tuple(Channel)
DEMO = Path(__file__).parents[2] / "voices" / "demo"
DATA = Path(__file__).parent / "data"


def seconds(count: float) -> Samples:
    """The sample times of a sound."""
    return (np.arange(round(count * RATE)) / RATE).astype(np.float32)


def silence(count: float) -> Samples:
    return np.zeros(round(count * RATE), np.float32)


def noise(count: float, dbfs: float, seed: int = 1) -> Samples:
    generator = np.random.default_rng(seed)
    level = 10 ** (dbfs / 20)
    return generator.normal(0, level, round(count * RATE)).astype(np.float32)


def tone(count: float, *hertz: float, on_s: float, off_s: float, level: float = 0.2) -> Samples:
    """A call tone or key: these frequencies together, on and off."""
    at = seconds(count)
    sound = sum((np.sin(2 * np.pi * f * at) for f in hertz), np.zeros_like(at)) * level
    return (sound * (at % (on_s + off_s) < on_s)).astype(np.float32)


def music(count: float, seed: int = 1) -> Samples:
    """Plucked chords with overtones, two a second."""
    generator = np.random.default_rng(seed)
    sound = np.zeros(round(count * RATE), np.float32)
    for start in range(0, len(sound), RATE // 2):
        at = seconds(1)
        for octave in (1, 2):
            note = 220 * octave * 2 ** (generator.choice([0, 2, 4, 5, 7, 9, 11]) / 12)
            overtones = [np.sin(2 * np.pi * note * k * at) / k**2 for k in (1, 2, 3)]
            pluck = 0.1 * sum(overtones, np.zeros_like(at)) * np.exp(-3 * at)
            room = sound[start : start + RATE]
            room += pluck[: len(room)].astype(np.float32)
    return sound


def demo(name: str, channel: Channel, start_ms: int = 0, end_ms: int | None = None) -> Samples:
    """A side of one of the demo's calls."""
    return wav.read(DEMO / name / f"{channel.value}.wav", 0, start_ms=start_ms, end_ms=end_ms)


def demo_turns(name: str) -> list[dict[str, object]]:
    turns: list[dict[str, object]] = json.loads((DEMO / name / "truth.json").read_text())["turns"]
    return turns


MakeCall = Callable[..., Path]


@dataclass
class FakeEngine:
    """Hears the texts it is given, one a window, its pieces spread over the window's sound."""

    texts: Sequence[str] = ()
    probability: float = 0.9
    no_speech: float = 0.0
    batch_size: int = 2
    can_score: bool = True
    lanes: int = 1
    name: str = "fake 1"
    model: str = "none"
    batches: list[int] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    windows_scored: int = 0
    said: str = ""

    def hear(self, windows: Sequence[Samples], prompt: str = "") -> list[Heard]:
        first = sum(self.batches)
        self.batches.append(len(windows))
        texts = self.texts[first : first + len(windows)]
        return [
            Heard(self._spread(text, window), -0.2, self.no_speech)
            for text, window in zip(texts, windows, strict=True)
        ]

    def score(self, window: Samples, claims: Sequence[Claim]) -> list[float]:
        self.windows_scored += 1
        self.claims += claims
        return [-0.5 if claim.phrase == self.said else -6.0 for claim in claims]

    def alternatives(self, window: Samples, most: int) -> list[str]:
        del window, most
        return []

    def _spread(self, text: str, window: Samples) -> tuple[Piece, ...]:
        length = len(window) * 1000 // 16_000
        step = length / max(1, len(text))
        return tuple(
            Piece(c, round(i * step), round((i + 1) * step), self.probability)
            for i, c in enumerate(text)
        )


def as_engine(engine: FakeEngine) -> Engine:
    """The fake, checked by mypy against the protocol."""
    return engine


def span(channel: Channel, start_ms: int, end_ms: int) -> SpeechSpan:
    return SpeechSpan(channel=channel, start_ms=start_ms, end_ms=end_ms)
