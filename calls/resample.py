"""Samples at another rate; the only user of soxr."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import soxr

from calls.errors import RecordingError
from calls.wav import Samples

_REMEDY = "record at a whole number of samples a second, 8,000 or more"


def resample(samples: Samples, from_rate: int, to_rate: int) -> Samples:
    """Samples, shape (frames,) or (frames, channels), at ``to_rate`` Hz.

    Errors: RecordingError for rates or shapes that cannot be changed into each other.
    """
    try:
        changed: Samples = soxr.resample(samples, from_rate, to_rate)
    except (ValueError, TypeError, RuntimeError) as error:
        raise _refused(from_rate, to_rate) from error
    return changed


def resample_blocks(
    blocks: Iterable[Samples], from_rate: int, to_rate: int, channels: int
) -> Iterator[Samples]:
    """Blocks of shape (frames, channels) at ``to_rate`` Hz; the filter runs on between them.

    Errors: as of ``resample``.
    """
    try:
        stream: Any = soxr.ResampleStream(from_rate, to_rate, channels, dtype="float32")
    except (ValueError, TypeError, RuntimeError) as error:
        raise _refused(from_rate, to_rate) from error
    for block in blocks:
        yield _changed(stream, block, from_rate, to_rate, channels, last=False)
    end = np.zeros((0, channels), np.float32)
    yield _changed(stream, end, from_rate, to_rate, channels, last=True)


def _changed(
    stream: Any, block: Samples, from_rate: int, to_rate: int, channels: int, *, last: bool
) -> Samples:
    try:
        made = stream.resample_chunk(block, last=last)
    except (ValueError, TypeError, RuntimeError) as error:
        raise _refused(from_rate, to_rate) from error
    shaped: Samples = np.asarray(made, np.float32).reshape(-1, channels)
    return shaped


def _refused(from_rate: int, to_rate: int) -> RecordingError:
    return RecordingError(
        f"audio of {from_rate} samples a second cannot be brought to {to_rate}", remedy=_REMEDY
    )
