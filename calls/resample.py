"""Samples at another rate; the only user of soxr."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import soxr

from calls.wav import Samples


def resample(samples: Samples, from_rate: int, to_rate: int) -> Samples:
    """Samples, shape (frames,) or (frames, channels), at ``to_rate`` Hz."""
    changed: Samples = soxr.resample(samples, from_rate, to_rate)
    return changed


def resample_blocks(
    blocks: Iterable[Samples], from_rate: int, to_rate: int, channels: int
) -> Iterator[Samples]:
    """Blocks of shape (frames, channels) at ``to_rate`` Hz; the filter runs on between them."""
    stream: Any = soxr.ResampleStream(from_rate, to_rate, channels, dtype="float32")
    for block in blocks:
        yield _shaped(stream.resample_chunk(block), channels)
    yield _shaped(stream.resample_chunk(np.zeros((0, channels), np.float32), last=True), channels)


def _shaped(block: Any, channels: int) -> Samples:
    shaped: Samples = np.asarray(block, np.float32).reshape(-1, channels)
    return shaped
