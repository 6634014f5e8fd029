"""Asterisk's records as calls: CDR, with what CEL, queue_log and the full log add, and MixMonitor.

A CDR alone does not say when the agent's telephone began to ring (an announcement or a queue may
come first) nor who hung up: both stay unknown unless CEL or queue_log tells them.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path

from calls.call import Call, Channel, EndedBy, EndReason, Hold, Mode, Recording, Signalling
from calls.errors import ImportSourceError
from importer import cdr, cel
from importer.asterisk_logs import Music, Queued, holds_of, read_music, read_queue_log
from importer.audio import EXACT_MS, WHOLE_SECONDS_MS, bring_in
from importer.cdr import UNIQUE_ID, Row, Told
from importer.folder import Recordings, measure
from importer.manifest import left_of
from importer.settings import ImporterSettings
from importer.source import Item, call_id
from importer.times import zone

CDR_FILES = ("cdr-csv/Master.csv", "Master.csv", "cdr.csv")
CEL_FILES = ("cel-custom/Master.csv", "cel.csv")
"""Asterisk's own, else the tables of a database, exported with their headers."""
QUEUE_FILE = "queue_log"
FULL_FILES = "full*"
_SECOND = timedelta(seconds=1)


class AsteriskSource:
    """A log folder (``/var/log/asterisk``) with a folder of recordings."""

    name = "asterisk"

    def __init__(self, logs: Path, recordings: Path | None, settings: ImporterSettings) -> None:
        self._logs = logs
        self._zone = zone(settings.time_zone)
        self._keep = settings.keep
        left = left_of(settings.stereo)
        self._recordings = Recordings(recordings or logs / "monitor", UNIQUE_ID, left)
        self._groups: dict[str, list[Row]] = {}
        self._events = cel.Events()
        self._queued: dict[str, Queued] = {}
        self._music: dict[str, list[Music]] = {}

    def items(self) -> Iterator[Item]:
        """One item a call, however many legs and rows it had; calls under way are left out.

        A call counts as changed at its end, too: its other logs may come a little later.
        """
        path = self._first(CDR_FILES)
        if path is None:
            raise ImportSourceError(
                f"{self._logs} holds no {CDR_FILES[0]}",
                remedy="turn on cdr_csv, or name the log folder",
            )
        log = self._first(CEL_FILES)
        if log is not None:
            self._events = cel.read(log, self._zone)
        if (self._logs / QUEUE_FILE).is_file():
            self._queued = read_queue_log(self._logs / QUEUE_FILE, self._zone)
        self._music = read_music(p for p in sorted(self._logs.glob(FULL_FILES)) if p.is_file())
        self._groups = cdr.join(list(cdr.read_cdr(path)), self._events.linked)
        for key, group in self._groups.items():
            if self._events.is_under_way(key):
                continue
            began, ended = cdr.between(group, key, self._zone)
            size, changed = measure(self._recordings.files(_number(key)))
            if ended is not None:
                changed = max(changed, ended.timestamp())
            yield Item(key=key, label=key, at=began, size=size, changed=changed)

    def read(self, item: Item, folder: Path) -> Call:
        """The call of a CDR, with what the other logs add."""
        group = self._groups[item.key]
        if not UNIQUE_ID.search(item.key):
            raise ImportSourceError(
                f"{item.label} of the CDR has no uniqueid",
                remedy="set loguniqueid=yes in cdr.conf",
            )
        told = cel.tell(self._events.by_call.get(item.key, ()), item.key)
        if told is None:
            told = cdr.tell(group, item.key, self._zone)
            if told is None:
                raise ImportSourceError(f"{item.label} is no whole CDR", remedy="check Master.csv")
            told = self._with_queue(item.key, told)
        if told.answered is not None and not (
            told.invited <= told.answered <= told.ended + _SECOND
        ):
            raise ImportSourceError(f"{item.label} has times that contradict each other")
        ended = told.ended if told.answered is None else max(told.ended, told.answered)
        people = tuple(dict.fromkeys(map(cdr.extension, told.agent_channels)))
        return Call(
            call_id=call_id(self.name, item.key),
            mode=Mode.IMPORT,
            caller=cdr.own_rows(group, item.key)[0].get("src", ""),
            called=told.called,
            agent=people[0] if people and (told.answered or len(people) == 1) else "",
            invited_at=told.invited,
            ringing_at=told.ringing,
            answered_at=told.answered,
            ended_at=ended,
            ended_by=told.ended_by,
            end_reason=told.reason,
            holds=self._holds(told),
            recording=self._record(item, told, folder),
            signalling=Signalling.NONE if told.ringing is None else Signalling.FEED,
            transfers=people[1:] if told.answered else (),
            pbx_call_id=item.key,
            source=self.name,
        )

    def _with_queue(self, key: str, told: Told) -> Told:
        queued = self._queued.get(key, Queued())
        if queued.abandoned:
            return replace(told, reason=EndReason.CANCEL, ended_by=EndedBy.CALLER)
        if queued.connected is None or told.answered is None:
            return told
        ring = None if queued.ring is None else queued.connected - queued.ring
        return replace(told, answered=queued.connected, ringing=ring, ended_by=queued.ended_by)

    def _holds(self, told: Told) -> tuple[Hold, ...]:
        if told.answered is None:
            return ()
        sides = [(told.caller_channel, Channel.CALLER)]
        sides += [(channel, Channel.AGENT) for channel in told.agent_channels]
        return holds_of(self._music, sides, told.answered, told.ended, (self._zone, UTC))

    def _record(self, item: Item, told: Told, folder: Path) -> Recording | None:
        if told.answered is None:
            return None
        sides = self._recordings.sides(_number(item.key))
        if sides is None:
            return None
        talk_ms = round((told.ended - told.answered).total_seconds() * 1000)
        early_ms = EXACT_MS if told.exact else WHOLE_SECONDS_MS
        return bring_in(sides, folder, talk_ms=talk_ms, early_ms=early_ms, keep=self._keep)

    def _first(self, names: tuple[str, ...]) -> Path | None:
        return next((p for name in names if (p := self._logs / name).is_file()), None)


def _number(key: str) -> str:
    """A uniqueid without the name of its system, as recordings carry it."""
    found = UNIQUE_ID.search(key)
    return found[0] if found else ""
