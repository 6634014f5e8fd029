"""JSON lines on stdout from a process whose C library also prints there."""

import contextlib
import os
import sys
from typing import Any

import msgspec


class Talk:
    """Takes stdout for JSON lines and sends what the SIP library prints nowhere."""

    def __init__(self) -> None:
        sys.stdout.flush()
        self._lines = os.fdopen(os.dup(1), "wb", buffering=0)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)

    def say(self, message: dict[str, Any]) -> None:
        """Write one line; a listener that has gone is no error."""
        with contextlib.suppress(BrokenPipeError):
            self._lines.write(msgspec.json.encode(message) + b"\n")

    def close(self) -> None:
        """End the lines."""
        self._lines.close()
