"""Following a file that another program appends to, through rotation, to its last whole line."""

import os
from pathlib import Path
from typing import BinaryIO

import structlog

log = structlog.get_logger()

TAIL_BYTES = 4 * 2**20
"""What is read of a file that is there at the start: events of calls that are still recorded."""
MAX_LINE = 65_536
_LINGER = 20
"""So many empty looks a rotated file is kept: its writer may not have noticed yet."""
_BLOCK = 2**20


class FollowedFile:
    """The lines that a file has got since the last look; the file may come later, or go."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._old: _Reader | None = None
        self._new: _Reader | None = None

    def lines(self) -> list[bytes]:
        """The whole lines that are new since the last look, the rotated file's first."""
        try:
            return self._lines()
        except OSError as error:
            log.error("the feed's file cannot be read", reason=error.strerror)
            self.close()
            return []

    def _lines(self) -> list[bytes]:
        if self._new is None:
            self._new = self._open(TAIL_BYTES)
        elif self._new.is_elsewhere(self.path) and (fresh := self._open(None)) is not None:
            if self._old is not None:
                self._old.close()
            self._old, self._new = self._new, fresh
        found: list[bytes] = []
        if self._old is not None:
            found += self._old.lines()
            if self._old.empty_looks > _LINGER:
                self._old.close()
                self._old = None
        if self._new is not None:
            found += self._new.lines()
        return found

    def close(self) -> None:
        """Close what is open."""
        for reader in (self._old, self._new):
            if reader is not None:
                reader.close()
        self._old = self._new = None

    def _open(self, tail: int | None) -> "_Reader | None":
        try:
            return _Reader(self.path.open("rb"), tail)
        except FileNotFoundError:
            return None


class _Reader:
    """One file, by its handle: whatever its name is by now."""

    def __init__(self, file: BinaryIO, tail: int | None) -> None:
        self.empty_looks = 0
        self._file = file
        self._rest = b""
        self._at = max(0, file.seek(0, 2) - tail) if tail is not None else 0
        self._skipping = self._at > 0
        """Whether the rest of a line is to be left out: one begun before the tail, or too long."""

    def is_elsewhere(self, path: Path) -> bool:
        """Whether another file has this one's name by now."""
        try:
            there = path.stat()
        except OSError:
            return False
        return not os.path.samestat(there, os.fstat(self._file.fileno()))

    def lines(self) -> list[bytes]:
        """The whole lines that are new; a file that was cut is read from its start."""
        if self._file.seek(0, 2) < self._at:
            self._at, self._rest, self._skipping = 0, b"", False
        self._file.seek(self._at)
        found: list[bytes] = []
        while block := self._file.read(_BLOCK):
            *whole, self._rest = (self._rest + block).split(b"\n")
            if self._skipping and whole:
                whole, self._skipping = whole[1:], False
            found += [line for line in whole if len(line) <= MAX_LINE]
            if len(self._rest) > MAX_LINE:
                self._rest, self._skipping = b"", True
        self._at = self._file.tell()
        self.empty_looks = 0 if found else self.empty_looks + 1
        return found

    def close(self) -> None:
        """Let go of it."""
        self._file.close()
