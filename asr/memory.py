"""The C library's allocator, told to keep what the engine frees and will want again.

The encoder's attention needs blocks of 70 MB and more. glibc takes each from the kernel and gives
it back at once, so every one costs its page faults anew: a sixth of the time of a transcription.
"""

import ctypes
import sys

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX, _ARENA_MAX = -1, -2, -4, -8
"""Parameters of mallopt(3)."""
_KEEP = 2**31 - 1
_GROW = 64 << 20


def keep_freed_memory() -> bool:
    """Let the process keep freed blocks of any size; its peak memory does not rise.

    Returns whether the allocator took it: another C library than glibc does not, and is left be.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None:
        return False
    settings = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, _KEEP), (_TOP_PAD, _GROW), (_ARENA_MAX, 1))
    return all(mallopt(name, value) == 1 for name, value in settings)
