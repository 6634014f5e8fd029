"""What a telephone line does to speech: band, level, noise, crosstalk, G.711 A-law.

Plain functions on float32 samples at 8 kHz, full scale ±1.
"""

import numpy as np

from calls.wav import Samples

TELEPHONE_RATE = 8_000
"""Samples a second of G.711 (ITU-T G.711)."""
BAND_HZ = (300, 3_400)
"""The telephone band (ITU-T G.712)."""
_PACKET = TELEPHONE_RATE // 50
"""Samples of a packet: 20 ms, as G.711 is sent (RFC 3551 4.5.14)."""
_TAPS = 161
_CEILING = 0.98


def decimate(samples: Samples, factor: int) -> Samples:
    """Every ``factor``-th sample, after a low-pass that keeps the band below the new Nyquist."""
    kernel = _sinc(0.45 / factor, 60 * factor + 1)
    return _filter(samples, kernel)[::factor]


def telephone_band(samples: Samples) -> Samples:
    """Only 300–3,400 Hz, as a subscriber line passes it."""
    low, high = (edge / TELEPHONE_RATE for edge in BAND_HZ)
    kernel = _sinc(high, _TAPS) - _sinc(low, _TAPS)
    return _filter(samples, kernel)


def active_level_dbfs(samples: Samples) -> float:
    """RMS of the parts within 30 dB of the loudest 20 ms, in dB of full scale."""
    frame = TELEPHONE_RATE // 50
    frames = samples[: len(samples) // frame * frame].reshape(-1, frame)
    power = (frames.astype(np.float64) ** 2).mean(axis=1) if len(frames) else np.zeros(0)
    active = power[power > power.max(initial=0.0) / 1000]
    return float(10 * np.log10(active.mean())) if len(active) else float("-inf")


def set_level(samples: Samples, level_dbfs: float) -> Samples:
    """The samples scaled so that their active level is ``level_dbfs``; peaks are held below 1."""
    gain = 10 ** ((level_dbfs - active_level_dbfs(samples)) / 20)
    return _held(samples * np.float32(gain))


def add_noise(samples: Samples, noise_dbfs: float, generator: np.random.Generator) -> Samples:
    """The samples with band-limited Gaussian line noise of this RMS."""
    noise = telephone_band(generator.standard_normal(len(samples)).astype(np.float32))
    noise *= np.float32(10 ** (noise_dbfs / 20) / max(1e-9, float(np.sqrt(np.mean(noise**2)))))
    return _held(samples + noise)


def add_crosstalk(samples: Samples, other: Samples, crosstalk_db: float) -> Samples:
    """The samples with the other side leaking in at this gain (−30 … −40 dB on a good line)."""
    return _held(samples + other * np.float32(10 ** (crosstalk_db / 20)))


def lose_packets(samples: Samples, share: float, generator: np.random.Generator) -> Samples:
    """The samples with this share of their packets silent, each lost on its own."""
    kept = generator.random(len(samples) // _PACKET + 1) >= share
    return samples * np.repeat(kept, _PACKET)[: len(samples)]


def _held(samples: Samples) -> Samples:
    return np.asarray(np.clip(samples, -_CEILING, _CEILING), np.float32)


def _filter(samples: Samples, kernel: Samples) -> Samples:
    """Centred convolution of the samples' own length, whichever of the two is longer."""
    whole = np.convolve(samples, kernel)
    first = (len(kernel) - 1) // 2
    return np.asarray(whole[first : first + len(samples)], np.float32)


def _sinc(cutoff: float, taps: int) -> Samples:
    """Low-pass kernel with unit gain at 0 Hz; ``cutoff`` as a share of the sample rate."""
    place = np.arange(taps) - (taps - 1) / 2
    kernel = np.sinc(2 * cutoff * place) * np.hamming(taps)
    return np.asarray(kernel / kernel.sum(), np.float32)
