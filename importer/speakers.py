"""Who speaks when in one channel with two voices: pauses and acoustic clustering, no model.

Stretches of speech between pauses are described by mel cepstra (Davis and Mermelstein 1980) and
pitch (autocorrelation), put into two groups by 2-means from many starts, and put anew by one
Gaussian a voice until nothing moves; the likeliest end counts. The same samples give the same
answer.
"""

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from calls.call import VoiceSpan
from calls.wav import Samples

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Stretches = list[tuple[int, int]]

_RATE = 8_000
_HOP, _FRAME, _WINDOW = 160, 400, 256
"""Samples between frames (20 ms), of a frame for the pitch, and of its middle for the spectrum."""
_BLOCK = 3_000
"""Frames worked on at once: memory does not grow with the call."""
_BANDS, _CEPSTRA = 24, 16
_BAND_HZ = (250, 3_400)
_PITCH_HZ, _VOICED = (70, 420), 0.5
_JOIN, _LEAST, _PAD, _BRIDGE = 10, 6, 15, 50
"""Frames: a pause inside a stretch, the least stretch, its edges, a pause inside one's turn."""
_OVER_NOISE_DB, _OVER_NOISE, _RANGE_DB = 3, 0.15, 45
"""Speech is so much louder than the call's noise, at least, and as a share of the way to its
loudest; and no quieter than so much below that: one side is often 10 dB below the other."""
_SEEDS, _ROUNDS = 10, 6
_PITCH_WEIGHT, _PITCH_SCALE = 1.5, 0.15
"""Of the logarithm of the pitch beside cepstra of unit variance."""
_LEAST_VARIANCE = 0.05
_SURE = 0.5
"""Log-likelihood a frame by which a stretch must be nearer to its own voice than to the other."""
_APART = 0.6
"""Log-likelihood a frame by which two voices must be likelier than one, for anything to be sure."""


def tell_apart(samples: Samples) -> tuple[VoiceSpan, ...]:
    """The stretches of two voices in 8 kHz samples, shape (frames,); voice 0 speaks first.

    Empty when there are no two voices to tell apart. Where both speak at once the stretch is one
    voice's.
    """
    cepstra, pitch, power = _describe(samples)
    stretches = _stretches(power)
    if len(stretches) < 2:
        return ()
    frames = [_loud(power, *each) for each in stretches]
    every = np.concatenate(frames)
    cepstra = (cepstra - cepstra[every].mean(axis=0)) / (cepstra[every].std(axis=0) + 1e-9)
    ends = []
    for voices in _starts(frames, cepstra, pitch):
        found = _settled(frames, voices, cepstra, pitch)
        if found is not None:
            ends.append((_fit(frames, found, cepstra, pitch), found ^ found[0]))
    if not ends:
        return ()
    most, best = max(ends, key=lambda end: end[0])
    apart = (most - _likelihood(every, cepstra, pitch)) / len(every)
    sure = (np.abs(_nearer(frames, best, cepstra, pitch)) > _SURE) & (apart > _APART)
    return _spans(stretches, best.tolist(), sure, len(power))


