"""Asterisk's records: CDR (Master.csv), CEL, queue_log, and MixMonitor's files.

A CDR alone does not say when the agent's telephone began to ring (an announcement or a queue may
come first) nor who hung up: both stay unknown unless CEL or queue_log tells them.
"""

import csv
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from calls.call import Call, EndedBy, EndReason, Mode, Recording, Signalling
from calls.errors import ImportSourceError
from importer.audio import bring_in
from importer.folder import Recordings
from importer.manifest import decode, left_of
from importer.settings import ImporterSettings
from importer.source import Item, call_id
from importer.times import read_time, zone

CDR_FILE = "cdr-csv/Master.csv"
CEL_FILE = "cel-custom/Master.csv"
QUEUE_FILE = "queue_log"
UNIQUE_ID = re.compile(r"\d{9,10}\.\d+")
_CDR = (
    "accountcode src dst dcontext clid channel dstchannel lastapp lastdata start answer end "
    "duration billsec disposition amaflags uniqueid userfield"
)
_CDR_KEYS = tuple(_CDR.split())
_CEL_NAME, _CEL_LINK, _CEL_EXTRA = 9, 15, -1
"""Places in cel_custom.conf's sample line: channel name, linkedid, eventextra (last)."""
_DEVICE = re.compile(r"^[A-Za-z0-9]+/([^-@/;]+)")
_REASONS = {"BUSY": EndReason.BUSY, "NO ANSWER": EndReason.NO_ANSWER, "FAILED": EndReason.REJECTED}


@dataclass(frozen=True, slots=True)
class _Event:
    kind: str
    at: datetime
    channel: str
    ended_by: str


@dataclass(slots=True)
class _Queue:
    connected: datetime | None = None
    ring: timedelta | None = None
    ended_by: EndedBy = EndedBy.UNKNOWN


