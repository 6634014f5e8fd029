"""A process that stands still for a while: what comes in the meantime it looks at together."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.telephony.conftest import until


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Stop a process until the end of the block.

    The signal alone is too little: a thread may still take a message until it has seen it.
    """
    os.kill(pid, signal.SIGSTOP)
    try:
        until(lambda: _states(pid) == {"T"})
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _states(pid: int) -> set[str]:
    """The states of its threads, as proc(5) writes them: after the name, which is in brackets."""
    stats = [stat.read_text() for stat in Path(f"/proc/{pid}/task").glob("*/stat")]
    return {stat.rpartition(") ")[2][0] for stat in stats}
