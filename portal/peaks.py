"""The shape of a recording for the waveform: the loudest sample of each short stretch, a side."""

from pathlib import Path

import numpy as np

from calls import wav

PER_SECOND = 50
"""Stretches a second: 20 ms each, the finest that a screen can show of a short call."""
MOST = 8_000
"""Points a side at most; a long call gets longer stretches."""
_BLOCK_MS = 30_000


def peaks(recording: Path) -> list[list[float]]:
    """Peaks 0–1 a channel, to two decimals. RecordingError when the file cannot be read."""
    info = wav.inspect(recording)
    points = min(MOST, max(1, info.frames * PER_SECOND // info.sample_rate))
    edges = np.linspace(0, info.frames, points + 1).astype(np.int64)
    shape = np.zeros((points, info.channels), np.float32)
    start = 0
    for block in wav.blocks(recording, block_ms=_BLOCK_MS):
        first = int(np.searchsorted(edges, start, side="right")) - 1
        last = int(np.searchsorted(edges, start + len(block), side="left"))
        cuts = np.clip(edges[first:last] - start, 0, None)
        loud = np.maximum.reduceat(np.abs(block), cuts, axis=0)
        shape[first:last] = np.maximum(shape[first:last], loud)
        start += len(block)
    return [[round(float(v), 2) for v in side] for side in shape.T]
