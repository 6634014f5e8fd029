"""A source of past calls, whatever system wrote them."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from calls.call import Call


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One call that a source knows of, before anything of it is read."""

    key: str
    """The source's own lasting identity of the call: the same call has it on every run."""
    label: str
    """What a report calls it: a file's name or the PBX's identifier."""
    at: datetime | None = None
    """When it began, where the source says so cheaply; aware."""
    size: int = 0
    """Bytes to read, for the plan."""
    changed: float = 0.0
    """Newest change of its files, seconds since the epoch."""
    record: int = 0
    """Differs, within one process, when what the source says of the call differs."""


class Source(Protocol):
    """Yields calls; one call that cannot be read is a SanshengError of ``read`` alone."""

    @property
    def name(self) -> str:
        """Goes into ``Call.source`` and the call id."""

    def items(self) -> Iterator[Item]:
        """Every call of the source, cheaply; ImportSourceError when there is nothing to read."""

    def read(self, item: Item, folder: Path) -> Call:
        """The call's record; its audio, if it has any, becomes ``folder/recording.wav``."""


def call_id(source: str, key: str) -> str:
    """The call id of an imported call: the same source and key always give the same one."""
    digest = hashlib.sha256(f"{source}\n{key}".encode()).hexdigest()
    return f"{source}-{digest[:24]}"
