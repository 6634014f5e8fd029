"""Recordings of any system to ours: 8 kHz, two channels, left the caller; or one when mixed."""

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from calls import wav
from calls.call import Channel, Original, Recording
from calls.errors import HandoverError, RecordingError
from calls.handover import RECORDING_FILE
from calls.resample import resample_blocks
from calls.wav import Coding, Form, Samples, WavInfo
from importer.g711 import decode_alaw, decode_ulaw
from importer.speakers import tell_apart

Keep = Literal["wav", "flac", "opus"]
RATE = 8_000
"""Samples a second of what we hand on (ITU-T G.711)."""
_FORMS: dict[Keep, tuple[str, Coding, Form]] = {
    "wav": (".wav", "PCM_16", "WAV"),
    "flac": (".flac", "PCM_16", "FLAC"),
    "opus": (".opus", "OPUS", "OGG"),
}
_PLAIN = ("PCM_16", "ALAW", "ULAW")
"""Codings of a WAV that are kept as they came."""
AUDIO_SUFFIXES = frozenset(
    {".wav", ".wav49", ".mp3", ".ogg", ".oga", ".opus", ".flac", ".gsm", ".g729", ".729"}
    | {".alaw", ".al", ".ulaw", ".ul", ".sln", ".raw"}
)
WHOLE_SECONDS_MS, EXACT_MS = 1_500, 100
"""By how much a recording may be longer than the call before its beginning is left out: records of
whole seconds are off by up to one second, others by what a recorder takes to stop."""
_RAW = {".alaw": "a", ".al": "a", ".ulaw": "u", ".ul": "u", ".sln": "s", ".raw": "s"}
_REFUSED = {
    ".g729": "G.729 has no free decoder that a site may rely on",
    ".729": "G.729 has no free decoder that a site may rely on",
    ".gsm": "a GSM file without a header",
}
_G729_TAGS = frozenset({0x0083, 0x0133})
"""WAVE format tags of G.729 (RFC 2361 and VoiceAge's)."""
_REMEDY = "let the PBX record WAV, or convert the file to WAV first"


@dataclass(frozen=True, slots=True)
class Sides:
    """Which files hold a call's audio."""

    caller: Path | None = None
    agent: Path | None = None
    both: Path | None = None
    """One file of two channels, or of one channel with both voices mixed."""
    left: Channel = Channel.CALLER
    """What the left channel of ``both`` is."""


