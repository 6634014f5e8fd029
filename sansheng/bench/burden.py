"""What a bench's processes cost: processor time and memory, from the kernel's own books."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

Pids = Callable[[], Sequence[int]]
"""The processes under test; asked again each time, for they may be started anew."""


def cpu_s(pids: Sequence[int]) -> float:
    """Processor seconds that they have used."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def rss_mb(pids: Sequence[int]) -> float:
    """Memory that they hold."""
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids)
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def burden(pids: Pids, seconds: float) -> tuple[float, float]:
    """Cores used over so many seconds, and megabytes held at their end."""
    before, started = cpu_s(pids()), time.monotonic()
    time.sleep(seconds)
    return (cpu_s(pids()) - before) / (time.monotonic() - started), rss_mb(pids())
