"""What the ears heard: words, utterances and the stretches of speech on each side."""

from dataclasses import dataclass
from typing import TypeAlias

from calls.call import Channel, Ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A word as recognised, at its time and at its character offsets in the utterance's text."""

    start_ms: Ms
    end_ms: Ms
    char_start: int
    char_end: int
    probability: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """One stretch of speech of one side, between two pauses."""

    channel: Channel
    start_ms: Ms
    end_ms: Ms
    text: str
    """Simplified characters as heard; ``calls.numbers`` writes their numbers in figures."""
    spoken: str = ""
    """The words as spoken, where an importer's ``text`` differs (五百 for 500); else empty."""
    words: tuple[Word, ...] = ()
    log_probability: float = 0.0
    """The engine's mean log-probability a token of its own text."""
    language: str = "zh"
    language_probability: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechSpan:
    """A stretch in which voice activity was found, whether or not words came of it."""

    channel: Channel
    start_ms: Ms
    end_ms: Ms
    level_dbfs: float = 0.0
    language: str = ""
    """What the engine took it for, whether or not words came of it; empty: it did not say."""
    language_probability: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """A stretch of speech read a second time: other texts that its audio allows."""

    channel: Channel
    start_ms: Ms
    end_ms: Ms
    texts: tuple[str, ...]
    """The likeliest first; empty where nothing readable came."""


Stretch: TypeAlias = tuple[Channel, Ms, Ms]


def stretch(said: Utterance | SpeechSpan | Again) -> Stretch:
    """Where something was said, for comparing utterances, speech and second readings."""
    return said.channel, said.start_ms, said.end_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """Both sides' utterances in order of their start, and the speech they came from."""

    call_id: str
    duration_ms: Ms
    utterances: tuple[Utterance, ...] = ()
    speech: tuple[SpeechSpan, ...] = ()
    again: tuple[Again, ...] = ()
    """The agent's stretches that were read a second time, because their meaning hung in doubt."""
    engine: str = ""
    """Name and version of the engine's code, e.g. ``faster-whisper 1.2.1``."""
    model: str = ""
    """Name and hash prefix of the weights, e.g. ``whisper-base-zh d01c3014``."""
    sides_apart: bool = True
    """False for a mono mix, whose roles are guessed: overlap rules are then ``na``."""

    def of(self, channel: Channel) -> tuple[Utterance, ...]:
        """The utterances of one side, in order."""
        return tuple(u for u in self.utterances if u.channel is channel)
