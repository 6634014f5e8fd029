"""Where somebody speaks: voice activity on each side, told from tones, noise and crosstalk.

webrtcvad alone calls line noise, hold music and the other side's crosstalk speech. So a frame
counts when webrtcvad takes it for speech, it stands above the side's own noise floor, it is no tone
(ringback 450 Hz, DTMF), and it is not merely the echo of a much louder other side; and a stretch
counts when its pitch moves as a voice's does: music holds its notes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
_SPECTRUM_POWER = 0.375 * _FRAME**2 / 2
"""Sum of a frame's one-sided Hann spectrum at a mean power of 1 (Parseval)."""
_TONE_SHARE = 0.9
"""Share of a frame's energy around its strongest frequency, from which it may be a tone."""
_TONE_STEADY_DB = 1.0
"""A tone's level changes less than this from frame to frame."""
_TONE_FRAMES = 9
"""Shortest run of such frames: a busy tone is on for 350 ms, the shortest of call tones."""
_KEY_SHARE = 0.8
"""Share of a key's energy at its two frequencies."""
_KEY_TWIST = 0.1
"""A key's weaker frequency against its stronger one, as power (10 dB)."""
_KEY_FREQUENCIES = np.array([697, 770, 852, 941, 1209, 1336, 1477, 1633])
_KEY_WAVES = np.exp(-2j * np.pi * np.outer(np.arange(_FRAME), _KEY_FREQUENCIES) / _RATE).astype(
    np.complex64
)
_PITCH_SAMPLES = 512
_PITCH_BINS = 1024
_PITCH_HZ = (200, 2000)
_PITCH_STEADY = 0.006
"""A note keeps its frequency from frame to frame within a tenth of a semitone; a voice glides."""
_MUSIC_SHARE = 0.35
"""Share of steady frames from which a stretch with its surroundings is music (docs/ears.md)."""
_MUSIC_OWN_SHARE = 0.25
"""Share that the stretch itself must have: speech beside hold music is kept."""
_MUSIC_AROUND = 3000 // FRAME_MS
_MUSIC_FRAMES = 25
"""Fewer loud frames than this tell nothing."""
_SILENT_DBFS = -96.0
_JOIN_MS = 700
"""Pauses shorter than this are inside an utterance."""
_SHORTEST_MS = 120
_LONGEST_MS = 25_000
"""An utterance must fit the model's window with room."""


