"""A call's journal: one JSON line an event, on the disk before the event counts as handled.

What a kill leaves is a journal without its last line, or with half of it: the reader takes every
whole line and drops the torn end.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from calls.call import Channel, LegEvent, Mode, SideQuality, Utc
from calls.codec import SCHEMA
from calls.errors import HandoverError, TapError
from calls.handover import JOURNAL_FILE


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The first line: what is known when the INVITE comes in."""

    call_id: str
    mode: Mode
    caller: str
    called: str
    agent: str
    invited_at: Utc
    pbx_call_id: str = ""
    source: str = "tap"
    transfers: tuple[str, ...] = ()
    call_ids: tuple[str, ...] = ()
    """Ids of a recorded call itself that its SIPREC session carried: a feed's events have them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamFile:
    """One recorded stream of a SIPREC session and whose voice it carries."""

    file: str
    label: str
    """The SDP label (RFC 4574) that ties it to the metadata."""
    side: Channel | None
    """None while the rule does not say (``telephony.siprec.sides``)."""
    start_ms: int = 0
    """Where it begins, from the start of the recording: a stream may be added later."""
    lag_ms: int = 0
    """What its jitter buffer holds back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the file: exactly one of its parts is there."""

    schema: int = SCHEMA
    head: Head | None = None
    event: LegEvent | None = None
    quality: SideQuality | None = None
    streams: tuple[StreamFile, ...] | None = None


@dataclass(frozen=True, slots=True)
class Story:
    """A journal as read back."""

    head: Head
    events: tuple[LegEvent, ...]
    quality: tuple[SideQuality, ...]
    streams: tuple[StreamFile, ...] = ()
    """Of a SIPREC session, as last known; empty otherwise."""


class Journal:
    """The writer: append, flush, fsync."""

    def __init__(self, folder: Path, head: Head) -> None:
        try:
            self._file = (folder / JOURNAL_FILE).open("ab", buffering=0)
        except OSError as error:
            raise TapError(
                f"cannot write a journal ({error.strerror})", remedy="free space on the disk"
            ) from error
        self._write(Line(head=head))

    def event(self, event: LegEvent) -> None:
        """Write an event."""
        self._write(Line(event=event))

    def head(self, head: Head) -> None:
        """Write what became known of the call later; it goes before the first line."""
        self._write(Line(head=head))

    def streams(self, streams: tuple[StreamFile, ...]) -> None:
        """Write which streams are recorded, and whose they are as far as is known now."""
        self._write(Line(streams=streams))

    def quality(self, quality: SideQuality) -> None:
        """Write what the network did to a side."""
        self._write(Line(quality=quality))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, line: Line) -> None:
        try:
            self._file.write(msgspec.json.encode(line) + b"\n")
            os.fsync(self._file.fileno())
        except OSError as error:
            raise TapError(
                f"cannot write a journal ({error.strerror})", remedy="free space on the disk"
            ) from error


def read_journal(folder: Path) -> Story:
    """Read a journal back; a torn last line is dropped.

    Errors: HandoverError when there is no journal, or not even its first line.
    """
    path = folder / JOURNAL_FILE
    try:
        data = path.read_bytes()
    except OSError as error:
        raise HandoverError(f"{path} cannot be read ({error.strerror})") from error
    lines: list[Line] = []
    for raw in data.split(b"\n"):
        try:
            lines.append(msgspec.json.decode(raw, type=Line))
        except msgspec.DecodeError:
            break
    if not lines or lines[0].head is None:
        raise HandoverError(f"{path} does not begin as a journal")
    if lines[0].schema > SCHEMA:
        raise HandoverError(
            f"{path} has schema {lines[0].schema}, this Sansheng reads up to {SCHEMA}",
            remedy="upgrade Sansheng on this machine",
        )
    heads = [line.head for line in lines if line.head]
    return Story(
        heads[-1],
        tuple(line.event for line in lines if line.event),
        tuple(line.quality for line in lines if line.quality),
        next((line.streams for line in reversed(lines) if line.streams is not None), ()),
    )