def bring_in(
    sides: Sides,
    folder: Path,
    *,
    talk_ms: int | None = None,
    early_ms: int = WHOLE_SECONDS_MS,
    keep: Keep = "wav",
) -> Recording:
    """Write ``folder/recording.wav`` from a call's files; the originals are only read.

    A WAV that is already what we hand on is copied byte for byte; ``keep`` "flac" or "opus" makes
    ``recording.flac`` or ``recording.opus`` instead. The hash of every original is noted.

    Two mono files, or one of two channels, become left caller and right agent; one mono file
    stays mono with ``channels`` empty, which later stages take as low trust. The shorter side
    ends in silence. ``talk_ms`` is the time from answer to end, where it is known: a recording that
    is longer by ``early_ms`` began before the answer, and its beginning is left out so that 0 ms is
    the answer.
    """
    channels: tuple[Channel, ...] = (Channel.CALLER, Channel.AGENT)
    originals: tuple[Original, ...]
    if sides.both is None:
        if sides.caller is None or sides.agent is None:
            raise RecordingError(
                "only one side of the call was recorded", remedy="record both sides"
            )
        left, right = (_samples(path) for path in (sides.caller, sides.agent))
        pair = _paired(_mono(left), _mono(right))
        originals = (original_of(sides.caller), original_of(sides.agent))
    else:
        limit_ms = None if talk_ms is None else talk_ms + early_ms
        if keep == "wav" and (copied := _as_it_came(sides, folder, limit_ms)) is not None:
            return copied
        originals = (original_of(sides.both),)
        whole = _samples(sides.both)
        if whole.shape[1] == 1:
            pair, channels = whole, ()
        elif whole.shape[1] == 2:
            pair = whole if sides.left is Channel.CALLER else whole[:, ::-1]
        else:
            raise RecordingError(f"{sides.both.name} has {whole.shape[1]} channels", remedy=_REMEDY)
    if talk_ms is not None and len(pair) * 1000 // RATE > talk_ms + early_ms:
        pair = pair[-(talk_ms * RATE // 1000) :]
    return write_recording(folder, pair, channels, keep=keep, originals=originals)


def write_recording(
    folder: Path,
    pair: Samples,
    channels: tuple[Channel, ...],
    *,
    complete: bool = True,
    keep: Keep = "wav",
    originals: tuple[Original, ...] = (),
) -> Recording:
    """Write samples at 8 kHz, shape (frames, 1 or 2), and describe them."""
    if not len(pair):
        raise RecordingError("the recording holds no audio", remedy="look at what wrote it")
    suffix, coding, form = _FORMS[keep]
    target = (folder / RECORDING_FILE).with_suffix(suffix)
    try:
        wav.write(target, pair, RATE, coding, form)
    except RecordingError as error:
        raise HandoverError(
            "cannot write a recording into the spool", remedy="free space on the disk, then go on"
        ) from error
    voices = () if channels else tell_apart(np.asarray(pair).reshape(-1))
    return Recording(
        path=target.name,
        channels=channels,
        sample_rate=RATE,
        duration_ms=len(pair) * 1000 // RATE,
        complete=complete,
        sha256=original_of(target).sha256,
        originals=originals,
        voices=voices,
    )


def original_of(path: Path) -> Original:
    """A file's name, hash and size; the file is only read."""
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            return Original(name=path.name, sha256=sha256, size=file.tell())
    except OSError as error:
        raise RecordingError(f"{path.name} cannot be read ({error.strerror})") from error


def _as_it_came(sides: Sides, folder: Path, limit_ms: int | None) -> Recording | None:
    """A byte for byte copy of a WAV that needs no change; None when it needs one."""
    path = sides.both
    if path is None or path.suffix.lower() != ".wav" or _is_g729(path):
        return None
    info = _inspect(path)
    fits = info.form == "WAV" and info.coding in _PLAIN and info.sample_rate == RATE
    turned = info.channels != 1 and sides.left is not Channel.CALLER
    long = limit_ms is not None and info.duration_ms > limit_ms
    if not fits or info.channels > 2 or turned or long:
        return None
    target = folder / RECORDING_FILE
    try:
        shutil.copyfile(path, target)
    except OSError as error:
        raise HandoverError(
            f"cannot copy a recording into the spool ({error.strerror})",
            remedy="free space on the disk, then go on",
        ) from error
    original = original_of(target)
    mended = wav.mend(target)
    return Recording(
        path=target.name,
        channels=() if info.channels == 1 else (Channel.CALLER, Channel.AGENT),
        sample_rate=RATE,
        duration_ms=info.duration_ms,
        sha256=original_of(target).sha256 if mended else original.sha256,
        originals=(replace(original, name=path.name),),
        voices=tell_apart(wav.read(target, 0)) if info.channels == 1 else (),
    )


def _samples(path: Path) -> Samples:
    """The whole of one file at 8 kHz, shape (frames, channels)."""
    suffix = path.suffix.lower()
    if suffix in _REFUSED or _is_g729(path):
        reason = _REFUSED.get(suffix, _REFUSED[".g729"])
        raise RecordingError(f"{path.name}: {reason}", remedy=_REMEDY)
    if suffix in _RAW:
        return _headerless(path, _RAW[suffix])[:, np.newaxis]
    info = _inspect(path)
    parts = list(_resampled(wav.blocks(path), info.sample_rate, info.channels))
    samples = np.concatenate(parts) if parts else np.zeros((0, info.channels), np.float32)
    if not len(samples) or not np.isfinite(samples).all():
        raise RecordingError(f"{path.name} holds no usable audio", remedy=_REMEDY)
    return samples


def _inspect(path: Path) -> WavInfo:
    try:
        return wav.inspect(path)
    except RecordingError as error:
        raise RecordingError(
            f"{path.name} cannot be read as audio: it is empty, torn or of an unknown form",
            remedy=_REMEDY,
        ) from error


def _headerless(path: Path, form: str) -> Samples:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RecordingError(f"{path.name} cannot be read ({error.strerror})") from error
    if not data:
        raise RecordingError(f"{path.name} is empty", remedy="look at what wrote it")
    if form == "s":
        linear = np.frombuffer(data[: len(data) // 2 * 2], "<i2")
        return np.asarray(linear / 32_768, np.float32)
    return decode_alaw(data) if form == "a" else decode_ulaw(data)


def _resampled(blocks: Iterator[Samples], rate: int, channels: int) -> Iterator[Samples]:
    if rate == RATE:
        yield from blocks
        return
    yield from resample_blocks(blocks, rate, RATE, channels)


def _mono(samples: Samples) -> Samples:
    return np.asarray(samples.mean(axis=1), np.float32)


def _paired(left: Samples, right: Samples) -> Samples:
    pair = np.zeros((max(len(left), len(right)), 2), np.float32)
    pair[: len(left), 0] = left
    pair[: len(right), 1] = right
    return pair


def _is_g729(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(22)
    except OSError as error:
        raise RecordingError(f"{path.name} cannot be read ({error.strerror})") from error
    return head[:4] == b"RIFF" and int.from_bytes(head[20:22], "little") in _G729_TAGS
