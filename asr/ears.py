"""A recording to a transcript: find the speech, pack it, hear it, map the words back."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from asr.engine import Engine, Heard, Piece
from asr.text import is_supported, log_probability, simplified
from asr.vad import find_speech
from asr.windows import Clip, Window, pack, render, widen
from calls import wav
from calls.call import Channel
from calls.speech import SpeechSpan, Transcript, Utterance, Word

_EDGE_MS = 120
"""How far beyond the detected speech a word may reach: quiet initials and endings."""


def transcribe(
    engine: Engine,
    call_id: str,
    recording: Path,
    channels: tuple[Channel, ...],
    *,
    hotwords: Sequence[str] = (),
    progress: Callable[[float], None] | None = None,
) -> Transcript:
    """Transcribe a whole recording, both sides apart.

    ``channels`` names the recording's channels in order, empty for a mono mix (all its speech is
    then the agent's side, and ``sides_apart`` is False). Memory holds one batch of windows, not
    the call. Errors: RecordingError, EngineError.
    """
    info = wav.inspect(recording)
    spans = find_speech(recording, channels)
    wide = widen(spans, info.duration_ms)
    prompt = " ".join(hotwords)
    total = sum(span.end_ms - span.start_ms for span in wide)
    done = 0
    utterances: list[Utterance] = []
    windows = pack(wide)
    while batch := list(islice(windows, engine.batch_size)):
        samples = [render(window, wide, recording, channels) for window in batch]
        for window, heard in zip(batch, engine.hear(samples, prompt), strict=True):
            utterances += _utterances(window, heard, spans, wide, prompt)
            done += sum(clip.length_ms for clip in window.clips)
        if progress is not None:
            progress(done / total)
    return Transcript(
        call_id=call_id,
        duration_ms=info.duration_ms,
        utterances=tuple(sorted(utterances, key=lambda u: (u.start_ms, u.channel))),
        speech=spans,
        engine=engine.name,
        model=engine.model,
        sides_apart=bool(channels),
    )


def _utterances(
    window: Window,
    heard: Heard,
    spans: Sequence[SpeechSpan],
    wide: Sequence[SpeechSpan],
    prompt: str,
) -> Iterator[Utterance]:
    """The window's text, given back to the clips that it was said in."""
    by_clip: dict[Clip, list[Piece]] = {clip: [] for clip in window.clips}
    for piece in heard.pieces:
        by_clip[window.clip_of(piece.start_ms, piece.end_ms)].append(piece)
    for clip, pieces in by_clip.items():
        if is_supported(pieces, heard, clip.length_ms, prompt):
            yield _utterance(clip, pieces, heard, spans[clip.span], wide[clip.span])


def _utterance(
    clip: Clip, pieces: Sequence[Piece], heard: Heard, span: SpeechSpan, wide: SpeechSpan
) -> Utterance:
    raw = "".join(piece.text for piece in pieces)
    text = simplified(raw)
    offset = len(text) - len(text.lstrip())
    words = []
    at = 0
    for piece in pieces:
        start, at = at, at + len(piece.text)
        if not piece.text.strip():
            continue
        words.append(
            Word(
                start_ms=_in_call(piece.start_ms, clip, span, wide),
                end_ms=_in_call(piece.end_ms, clip, span, wide),
                char_start=max(0, start - offset),
                char_end=min(at - offset, len(text.strip())),
                probability=round(piece.probability, 3),
            )
        )
    return Utterance(
        channel=span.channel,
        start_ms=span.start_ms,
        end_ms=span.end_ms,
        text=text.strip(),
        words=tuple(words),
        log_probability=round(log_probability(pieces), 3),
        language=heard.language,
        language_probability=round(heard.language_probability, 3),
    )


def _in_call(window_ms: int, clip: Clip, span: SpeechSpan, wide: SpeechSpan) -> int:
    """A time in the window as a time in the call, near the speech that it belongs to.

    The alignment lets a first word begin anywhere in the pad before it.
    """
    first, last = span.start_ms - _EDGE_MS, span.end_ms + _EDGE_MS
    at = wide.start_ms + window_ms - clip.start_ms
    return min(max(at, first, wide.start_ms), last, wide.end_ms)
