"""Asterisk's other two logs: queue_log, and the music on hold that the full log tells of."""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

from calls.call import Channel, EndedBy, Hold
from calls.errors import ImportSourceError
from importer.manifest import decode
from importer.times import read_time

_MUSIC = re.compile(
    r"^\[([^\]]+)\] VERBOSE.*?(?:(Started) music on hold, .* on channel '([^']+)'"
    r"|Stopped music on hold on (\S+))"
)
_SYSLOG = "%Y %b %d %H:%M:%S"
"""The full log's own way of writing a time, with a year put before it."""


@dataclass(slots=True)
class Queued:
    """What queue_log says of one call; whole seconds."""

    connected: datetime | None = None
    ring: timedelta | None = None
    ended_by: EndedBy = EndedBy.UNKNOWN
    abandoned: bool = False


@dataclass(frozen=True, slots=True)
class Music:
    """Music on hold began or ended on a channel."""

    started: bool
    at: str
    """As the log writes it: its year and zone may have to be found."""


def read_queue_log(path: Path, local: tzinfo) -> dict[str, Queued]:
    """Calls of a queue_log by uniqueid; lines that cannot be read are left out."""
    calls: dict[str, Queued] = defaultdict(Queued)
    for line in _lines(path):
        fields = line.split("|")
        if len(fields) < 5:
            continue
        queued = calls[fields[1]]
        match fields[4]:
            case "CONNECT":
                try:
                    queued.connected = read_time(fields[0], local)
                except ImportSourceError:
                    continue
                if len(fields) > 7 and fields[7].isdecimal():
                    queued.ring = timedelta(seconds=int(fields[7]))
            case "COMPLETEAGENT":
                queued.ended_by = EndedBy.AGENT
            case "COMPLETECALLER":
                queued.ended_by = EndedBy.CALLER
            case "BLINDTRANSFER" | "ATTENDEDTRANSFER" | "TRANSFER":
                queued.ended_by = EndedBy.UNKNOWN
            case "ABANDON":
                queued.abandoned = True
    return calls


def read_music(paths: Iterable[Path]) -> dict[str, list[Music]]:
    """Beginnings and ends of music on hold by channel, from logs with ``verbose``."""
    told: dict[str, list[Music]] = defaultdict(list)
    for path in paths:
        for line in _lines(path):
            if "music on hold" in line and (found := _MUSIC.match(line)):
                at, started, on, off = found.groups()
                told[on or off].append(Music(bool(started), at))
    return told


def holds_of(
    music: dict[str, list[Music]],
    sides: Iterable[tuple[str, Channel]],
    answered: datetime,
    ended: datetime,
    zones: Iterable[tzinfo],
) -> tuple[Hold, ...]:
    """The holds of a call: who hears music (``sides``: channel and its side) was held by the other.

    A time counts in the first of the zones in which it lies within the call.
    """
    zones, holds = tuple(zones), []
    for channel, heard_by in sides:
        by = Channel.AGENT if heard_by is Channel.CALLER else Channel.CALLER
        begun: int | None = None
        for each in music.get(channel, ()):
            at = _within(each.at, answered, ended, zones)
            if each.started:
                begun = at
            elif begun is not None and at is not None:
                holds.append(Hold(start_ms=begun, end_ms=max(begun, at), by=by))
                begun = None
        if begun is not None:
            whole = round((ended - answered).total_seconds() * 1000)
            holds.append(Hold(start_ms=begun, end_ms=max(begun, whole), by=by))
    return tuple(sorted(holds, key=lambda hold: hold.start_ms))


def _within(
    text: str, answered: datetime, ended: datetime, zones: tuple[tzinfo, ...]
) -> int | None:
    """Milliseconds after the answer; None outside the call."""
    for zone in zones:
        try:
            if text[:1].isdigit():
                at = read_time(text, zone)
            else:
                at = read_time(f"{answered.astimezone(zone).year} {text}", zone, _SYSLOG)
        except ImportSourceError:
            return None
        if at is not None and answered <= at <= ended:
            return round((at - answered).total_seconds() * 1000)
    return None


def _lines(path: Path) -> list[str]:
    try:
        return decode(path.read_bytes()).splitlines()
    except OSError as error:
        raise ImportSourceError(f"{path} cannot be read ({error.strerror})") from error