@dataclass(frozen=True, slots=True)
class _Frames:
    """A side's frames: level in dBFS, whether each looks like a voice, whether it holds a note."""

    level: NDArray[np.float32]
    voiced: NDArray[np.bool_]
    steady: NDArray[np.bool_]


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
            if _is_music(mask, frames[index].steady, start, end):
                continue
            spans.append(
                SpeechSpan(
                    channel=channel,
                    start_ms=start * FRAME_MS,
                    end_ms=end * FRAME_MS,
                    level_dbfs=round(_mean_level(frames[index].level[start:end]), 1),
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
    steady: list[list[NDArray[np.bool_]]] = [[] for _ in range(sides)]
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
            steady[side].append(_steady_pitch(frames))
    return [
        _Frames(np.concatenate(level), np.concatenate(voice), np.concatenate(held))
        for level, voice, held in zip(levels, voiced, steady, strict=True)
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
    """Frames of call tones and keys. A vowel may be as narrow as a tone, but never so steady."""
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(_FRAME).astype(np.float32), axis=1)) ** 2
    tonal = _steady_tone(spectrum) | _keys(frames)
    # The frames beside one hold its attack and release.
    wide = tonal.copy()
    wide[1:] |= tonal[:-1]
    wide[:-1] |= tonal[1:]
    return wide


def _steady_tone(spectrum: NDArray[Any]) -> NDArray[np.bool_]:
    """Frames within a run that keeps its narrow peak and its level (ringback, busy: 450 Hz)."""
    total = spectrum.sum(axis=1) + 1e-12
    peak = spectrum.argmax(axis=1)
    near = np.clip(peak[:, np.newaxis] + np.arange(-1, 2), 0, spectrum.shape[1] - 1)
    narrow = np.take_along_axis(spectrum, near, axis=1).sum(axis=1) / total > _TONE_SHARE
    level = 10 * np.log10(total / _SPECTRUM_POWER)
    narrow &= level > _QUIETEST_DBFS
    alike = (np.abs(np.diff(peak)) <= 1) & (np.abs(np.diff(level)) < _TONE_STEADY_DB)
    kept = np.concatenate([[False], alike & narrow[1:] & narrow[:-1]])
    steady = np.zeros(len(kept), bool)
    for start, end in _runs(kept):
        if end - start + 1 >= _TONE_FRAMES:
            steady[start - 1 : end] = True
    return steady


def _keys(frames: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Frames with one frequency of each DTMF group and little beside (ITU-T Q.23)."""
    power = np.abs(frames @ _KEY_WAVES) ** 2 * 2 / _FRAME
    energy = (frames.astype(np.float64) ** 2).sum(axis=1) + 1e-12
    low, high = power[:, :4].max(axis=1), power[:, 4:].max(axis=1)
    keys: NDArray[np.bool_] = (low + high > _KEY_SHARE * energy) & (
        np.minimum(low, high) > _KEY_TWIST * np.maximum(low, high)
    )
    return keys


def _steady_pitch(frames: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Frames whose strongest frequency is that of the frame before."""
    samples = np.pad(frames.ravel(), (0, _PITCH_SAMPLES - _FRAME))
    windows = np.lib.stride_tricks.sliding_window_view(samples, _PITCH_SAMPLES)[::_FRAME]
    window = np.hanning(_PITCH_SAMPLES).astype(np.float32)
    spectrum = np.abs(np.fft.rfft(windows * window, _PITCH_BINS, axis=1))
    first, last = (hz * _PITCH_BINS // _RATE for hz in _PITCH_HZ)
    peak = first + spectrum[:, first:last].argmax(axis=1)
    beside = peak[:, np.newaxis] + np.arange(-1, 2)
    left, top, right = np.log(np.take_along_axis(spectrum, beside, axis=1) + 1e-9).T
    # The top of the parabola through the three, in bins.
    exact = peak + (left - right) / (2 * (left - 2 * top + right) - 1e-12)
    return np.concatenate([[False], np.abs(np.diff(exact)) < _PITCH_STEADY * exact[1:]])


def _is_music(
    mask: NDArray[np.bool_], steady: NDArray[np.bool_], start: int, end: int
) -> np.bool_ | bool:
    """Whether a stretch (in frames) and what is loud around it hold their notes."""
    near = slice(max(0, start - _MUSIC_AROUND), end + _MUSIC_AROUND)
    around = steady[near][mask[near]]
    own = steady[start:end][mask[start:end]]
    return (
        len(around) >= _MUSIC_FRAMES
        and around.mean() > _MUSIC_SHARE
        and own.mean() > _MUSIC_OWN_SHARE
    )


def _speech_mask(side: _Frames, others: list[NDArray[np.float32]]) -> NDArray[np.bool_]:
    heard = side.level[side.level > _SILENT_DBFS]
    floor = float(np.percentile(heard, _FLOOR_PERCENTILE)) if len(heard) else _SILENT_DBFS
    mask = side.voiced & (side.level > max(_QUIETEST_DBFS, floor + _ABOVE_FLOOR_DB))
    for other in others:
        mask &= other - side.level < _CROSSTALK_DB
    return mask


def _utterances(mask: NDArray[np.bool_], level: NDArray[np.float32]) -> Iterator[tuple[int, int]]:
    """First and last frame of each run of speech, short pauses bridged, long runs cut."""
    runs: list[list[int]] = []
    for start, end in _runs(mask):
        if runs and (start - runs[-1][1]) * FRAME_MS < _JOIN_MS:
            runs[-1][1] = end
        else:
            runs.append([start, end])
    for run in runs:
        if _spoken_ms(mask, run) >= _SHORTEST_MS:
            yield from _cut(run[0], run[1], level)


def _runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Where a mask is true: first frame of each run and the one after its last."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


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
