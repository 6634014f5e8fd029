"""A recording to a transcript: find the speech, pack it, hear it, map the words back."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from asr.draft import Draft, HeardSpan, shifted
from asr.engine import Engine, Heard, Piece
from asr.lanes import in_lanes
from asr.text import is_supported, log_probability, simplified
from asr.vad import find_speech
from asr.windows import Clip, Window, pack, render, widen
from calls import wav
from calls.call import Channel
from calls.speech import SpeechSpan, Transcript, Utterance, Word

_EDGE_MS = 120
"""How far beyond the detected speech a word may reach: quiet initials and endings."""
_CLOSED_MS = 1200
"""A pause this long ends a stretch of speech for good (voice activity bridges 700 ms)."""
_ENOUGH_MS = 12_000
_LATEST_MS = 10_000
"""How much closed speech of a call under way is worth a window, and how long less may wait."""
_SETTLE_MS = 30_000
"""How much silence or music, as in a long hold, makes a new draft without any words."""


def transcribe(
    engine: Engine,
    call_id: str,
    recording: Path,
    channels: tuple[Channel, ...],
    *,
    hotwords: Sequence[str] = (),
    draft: Draft | None = None,
    progress: Callable[[float], None] | None = None,
) -> Transcript:
    """Transcribe a whole recording, both sides apart.

    ``channels`` names the recording's channels in order, empty for a mono mix (all its speech is
    then the agent's side, and ``sides_apart`` is False). What the same engine heard during the
    call (``draft``) is not heard again. Memory holds a few batches of windows, not the call.
    Errors: RecordingError, EngineError.
    """
    sound = _Sound.of(recording, channels)
    known: dict[int, HeardSpan] = {}
    if draft is not None and (draft.engine, draft.model) == (engine.name, engine.model):
        found = ((index, draft.find(span)) for index, span in enumerate(sound.spans))
        known = {index: heard for index, heard in found if heard is not None}
    rest = [index for index in range(len(sound.spans)) if index not in known]
    fresh = sound.hear(engine, rest, hotwords, progress)
    heard = sorted((*known.values(), *fresh), key=lambda h: (h.span.start_ms, h.span.channel))
    return Transcript(
        call_id=call_id,
        duration_ms=sound.duration_ms,
        utterances=tuple(h.utterance for h in heard if h.utterance is not None),
        speech=tuple(h.span for h in heard),
        engine=engine.name,
        model=engine.model,
        sides_apart=bool(channels),
    )


def overhear(
    engine: Engine,
    draft: Draft,
    tail: Path,
    channels: tuple[Channel, ...],
    *,
    start_ms: int = 0,
    hotwords: Sequence[str] = (),
) -> Draft:
    """Hear what a call under way has said since; returns the draft with it.

    The same draft comes back where nothing was heard and little more is settled.
    ``tail`` is what was recorded from ``start_ms`` of the call to now. A stretch of speech counts
    when it is closed, that is followed by a pause; nothing is heard until there is enough to fill a
    window fairly, or until what waits is old. Errors: RecordingError, EngineError.
    """
    if (draft.engine, draft.model) != (engine.name, engine.model):
        draft = Draft(engine=engine.name, model=engine.model)
    sound = _Sound.of(tail, channels)
    fresh = [
        index
        for index, span in enumerate(sound.spans)
        if (start_ms == 0 or span.start_ms >= _CLOSED_MS)
        and draft.find(_later(span, start_ms)) is None
    ]
    closed = [i for i in fresh if sound.spans[i].end_ms <= sound.duration_ms - _CLOSED_MS]
    waiting = sum(sound.spans[i].end_ms - sound.spans[i].start_ms for i in closed)
    oldest = min((sound.spans[i].end_ms for i in closed), default=sound.duration_ms)
    if waiting < _ENOUGH_MS and sound.duration_ms - oldest < _LATEST_MS:
        settled_ms = start_ms + sound.first_of(fresh)
        is_far = settled_ms - draft.settled_ms >= _SETTLE_MS
        return replace(draft, settled_ms=settled_ms) if is_far else draft
    heard = sound.hear(engine, closed, hotwords)
    settled_ms = start_ms + sound.first_of([i for i in fresh if i not in closed])
    return replace(
        draft.plus([_in_the_call(each, start_ms) for each in heard]), settled_ms=settled_ms
    )


@dataclass(frozen=True, slots=True)
class _Sound:
    """A recording and where somebody speaks in it."""

    recording: Path
    channels: tuple[Channel, ...]
    duration_ms: int
    spans: tuple[SpeechSpan, ...]
    wide: tuple[SpeechSpan, ...]
    """The spans with their pads."""

    @classmethod
    def of(cls, recording: Path, channels: tuple[Channel, ...]) -> "_Sound":
        duration_ms = wav.inspect(recording).duration_ms
        spans = find_speech(recording, channels)
        return cls(recording, channels, duration_ms, spans, widen(spans, duration_ms))

    def first_of(self, indices: Sequence[int]) -> int:
        """Where the first of these spans begins; the end where there are none."""
        return min((self.spans[i].start_ms for i in indices), default=self.duration_ms)

    def hear(
        self,
        engine: Engine,
        indices: Sequence[int],
        hotwords: Sequence[str],
        progress: Callable[[float], None] | None = None,
    ) -> list[HeardSpan]:
        """Hear the spans of these indices."""
        prompt = " ".join(hotwords)

        def work(batch: Sequence[Window]) -> list[tuple[Window, Heard]]:
            samples = [render(w, self.wide, self.recording, self.channels) for w in batch]
            return list(zip(batch, engine.hear(samples, prompt), strict=True))

        total = sum(self.wide[index].end_ms - self.wide[index].start_ms for index in indices)
        done = 0
        spans: list[HeardSpan] = []
        windows = list(pack(self.wide, indices))
        size = min(engine.batch_size, -(-len(windows) // engine.lanes))
        batches = (windows[i : i + size] for i in range(0, len(windows), max(1, size)))
        for answers in in_lanes(engine.lanes, work, batches):
            for window, heard in answers:
                spans += self._spans(window, heard, prompt)
                done += sum(clip.length_ms for clip in window.clips)
            if progress is not None:
                progress(done / total)
        return spans

    def _spans(self, window: Window, heard: Heard, prompt: str) -> Iterator[HeardSpan]:
        """The window's text, given back to the clips that it was said in."""
        by_clip: dict[Clip, list[Piece]] = {clip: [] for clip in window.clips}
        for piece in heard.pieces:
            by_clip[window.clip_of(piece.start_ms, piece.end_ms)].append(piece)
        for clip, pieces in by_clip.items():
            span = replace(
                self.spans[clip.span],
                language=heard.language,
                language_probability=round(heard.language_probability, 3),
            )
            if is_supported(pieces, heard, clip.length_ms, prompt):
                utterance = _utterance(clip, pieces, heard, span, self.wide[clip.span])
                yield HeardSpan(span=span, utterance=utterance)
            else:
                yield HeardSpan(span=span)


def _later(span: SpeechSpan, by_ms: int) -> SpeechSpan:
    return replace(span, start_ms=span.start_ms + by_ms, end_ms=span.end_ms + by_ms)


def _in_the_call(heard: HeardSpan, start_ms: int) -> HeardSpan:
    """What was heard in a tail, at its times in the call."""
    said = heard.utterance and shifted(heard.utterance, start_ms)
    return HeardSpan(span=_later(heard.span, start_ms), utterance=said)


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
