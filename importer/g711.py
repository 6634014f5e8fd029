"""G.711 bytes to samples (ITU-T G.711, tables worked out from its segments)."""

import numpy as np

from calls.wav import Samples


def decode_alaw(data: bytes) -> Samples:
    """A-law bytes as float32 samples in −1…1."""
    return _ALAW[np.frombuffer(data, np.uint8)]


def decode_ulaw(data: bytes) -> Samples:
    """µ-law bytes as float32 samples in −1…1."""
    return _ULAW[np.frombuffer(data, np.uint8)]


def _alaw_table() -> Samples:
    code = np.arange(256) ^ 0x55
    segment, step = (code >> 4) & 7, code & 0x0F
    size = np.where(segment == 0, step * 16 + 8, (step * 16 + 264) << np.maximum(segment - 1, 0))
    return np.asarray(np.where(code & 0x80, size, -size) / 32_768, np.float32)


def _ulaw_table() -> Samples:
    code = ~np.arange(256) & 0xFF
    size = ((((code & 0x0F) << 3) + 0x84) << ((code >> 4) & 7)) - 0x84
    return np.asarray(np.where(code & 0x80, -size, size) / 32_768, np.float32)


_ALAW = _alaw_table()
_ULAW = _ulaw_table()
