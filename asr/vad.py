"""Where somebody speaks: voice activity on each side, told from tones, noise and crosstalk.

webrtcvad alone calls line noise and the other side's crosstalk speech. So a frame counts when
webrtcvad takes it for speech, it stands above the side's own noise floor, it is no tone (ringback
450 Hz, DTMF), and it is not merely the echo of a much louder other side.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import webrtcvad
from numpy.typing import NDArray

from calls import wav
from calls.call import Channel
from calls.errors import EngineError
from calls.speech import SpeechSpan

FRAME_MS = 30
_RATE = 8000
_FRAME = _RATE * FRAME_MS // 1000
_MODE = 2
"""webrtcvad's aggressiveness, 0–3."""
_FLOOR_PERCENTILE = 10
_ABOVE_FLOOR_DB = 7.0
_QUIETEST_DBFS = -52.0
"""Below this nothing on a telephone line is speech."""
_CROSSTALK_DB = 22.0
"""A side this much quieter than the other one hears the other one (crosstalk is 30–40 dB down)."""
_TONE_SHARE = 0.85
"""Share of a frame's energy in its two strongest frequencies, from which it is a tone."""
_SILENT_DBFS = -96.0
_JOIN_MS = 700
"""Pauses shorter than this are inside an utterance."""
_SHORTEST_MS = 120
_LONGEST_MS = 25_000
"""An utterance must fit the model's window with room."""


@dataclass(frozen=True, slots=True)
class _Frames:
    """A side's frames: level in dBFS, and whether each looks like a voice."""

    level: NDArray[np.float32]
    voiced: NDArray[np.bool_]


def find_speech(recording: Path, channels: tuple[Channel, ...]) -> tuple[SpeechSpan, ...]:
    """The stretches of speech of each side, in order of their start, each at most 25 s.

    ``channels`` names the recording's channels in order; empty for a mono mix, whose speech is
    given to the agent's side. Memory grows by a few bytes a frame, not with the samples.
    """
    sides = channels or (Channel.AGENT,)
    frames = _read_frames(recording, len(sides))
    spans: list[SpeechSpan] = []
    for index, channel in enumerate(sides):
        others = [f.level for i, f in enumerate(frames) if i != index]
        mask = _speech_mask(frames[index], others)
        for start, end in _utterances(mask, frames[index].level):
            level = frames[index].level[start // FRAME_MS : max(1, end // FRAME_MS)]
            spans.append(
                SpeechSpan(
                    channel=channel,
                    start_ms=start,
                    end_ms=end,
                    level_dbfs=round(_mean_level(level), 1),
                )
            )
    return tuple(sorted(spans, key=lambda span: (span.start_ms, span.channel)))


def _read_frames(recording: Path, sides: int) -> list[_Frames]:
    rate = wav.inspect(recording).sample_rate
    if rate != _RATE:
        raise EngineError(
            f"{recording} has {rate} Hz, the ears take {_RATE} Hz",
            remedy="`sansheng import` brings recordings of other rates in",
        )
    detectors = [webrtcvad.Vad(_MODE) for _ in range(sides)]
    levels: list[list[NDArray[np.float32]]] = [[] for _ in range(sides)]
    voiced: list[list[NDArray[np.bool_]]] = [[] for _ in range(sides)]
    for block in _framed_blocks(recording):
        for side in range(sides):
            frames = block[:, :, side]
            power = np.mean(frames.astype(np.float64) ** 2, axis=1)
            levels[side].append((10 * np.log10(power + 1e-10)).astype(np.float32))
            pcm = (np.clip(frames, -1, 1) * 32767).astype("<i2")
            speech = np.fromiter(
                (detectors[side].is_speech(frame.tobytes(), _RATE) for frame in pcm), bool
            )
            voiced[side].append(speech & ~_tonal(frames))
    return [
        _Frames(np.concatenate(level), np.concatenate(voice))
        for level, voice in zip(levels, voiced, strict=True)
    ]


def _framed_blocks(recording: Path) -> Iterator[NDArray[np.float32]]:
    """Blocks of whole frames, shape (frames, samples, channels); the last frame is filled up."""
    rest: NDArray[np.float32] | None = None
    for block in wav.blocks(recording, block_ms=FRAME_MS * 1000):
        whole = block if rest is None else np.concatenate([rest, block])
        count = len(whole) // _FRAME
        rest = whole[count * _FRAME :]
        if count:
            yield whole[: count * _FRAME].reshape(count, _FRAME, -1)
    if rest is not None and len(rest):
        yield np.pad(rest, ((0, _FRAME - len(rest)), (0, 0)))[np.newaxis]


def _tonal(frames: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Frames whose energy sits in two narrow bands: call tones and keys, no voice."""
    windowed = frames * np.hanning(_FRAME).astype(np.float32)
    power = np.abs(np.fft.rfft(windowed, axis=1)) ** 2
    total = power.sum(axis=1) + 1e-12
    share = np.zeros(len(frames))
    left = power.copy()
    rows = np.arange(len(frames))
    for _ in range(2):
        peak = left.argmax(axis=1)
        for offset in (-1, 0, 1):
            at = np.clip(peak + offset, 0, left.shape[1] - 1)
            share += left[rows, at]
            left[rows, at] = 0
    steady: NDArray[np.bool_] = share / total > _TONE_SHARE
    # A vowel can be that narrow for one frame; a tone is for several in a row.
    run = steady.copy()
    for shift in (1, 2):
        run[shift:] &= steady[:-shift]
    for shift in (2, 1):
        run[:-shift] |= run[shift:]
    return run


def _speech_mask(side: _Frames, others: list[NDArray[np.float32]]) -> NDArray[np.bool_]:
    heard = side.level[side.level > _SILENT_DBFS]
    floor = float(np.percentile(heard, _FLOOR_PERCENTILE)) if len(heard) else _SILENT_DBFS
    mask = side.voiced & (side.level > max(_QUIETEST_DBFS, floor + _ABOVE_FLOOR_DB))
    for other in others:
        mask &= other - side.level < _CROSSTALK_DB
    return mask


def _utterances(mask: NDArray[np.bool_], level: NDArray[np.float32]) -> Iterator[tuple[int, int]]:
    """Start and end in ms of each run of speech, short pauses bridged, long runs cut."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    runs: list[list[int]] = []
    for start, end in edges.reshape(-1, 2):
        if runs and (start - runs[-1][1]) * FRAME_MS < _JOIN_MS:
            runs[-1][1] = int(end)
        else:
            runs.append([int(start), int(end)])
    for run in runs:
        if _spoken_ms(mask, run) >= _SHORTEST_MS:
            for first, last in _cut(run[0], run[1], level):
                yield first * FRAME_MS, last * FRAME_MS


def _spoken_ms(mask: NDArray[np.bool_], run: list[int]) -> int:
    return int(mask[run[0] : run[1]].sum()) * FRAME_MS


def _cut(start: int, end: int, level: NDArray[np.float32]) -> list[tuple[int, int]]:
    """A run in pieces that fit, cut where it is quietest."""
    longest = _LONGEST_MS // FRAME_MS
    pieces = []
    while end - start > longest:
        window = level[start + longest // 2 : start + longest]
        at = start + longest // 2 + int(window.argmin())
        pieces.append((start, at))
        start = at
    return [*pieces, (start, end)]


def _mean_level(level: NDArray[np.float32]) -> float:
    return float(10 * np.log10(np.mean(10 ** (level.astype(np.float64) / 10)))) if len(level) else 0
