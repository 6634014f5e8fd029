"""Recordings as samples: read in blocks, write, join two sides, mend a torn header.

The only room-wide user of soundfile (libsndfile). Samples are float32 in −1…1, shape (frames,) a
side. PCM 16-bit and G.711 (A-law, µ-law) WAV are what Sansheng hands on.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import soundfile
from numpy.typing import NDArray

from calls.errors import RecordingError

Samples = NDArray[np.float32]
Coding = Literal["PCM_16", "ALAW", "ULAW", "OPUS"]
Form = Literal["WAV", "FLAC", "OGG"]
"""What a file is; OPUS is the one coding of OGG, PCM_16 that of FLAC."""

_RIFF_HEADER = 12
_RATE_AT = 24
"""Where a WAV that begins with its fmt chunk has its sample rate."""
_UNKNOWN_SIZES = (0, 0xFFFFFFFF)


@dataclass(frozen=True, slots=True)
class WavInfo:
    """What a WAV holds, from its header."""

    frames: int
    sample_rate: int
    channels: int
    coding: str
    form: str = "WAV"

    @property
    def duration_ms(self) -> int:
        """Length in milliseconds."""
        return self.frames * 1000 // self.sample_rate


def inspect(path: Path) -> WavInfo:
    """Read a WAV's header; a missing, torn or empty one is a RecordingError."""
    with _opened(path) as file:
        info = WavInfo(file.frames, file.samplerate, file.channels, file.subtype, file.format)
        if file.format in ("WAV", "WAVEX"):
            _require_whole(path)
    if info.frames == 0:
        raise RecordingError(f"{path} holds no audio", remedy="record the call again")
    return info


