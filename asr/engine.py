"""What an engine can do, and how one is opened.

An engine turns windows of 16 kHz samples into pieces of text with times, and scores a given text
against a window. Everything else (voice activity, packing, mapping, clean-up) is common to all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from asr.settings import AsrSettings
from calls.wav import Samples


@dataclass(frozen=True, slots=True)
class Piece:
    """The smallest stretch of text with its time: a syllable of Mandarin, or a word."""

    text: str
    start_ms: int
    end_ms: int
    """Milliseconds in the window."""
    probability: float


@dataclass(frozen=True, slots=True)
class Heard:
    """What an engine heard in one window."""

    pieces: tuple[Piece, ...]
    log_probability: float
    """Mean natural log-probability a token."""
    no_speech: float = 0.0
    """Probability that nobody speaks."""
    language: str = "zh"
    language_probability: float = 1.0


@dataclass(frozen=True, slots=True)
class Claim:
    """A text to score against a window: only ``phrase`` counts, within what stands around it."""

    before: str
    phrase: str
    after: str


class Engine(Protocol):
    """A recognition engine with its weights loaded."""

    @property
    def name(self) -> str:
        """Engine and version, for the scorecard."""

    @property
    def model(self) -> str:
        """Weights and hash, for the scorecard."""

    @property
    def batch_size(self) -> int:
        """Windows worth giving in one call."""

    @property
    def lanes(self) -> int:
        """Calls of ``hear`` and ``score`` worth making at once, each from a thread of its own."""

    @property
    def can_score(self) -> bool:
        """Whether ``score`` answers; where it does not, what was said stays a person's question."""

    def hear(self, windows: Sequence[Samples], prompt: str = "") -> list[Heard]:
        """Transcribe windows of at most 30 s; ``prompt`` biases towards its words.

        Errors: EngineError.
        """

    def score(self, window: Samples, claims: Sequence[Claim]) -> list[float]:
        """For each claim, the mean log-probability a token of its phrase, in its place.

        Errors: EngineError, always where ``can_score`` is False.
        """

    def alternatives(self, window: Samples, most: int) -> list[str]:
        """The likeliest texts of one short clip, best first, at most so many.

        Errors: EngineError, always where ``can_score`` is False.
        """


def open_engine(settings: AsrSettings) -> Engine:
    """Load the engine that the settings name.

    Errors: EngineError when its package or weights are not there or cannot be loaded.
    """
    if settings.engine == "sherpa-onnx":
        from asr.sherpa import SherpaEngine

        return SherpaEngine(settings)
    from asr.whisper import WhisperEngine

    return WhisperEngine(settings)