def _describe(samples: Samples) -> tuple[Floats, Floats, Floats]:
    """Cepstra, log pitch (NaN where unvoiced) and level in dB of each 20 ms, block by block."""
    count = max(0, (len(samples) - _FRAME) // _HOP + 1)
    cepstra, pitch, level = np.zeros((count, _CEPSTRA)), np.zeros(count), np.zeros(count)
    if count == 0:
        return cepstra, pitch, level
    windows = np.lib.stride_tricks.sliding_window_view(samples, _FRAME)[::_HOP]
    edge = (_FRAME - _WINDOW) // 2
    place = np.outer(np.arange(_BANDS) + 0.5, np.arange(1, _CEPSTRA + 1))
    cosines, bands, window = np.cos(np.pi / _BANDS * place), _mel_bands(), np.hamming(_WINDOW)
    for at in range(0, count, _BLOCK):
        block = slice(at, at + _BLOCK)
        frames = np.asarray(windows[block], np.float64)
        spectrum = np.abs(np.fft.rfft(frames[:, edge:-edge] * window, axis=1)) ** 2
        cepstra[block] = np.log(spectrum @ bands + 1e-8) @ cosines
        level[block] = 10 * np.log10((frames**2).mean(axis=1) + 1e-10)
        pitch[block] = _pitch(frames - frames.mean(axis=1, keepdims=True))
    return cepstra, pitch, level


def _mel_bands() -> Floats:
    def mel(hertz: Floats) -> Floats:
        return np.asarray(2595 * np.log10(1 + hertz / 700), np.float64)

    low, high = mel(np.asarray(_BAND_HZ, np.float64)).tolist()
    edges = np.linspace(low, high, _BANDS + 2)
    at = mel(np.linspace(0, _RATE / 2, _WINDOW // 2 + 1))[:, np.newaxis]
    rising = (at - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - at) / (edges[2:] - edges[1:-1])
    return np.asarray(np.clip(np.minimum(rising, falling), 0, None), np.float64)


def _pitch(frames: Floats) -> Floats:
    power = np.abs(np.fft.rfft(frames, 1024, axis=1)) ** 2
    alike = np.fft.irfft(power, axis=1)
    alike /= alike[:, :1] + 1e-9
    lags = np.arange(_RATE // _PITCH_HZ[1], _RATE // _PITCH_HZ[0])
    alike = alike[:, lags] * (_FRAME / (_FRAME - lags))
    best = alike.argmax(axis=1)
    voiced = alike[np.arange(len(alike)), best] > _VOICED
    return np.where(voiced, np.log(_RATE / lags[best]), np.nan)


def _stretches(power: Floats) -> Stretches:
    """Frames of speech between pauses, by level above the call's own noise."""
    if not len(power):
        return []
    floor, peak = np.percentile(power, 10), np.percentile(power, 95)
    over_db = max(_OVER_NOISE_DB, _OVER_NOISE * (peak - floor))
    loud = np.flatnonzero(power > max(floor + over_db, peak - _RANGE_DB))
    if not len(loud):
        return []
    cuts = np.flatnonzero(np.diff(loud) > _JOIN)
    begins, ends = loud[np.r_[0, cuts + 1]], loud[np.r_[cuts, len(loud) - 1]] + 1
    pairs = zip(begins.tolist(), ends.tolist(), strict=True)
    return [(begin, end) for begin, end in pairs if end - begin >= _LEAST]


def _loud(power: Floats, begin: int, end: int) -> Ints:
    """The louder three quarters of a stretch: the rest is more noise than voice."""
    part = power[begin:end]
    return np.flatnonzero(part >= np.percentile(part, 25)) + begin


def _starts(frames: list[Ints], cepstra: Floats, pitch: Floats) -> list[Ints]:
    """Ways to put the stretches into two groups: 2-means from every pair of the longest ones."""
    sizes = np.asarray([len(each) for each in frames])
    heights = np.asarray([_median(pitch[each]) for each in frames])
    known = heights[np.isfinite(heights)]
    usual = float(np.median(known)) if len(known) else 0.0
    heights = np.where(np.isfinite(heights), heights, usual) - usual
    points = np.column_stack(
        [
            np.asarray([cepstra[each].mean(axis=0) for each in frames]),
            heights * _PITCH_WEIGHT / _PITCH_SCALE,
        ]
    )
    ways: dict[bytes, Ints] = {}
    for pair in combinations(np.argsort(-sizes, kind="stable")[:_SEEDS].tolist(), 2):
        middles = points[list(pair)]
        for _ in range(_ROUNDS * 2):
            voices = ((points[:, np.newaxis] - middles) ** 2).sum(axis=2).argmin(axis=1)
            if voices.min() == voices.max():
                break
            middles = np.asarray(
                [np.average(points[voices == v], 0, sizes[voices == v]) for v in (0, 1)]
            )
        else:
            voices = voices ^ voices[0]
            ways[voices.tobytes()] = voices
    return list(ways.values())


def _settled(frames: list[Ints], voices: Ints, cepstra: Floats, pitch: Floats) -> Ints | None:
    """The groups after every stretch went to the voice that it is nearer to; None when one is."""
    for _ in range(_ROUNDS):
        before, voices = voices, (_nearer(frames, voices, cepstra, pitch) > 0).astype(np.int64)
        if voices.min() == voices.max():
            return None
        if np.array_equal(before, voices):
            break
    return voices


def _fit(frames: list[Ints], voices: Ints, cepstra: Floats, pitch: Floats) -> float:
    """Log-likelihood of all stretches, each under its own voice."""
    groups = [[f for f, v in zip(frames, voices, strict=True) if v == voice] for voice in (0, 1)]
    return sum(_likelihood(np.concatenate(group), cepstra, pitch) for group in groups)


def _likelihood(own: Ints, cepstra: Floats, pitch: Floats) -> float:
    """Log-likelihood of frames under the one voice that they make, but for a constant."""
    spread = np.log(cepstra[own].var(axis=0) + _LEAST_VARIANCE).sum()
    heights = pitch[own][np.isfinite(pitch[own])]
    bell = _bell(heights, *_usual(pitch[own])).sum()
    return float(_PITCH_WEIGHT * bell - len(own) * spread / 2)


def _usual(pitch: Floats) -> tuple[float, float]:
    """A voice's middle pitch and its spread."""
    middle = _median(pitch)
    return middle, max(0.12, 1.48 * _median(np.abs(pitch - middle)))


def _bell(heights: Floats, middle: float, scale: float) -> Floats:
    """Log-likelihood of each pitch, with a floor for octave errors."""
    bell = -((heights - middle) ** 2) / (2 * scale**2) - np.log(scale)
    return np.asarray(np.logaddexp(bell, -4.0), np.float64)


def _nearer(frames: list[Ints], voices: Ints, cepstra: Floats, pitch: Floats) -> Floats:
    """How much nearer each stretch is to voice 1 than to voice 0: log-likelihood a frame."""
    total = np.zeros(len(frames))
    for voice, sign in ((0, -1), (1, 1)):
        own = np.concatenate([f for f, v in zip(frames, voices, strict=True) if v == voice])
        mean, spread = cepstra[own].mean(axis=0), cepstra[own].var(axis=0) + _LEAST_VARIANCE
        middle, scale = _usual(pitch[own])
        for place, each in enumerate(frames):
            far = ((cepstra[each] - mean) ** 2 / spread + np.log(spread)).sum(axis=1).mean()
            total[place] -= sign * far / 2
            heights = pitch[each][np.isfinite(pitch[each])]
            if len(heights) and np.isfinite(middle):
                total[place] += sign * _PITCH_WEIGHT * _bell(heights, middle, scale).mean()
    return total


def _median(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")


def _spans(
    stretches: Stretches, voices: list[int], sure: NDArray[np.bool_], frames: int
) -> tuple[VoiceSpan, ...]:
    """Stretches with their soft edges; one voice's pauses for breath belong to it."""
    spans: list[VoiceSpan] = []
    for place, (begin, end) in enumerate(stretches):
        low = stretches[place - 1][1] if place else 0
        high = stretches[place + 1][0] if place + 1 < len(stretches) else frames
        begin = max(begin - _PAD, (begin + low) // 2)
        end = min(end + _PAD, (end + high) // 2)
        same = place and voices[place - 1] == voices[place] and sure[place - 1] == sure[place]
        if same and begin * 20 - spans[-1].end_ms <= _BRIDGE * 20:
            begin = spans.pop().start_ms // 20
        spans.append(
            VoiceSpan(
                start_ms=begin * 20, end_ms=end * 20, voice=voices[place], sure=bool(sure[place])
            )
        )
    return tuple(spans)
