"""A call's side files in its live folder, and how a SIPREC session's streams become them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from calls import wav
from calls.call import Channel, Recording
from calls.errors import RecordingError
from calls.handover import RECORDING_FILE
from telephony.journal import StreamFile, read_journal

PIPELINE_MS = 12
"""What a recording lags: a frame waits for the conference bridge's next tick (0–20 ms) and in the
jitter buffer (20 ms), less the tick that the recorder waits for its first. Measured 1–23 ms on
loopback with both PJSIP builds; the middle is taken off, so that 0 ms is the answer ± 12 ms."""


def side_file(channel: Channel) -> str:
    """The name of one side's WAV in a live folder."""
    return f"{channel.value}.wav"


def has_audio(side: Path) -> bool:
    """Whether a side holds audio, after mending what a kill tore."""
    if not side.is_file():
        return False
    try:
        wav.mend(side)
        wav.inspect(side)
    except RecordingError:
        return False
    return True


def gather(
    streams: Sequence[StreamFile], folder: Path, coding: wav.Coding, whole: bool
) -> Recording | None:
    """Put a session's streams together, each at its place in time.

    With both sides known and no stream left over, each side's file is written and None comes back.
    Otherwise the streams are mixed to one channel of no side: words are then still heard, and
    nobody is blamed for the other one's. None too when no stream has audio.
    """
    heard = [stream for stream in streams if _is_heard(stream, folder)]
    if not heard:
        return None
    if {stream.side for stream in heard} == set(Channel):
        for channel in Channel:
            own = [stream for stream in heard if stream.side is channel]
            wav.mix(_parts(own, folder), folder / side_file(channel))
        return None
    info = wav.mix(_parts(heard, folder), folder / RECORDING_FILE, coding)
    return Recording(
        path=RECORDING_FILE,
        channels=(),
        sample_rate=info.sample_rate,
        duration_ms=info.duration_ms,
        complete=whole,
    )


def whose(folder: Path) -> dict[str, str]:
    """Whose voice each file of a call carries; an empty one where nobody knows yet.

    Errors: HandoverError.
    """
    return {stream.file: stream.side or "" for stream in _streams(folder)}


def so_far(folder: Path, target: Path, start_ms: int) -> bool:
    """Write both sides of a call under way, from ``start_ms`` of its recording to now, to a WAV.

    False, with nothing written, while it is not answered or nobody can say whose voice is whose.
    Errors: HandoverError, RecordingError.
    """
    heard = [stream for stream in _streams(folder) if (folder / stream.file).is_file()]
    if {stream.side for stream in heard} != set(Channel):
        return False
    sides: dict[Channel | None, wav.Samples] = {}
    rate = 0
    for stream in heard:
        # A stream's own start and lag, and what every recording lags, as the finished one has it.
        skip = start_ms - stream.start_ms + stream.lag_ms + PIPELINE_MS
        samples, rate = wav.peek(folder / stream.file, start_ms=max(0, skip))
        own = np.pad(samples, (max(0, -skip) * rate // 1000, 0))
        before = sides.get(stream.side, np.zeros(0, np.float32))
        both = np.zeros(max(len(own), len(before)), np.float32)
        both[: len(before)] += before
        both[: len(own)] += own
        sides[stream.side] = both
    length = min(map(len, sides.values()))
    if not length:
        return False
    pair = np.stack([sides[channel][:length] for channel in Channel], axis=1)
    wav.write(target, np.clip(pair, -1, 1), rate)
    return True


def _streams(folder: Path) -> tuple[StreamFile, ...]:
    return read_journal(folder).streams or tuple(
        StreamFile(file=side_file(channel), label="", side=channel) for channel in Channel
    )


def _is_heard(stream: StreamFile, folder: Path) -> bool:
    """Whether a stream has audio beyond what its jitter buffer held back at the start."""
    path = folder / stream.file
    return has_audio(path) and wav.inspect(path).duration_ms + stream.start_ms > stream.lag_ms


def _parts(streams: Sequence[StreamFile], folder: Path) -> list[tuple[Path, int]]:
    return [(folder / stream.file, stream.start_ms - stream.lag_ms) for stream in streams]
