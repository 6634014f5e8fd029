"""A second reading of single stretches of speech, for what else their audio may say.

A badly heard sentence has one text among several that are nearly as likely, and its meaning hangs
on which. So the stretches that the phrasebook doubts are read once more, each alone, and all the
likely texts are kept. The transcript's own words stay as they are.
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from asr.engine import Engine
from asr.lanes import in_lanes
from asr.text import is_sayable, simplified
from asr.windows import pack, render, widen
from calls.call import Channel
from calls.speech import Again, SpeechSpan, Transcript, stretch
from calls.text import is_han, normalise

_TEXTS = 5
_LEAST_CHINESE = 0.6
"""Share of characters below which a text is another language's, as noise is often taken for."""


def read_again(
    engine: Engine,
    recording: Path,
    channels: tuple[Channel, ...],
    transcript: Transcript,
    spans: Iterable[SpeechSpan],
) -> Transcript:
    """The transcript with other texts of these stretches of its speech; each read only once.

    Unchanged where the engine cannot tell. Errors: RecordingError, EngineError.
    """
    known = set(map(stretch, transcript.again))
    new = [span for span in spans if stretch(span) not in known]
    if not new or not engine.can_score:
        return transcript
    wide = dict(
        zip(transcript.speech, widen(transcript.speech, transcript.duration_ms), strict=True)
    )

    def read(span: SpeechSpan) -> Again:
        [window] = pack([wide[span]])
        samples = render(window, [wide[span]], recording, channels)
        texts = (simplified(text) for text in engine.alternatives(samples, _TEXTS))
        lasts = span.end_ms - span.start_ms
        return Again(
            channel=span.channel,
            start_ms=span.start_ms,
            end_ms=span.end_ms,
            texts=tuple(dict.fromkeys(text for text in texts if _is_readable(text, lasts))),
        )

    again = tuple(in_lanes(engine.lanes, read, new))
    return replace(transcript, again=transcript.again + again)


def _is_readable(text: str, length_ms: int) -> bool:
    plain = normalise(text).text
    chinese = sum(map(is_han, plain))
    return is_sayable(plain, length_ms) and chinese >= _LEAST_CHINESE * len(plain)