def read(path: Path, channel: int, *, start_ms: int = 0, end_ms: int | None = None) -> Samples:
    """One channel's samples between two times."""
    with _opened(path) as file:
        rate = file.samplerate
        if not 0 <= channel < file.channels:
            raise RecordingError(f"{path} has {file.channels} channel(s), no channel {channel}")
        first = min(start_ms * rate // 1000, file.frames)
        last = file.frames if end_ms is None else min(end_ms * rate // 1000, file.frames)
        file.seek(first)
        block: Samples = file.read(max(0, last - first), dtype="float32", always_2d=True)
    return np.ascontiguousarray(block[:, channel])


def peek(path: Path, *, start_ms: int = 0) -> tuple[Samples, int]:
    """What a mono PCM WAV that is still being written holds from a time on, and its sample rate.

    Its header does not yet tell its length. Errors: RecordingError.
    """
    try:
        with path.open("rb") as file:
            data = _find_data(file, path)
            file.seek(_RATE_AT)
            rate = int(struct.unpack("<I", file.read(4))[0])
            first = min(start_ms * rate // 1000 * 2, data.rest)
            file.seek(data.at + 4 + first)
            raw = file.read((data.rest - first) // 2 * 2)
    except OSError as error:
        raise RecordingError(f"{path} cannot be read ({error.strerror})") from error
    return (np.frombuffer(raw, "<i2") / 32768).astype(np.float32), rate


def blocks(path: Path, *, block_ms: int = 30_000) -> Iterator[Samples]:
    """All channels in blocks of shape (frames, channels): memory does not grow with the call."""
    with _opened(path) as file:
        size = max(1, file.samplerate * block_ms // 1000)
        while True:
            block: Samples = file.read(size, dtype="float32", always_2d=True)
            if not len(block):
                return
            yield block


def write(
    path: Path,
    samples: Samples,
    sample_rate: int,
    coding: Coding = "PCM_16",
    form: Form = "WAV",
) -> None:
    """Write samples, shape (frames,) or (frames, channels)."""
    try:
        soundfile.write(path, samples, sample_rate, subtype=coding, format=form)
    except (soundfile.SoundFileError, OSError) as error:
        raise RecordingError(
            f"cannot write {path}", remedy="free space on the disk, then go on"
        ) from error


def join(
    caller: Path, agent: Path, target: Path, coding: Coding = "PCM_16", *, skip_ms: int = 0
) -> WavInfo:
    """Join one WAV a side to one of two channels; the shorter side is filled with silence.

    ``skip_ms`` is left out at the start of both.
    """
    left, right = inspect(caller), inspect(agent)
    if left.sample_rate != right.sample_rate:
        raise RecordingError("the two sides have different sample rates")
    try:
        with soundfile.SoundFile(
            target, "w", samplerate=left.sample_rate, channels=2, subtype=coding, format="WAV"
        ) as out:
            sides = [_mono_blocks(side, skip_ms) for side in (caller, agent)]
            while True:
                parts = [next(side) for side in sides]
                if not any(map(len, parts)):
                    break
                pair = np.zeros((max(map(len, parts)), 2), np.float32)
                for channel, part in enumerate(parts):
                    pair[: len(part), channel] = part
                out.write(pair)
    except (soundfile.SoundFileError, OSError) as error:
        raise RecordingError(
            f"cannot write {target}", remedy="free space on the disk, then go on"
        ) from error
    return inspect(target)


def mix(
    parts: Sequence[tuple[Path, int]],
    target: Path,
    coding: Coding = "PCM_16",
    *,
    block_ms: int = 30_000,
) -> WavInfo:
    """Add mono WAVs of one sample rate up to one; each is shifted by its milliseconds.

    A negative shift leaves the start of a part out. What goes over full scale is clipped.
    """
    if not parts:
        raise RecordingError("nothing to mix")
    infos = [inspect(path) for path, _ in parts]
    rate = infos[0].sample_rate
    if any(info.sample_rate != rate for info in infos):
        raise RecordingError("the parts have different sample rates")
    spans = [(shift, shift + i.duration_ms) for (_, shift), i in zip(parts, infos, strict=True)]
    try:
        with soundfile.SoundFile(
            target, "w", samplerate=rate, channels=1, subtype=coding, format="WAV"
        ) as out:
            for at in range(0, max(end for _, end in spans), block_ms):
                until = min(at + block_ms, max(end for _, end in spans))
                block = np.zeros((until - at) * rate // 1000, np.float32)
                for (path, shift), (start, end) in zip(parts, spans, strict=True):
                    if start < until and end > at:
                        own = read(path, 0, start_ms=max(0, at - shift), end_ms=until - shift)
                        first = max(0, start - at) * rate // 1000
                        block[first : first + len(own)] += own[: len(block) - first]
                out.write(np.clip(block, -1, 1))
    except (soundfile.SoundFileError, OSError) as error:
        raise RecordingError(
            f"cannot write {target}", remedy="free space on the disk, then go on"
        ) from error
    return inspect(target)


def mend(path: Path) -> bool:
    """Give a WAV whose writer was killed the sizes that its length implies.

    Returns whether anything had to be mended. A file too short for a header, or of another kind,
    is a RecordingError.
    """
    try:
        with path.open("r+b") as file:
            data = _find_data(file, path)
            mended = data.length in _UNKNOWN_SIZES or data.length > data.rest
            if mended:
                file.seek(data.at)
                file.write(struct.pack("<I", data.rest))
            size = file.seek(0, 2)
            file.seek(4)
            if mended or struct.unpack("<I", file.read(4))[0] != size - 8:
                file.seek(4)
                file.write(struct.pack("<I", size - 8))
                mended = True
    except OSError as error:
        raise RecordingError(f"{path} cannot be read ({error.strerror})") from error
    return mended


@dataclass(frozen=True, slots=True)
class _Data:
    """A WAV's data chunk."""

    at: int
    """Offset of its length field."""
    length: int
    """Bytes that it claims."""
    rest: int
    """Bytes that the file holds from its start on."""


def _find_data(file: BinaryIO, path: Path) -> _Data:
    size = file.seek(0, 2)
    file.seek(0)
    head = file.read(_RIFF_HEADER)
    if len(head) < _RIFF_HEADER or head[:4] != b"RIFF" or head[8:] != b"WAVE":
        raise RecordingError(f"{path} is no WAV file", remedy="check what wrote it")
    while len(chunk := file.read(8)) == 8:
        name, length = struct.unpack("<4sI", chunk)
        if name == b"data":
            return _Data(file.tell() - 4, length, size - file.tell())
        file.seek(length + length % 2, 1)
    raise RecordingError(f"{path} has no audio in it", remedy="record the call again")


def _require_whole(path: Path) -> None:
    """libsndfile reads a torn file to where it ends and says nothing."""
    with path.open("rb") as file:
        data = _find_data(file, path)
    if data.length > data.rest and data.length not in _UNKNOWN_SIZES:
        raise RecordingError(
            f"{path} is torn: {data.rest} of its {data.length} bytes are there",
            remedy="copy it again from where it came",
        )


def _mono_blocks(path: Path, skip_ms: int) -> Iterator[Samples]:
    skip = inspect(path).sample_rate * skip_ms // 1000
    for block in blocks(path):
        yield block[skip:, 0]
        skip = max(0, skip - len(block))
    while True:
        yield np.zeros(0, np.float32)


def _opened(path: Path) -> Any:
    if not path.is_file():
        raise RecordingError(f"{path} does not exist", remedy="check the path")
    try:
        return soundfile.SoundFile(path)
    except soundfile.SoundFileError as error:
        raise RecordingError(
            f"{path} cannot be read as audio: it is torn or of an unknown form",
            remedy="WAV of PCM 16-bit or G.711 is wanted; `sansheng import` takes other forms",
        ) from error