class AsteriskSource:
    """A log folder (``/var/log/asterisk``) with a folder of recordings."""

    name = "asterisk"

    def __init__(self, logs: Path, recordings: Path | None, settings: ImporterSettings) -> None:
        self._logs = logs
        self._zone = zone(settings.time_zone)
        self._keep = settings.keep
        left = left_of(settings.stereo)
        self._recordings = Recordings(recordings or logs / "monitor", UNIQUE_ID, left)
        self._rows: dict[str, dict[str, str]] = {}
        self._cel: dict[str, list[_Event]] = defaultdict(list)
        self._queue: dict[str, _Queue] = {}

    def items(self) -> Iterator[Item]:
        """One item a call; of several CDRs of one call the answered one counts."""
        path = next(
            (p for p in (self._logs / CDR_FILE, self._logs / "Master.csv") if p.is_file()), None
        )
        if path is None:
            raise ImportSourceError(
                f"{self._logs} holds no {CDR_FILE}",
                remedy="turn on cdr_csv, or name the log folder",
            )
        self._read_cel()
        self._read_queue()
        for number, fields in enumerate(_csv(path), 1):
            row = dict(zip(_CDR_KEYS, fields, strict=False))
            key = row.get("uniqueid", "") or f"line {number}"
            if self._rows.get(key, {}).get("disposition") != "ANSWERED":
                self._rows[key] = row
        for key, row in self._rows.items():
            files = self._recordings.files(key)
            yield Item(
                key=key,
                label=key,
                at=self._start(row),
                size=sum(path.stat().st_size for path in files),
                changed=max((path.stat().st_mtime for path in files), default=0.0),
            )

    def read(self, item: Item, folder: Path) -> Call:
        """The call of a CDR, with what CEL and queue_log add."""
        row = self._rows[item.key]
        started, ended = (read_time(row.get(k, ""), self._zone) for k in ("start", "end"))
        if started is None or ended is None:
            raise ImportSourceError(
                f"{item.label} is no whole CDR", remedy="check Master.csv there"
            )
        answered = read_time(row.get("answer", ""), self._zone)
        ringing, known, ended_by = None, False, EndedBy.UNKNOWN
        if row.get("disposition") != "ANSWERED":
            answered = None
        queue = self._queue.get(item.key, _Queue())
        events = self._cel.get(item.key, [])
        if queue.connected is not None and answered is not None:
            answered, ended_by = queue.connected, queue.ended_by
            if queue.ring is not None:
                ringing, known = answered - queue.ring, True
        device = row.get("dstchannel", "")
        begun = _first(events, "CHAN_START", device)
        if begun is not None:
            ringing, known = begun, True
            answered = _first(events, "ANSWER", device) if answered else None
        ended = max((e.at for e in events if e.kind == "HANGUP"), default=ended)
        source = next((e.ended_by for e in events if e.kind == "HANGUP" and e.ended_by), "")
        if answered is not None and source:
            side = {row.get("channel", ""): EndedBy.CALLER, device: EndedBy.AGENT}
            ended_by = side.get(source, EndedBy.UNKNOWN)
        if answered is not None and not started <= answered <= ended + timedelta(seconds=1):
            raise ImportSourceError(f"{item.label} has times that contradict each other")
        recording = self._record(item, answered, ended, folder)
        return Call(
            call_id=call_id(self.name, item.key),
            mode=Mode.IMPORT,
            caller=row.get("src", ""),
            called=row.get("dst", ""),
            agent=_extension(device),
            invited_at=started,
            ringing_at=ringing,
            answered_at=answered,
            ended_at=ended if answered is None else max(ended, answered),
            ended_by=ended_by,
            end_reason=EndReason.BYE
            if answered
            else _REASONS.get(row["disposition"], EndReason.LOST),
            recording=recording,
            signalling=Signalling.FEED if known else Signalling.NONE,
            pbx_call_id=item.key,
            source=self.name,
        )

    def _record(
        self, item: Item, answered: datetime | None, ended: datetime, folder: Path
    ) -> Recording | None:
        if answered is None:
            return None
        sides = self._recordings.sides(item.key)
        if sides is None:
            return None
        talk_ms = round((ended - answered).total_seconds() * 1000)
        return bring_in(sides, folder, talk_ms=talk_ms, keep=self._keep)

    def _start(self, row: dict[str, str]) -> datetime | None:
        try:
            return read_time(row.get("start", ""), self._zone)
        except ImportSourceError:
            return None

    def _read_cel(self) -> None:
        path = self._logs / CEL_FILE
        for fields in _csv(path) if path.is_file() else ():
            try:
                at = read_time(fields[1], self._zone)
            except (IndexError, ImportSourceError):
                continue
            if at is not None and len(fields) > _CEL_LINK:
                ended_by = _hangup_source(fields[_CEL_EXTRA])
                event = _Event(fields[0], at, fields[_CEL_NAME], ended_by)
                self._cel[fields[_CEL_LINK]].append(event)

    def _read_queue(self) -> None:
        path = self._logs / QUEUE_FILE
        for line in decode(path.read_bytes()).splitlines() if path.is_file() else ():
            fields = line.split("|")
            if len(fields) < 5:
                continue
            queue = self._queue.setdefault(fields[1], _Queue())
            if fields[4] == "CONNECT":
                queue.connected = read_time(fields[0], self._zone)
                if len(fields) > 7 and fields[7].isdecimal():
                    queue.ring = timedelta(seconds=int(fields[7]))
            elif fields[4] == "COMPLETEAGENT":
                queue.ended_by = EndedBy.AGENT
            elif fields[4] == "COMPLETECALLER":
                queue.ended_by = EndedBy.CALLER


def _csv(path: Path) -> list[list[str]]:
    try:
        return [row for row in csv.reader(decode(path.read_bytes()).splitlines()) if row]
    except (OSError, csv.Error) as error:
        raise ImportSourceError(f"{path} cannot be read") from error


def _first(events: list[_Event], kind: str, channel: str) -> datetime | None:
    return min((e.at for e in events if e.kind == kind and e.channel == channel), default=None)


def _hangup_source(extra: str) -> str:
    try:
        said = json.loads(extra)
    except ValueError:
        return ""
    return str(said.get("hangupsource", "")) if isinstance(said, dict) else ""


def _extension(channel: str) -> str:
    """``PJSIP/1001-00000042`` → ``1001``."""
    found = _DEVICE.match(channel)
    return found[1] if found else ""
