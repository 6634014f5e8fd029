"""What was heard of a call while it still goes on, so that little is left to hear at its end."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from calls.speech import SpeechSpan, Utterance

_SAME_MS = 90
"""Two stretches whose ends differ by no more (three frames of voice activity) are the same one: the
noise floor of a part of a call is not quite that of the whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardSpan:
    """A stretch of speech that the engine has been through."""

    span: SpeechSpan
    utterance: Utterance | None = None
    """None: no words that the audio bears out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The stretches heard so far, in the call's time, and by which engine."""

    engine: str = ""
    model: str = ""
    heard: tuple[HeardSpan, ...] = ()
    settled_ms: int = 0
    """Up to where nothing is left to hear, be it speech, music or silence."""

    def find(self, span: SpeechSpan) -> HeardSpan | None:
        """What was heard in a stretch, its edges set to those of ``span``; None: not yet heard."""
        for known in self.heard:
            if _is_same(known.span, span):
                utterance = known.utterance and replace(
                    known.utterance, start_ms=span.start_ms, end_ms=span.end_ms
                )
                return HeardSpan(
                    span=replace(
                        span,
                        language=known.span.language,
                        language_probability=known.span.language_probability,
                    ),
                    utterance=utterance,
                )
        return None

    def plus(self, heard: Sequence[HeardSpan]) -> "Draft":
        """The draft with more, in order of time."""
        every = sorted((*self.heard, *heard), key=lambda h: (h.span.start_ms, h.span.channel))
        return replace(self, heard=tuple(every))

    @property
    def utterances(self) -> tuple[Utterance, ...]:
        """The words so far, in order."""
        return tuple(h.utterance for h in self.heard if h.utterance is not None)


def shifted(said: Utterance, by_ms: int) -> Utterance:
    """An utterance with all its times moved."""
    return replace(
        said,
        start_ms=said.start_ms + by_ms,
        end_ms=said.end_ms + by_ms,
        words=tuple(
            replace(word, start_ms=word.start_ms + by_ms, end_ms=word.end_ms + by_ms)
            for word in said.words
        ),
    )


def _is_same(one: SpeechSpan, other: SpeechSpan) -> bool:
    return (
        one.channel is other.channel
        and abs(one.start_ms - other.start_ms) <= _SAME_MS
        and abs(one.end_ms - other.end_ms) <= _SAME_MS
    )
