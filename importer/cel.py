"""Asterisk's channel event log: when each leg rang, was answered and ended, and by whom."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from pathlib import Path
from sys import intern

from calls.call import EndedBy, EndReason
from calls.errors import ImportSourceError
from importer.cdr import Told, read_table
from importer.times import read_time

_CEL = (
    "eventtype eventtime cid_name cid_num cid_ani cid_rdnis cid_dnid exten context channame "
    "appname appdata amaflags accountcode uniqueid linkedid peer userfield userdeftype extra"
)
"""Of the sample ``cel_custom.conf``, by the names of the cel table."""
_KINDS = frozenset({"CHAN_START", "ANSWER", "HANGUP", "BRIDGE_ENTER"})
_LOCAL = "Local/"
_BUSY, _REJECTED, _NO_ANSWERS = 17, 21, frozenset({"NOANSWER", ""})
"""Q.850 causes of a leg that ended, and dial statuses of nobody answering in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event of one channel."""

    kind: str
    at: datetime
    channel: str
    unique: str
    dialled: str = ""
    bridge: str = ""
    source: str = ""
    """Of a HANGUP: the channel, or part of Asterisk, that ended it."""
    cause: int = 0
    status: str = ""
    """Of a HANGUP: what Dial came to."""


@dataclass(slots=True)
class Events:
    """A whole log."""

    by_call: dict[str, list[Event]] = field(default_factory=lambda: defaultdict(list))
    """By linkedid, which is the uniqueid of a call's first channel."""
    linked: dict[str, str] = field(default_factory=dict)
    """The linkedid of each uniqueid."""

    def is_under_way(self, key: str) -> bool:
        """Whether a call's first channel began and has not ended yet."""
        own = {e.kind for e in self.by_call.get(key, ()) if e.unique == key}
        return "CHAN_START" in own and "HANGUP" not in own


def read(path: Path, local: tzinfo) -> Events:
    """The events of a cel-custom Master.csv or an exported cel table; broken lines are left out."""
    events = Events()
    for row in read_table(path, _CEL.split(), "eventtype"):
        kind, link = row.get("eventtype", ""), row.get("linkedid", "")
        if kind not in _KINDS or not link:
            continue
        try:
            at = read_time(row.get("eventtime", ""), local)
        except ImportSourceError:
            continue
        if at is None:
            continue
        extra = _extra(row.get("extra", ""))
        unique = row.get("uniqueid", "")
        events.linked[unique] = link
        events.by_call[link].append(
            Event(
                kind=intern(kind),
                at=at,
                channel=intern(row.get("channame", "")),
                unique=intern(unique),
                dialled=row.get("exten", "") if kind == "CHAN_START" else "",
                bridge=str(extra.get("bridge_id", "")),
                source=intern(str(extra.get("hangupsource", ""))),
                cause=cause if isinstance(cause := extra.get("hangupcause"), int) else 0,
                status=intern(str(extra.get("dialstatus", ""))),
            )
        )
    return events


def tell(events: Sequence[Event], key: str) -> Told | None:
    """What the events of a call say; None when they lack its beginning or its end."""
    began = next((e for e in events if e.kind == "CHAN_START" and e.unique == key), None)
    ended = next((e for e in reversed(events) if e.kind == "HANGUP" and e.unique == key), None)
    if began is None or ended is None:
        return None
    rung = [e for e in events if e.kind == "CHAN_START" and _is_device(e, began.channel)]
    answers = {e.channel: e.at for e in reversed(events) if e.kind == "ANSWER"}
    spoke = [e for e in rung if e.channel in answers]
    met = _met(events, began.channel)
    if met:
        spoke = sorted((e for e in spoke if e.channel in met), key=lambda e: met[e.channel])
    if not spoke:
        reason, by = _refused(events, rung, ended)
        return Told(
            caller_channel=began.channel,
            agent_channels=tuple(e.channel for e in rung),
            called=began.dialled,
            invited=began.at,
            ringing=rung[0].at if rung else None,
            ended=ended.at,
            ended_by=by,
            reason=reason,
            exact=True,
        )
    first = spoke[0]
    return Told(
        caller_channel=began.channel,
        agent_channels=tuple(e.channel for e in spoke),
        called=began.dialled,
        invited=began.at,
        ringing=first.at,
        answered=answers[first.channel],
        ended=ended.at,
        ended_by=_ended_by(ended, began.channel),
        exact=True,
    )


def _is_device(event: Event, caller: str) -> bool:
    return event.channel != caller and not event.channel.startswith(_LOCAL)


def _met(events: Sequence[Event], caller: str) -> dict[str, datetime]:
    """When each telephone first shared a bridge with the caller, or one that Locals lead to.

    Empty where the log has no BRIDGE_ENTER. Who was only consulted never met the caller.
    """
    entered: dict[str, dict[str, datetime]] = defaultdict(dict)
    bridges: dict[str, set[str]] = defaultdict(set)
    for event in events:
        if event.kind == "BRIDGE_ENTER":
            entered[event.bridge].setdefault(event.channel, event.at)
            bridges[event.channel].add(event.bridge)
    met: dict[str, datetime] = {}
    seen, waiting = set(), list(bridges.get(caller, ()))
    while waiting:
        bridge = waiting.pop()
        if bridge in seen:
            continue
        seen.add(bridge)
        for channel, at in entered[bridge].items():
            if channel.startswith(_LOCAL):
                waiting += bridges.get(channel[:-1] + ("2" if channel[-1] == "1" else "1"), ())
            elif channel != caller:
                met[channel] = min(at, met.get(channel, at))
    return met


def _ended_by(ended: Event, caller: str) -> EndedBy:
    if ended.source == caller:
        return EndedBy.CALLER
    if not ended.source:
        return EndedBy.UNKNOWN
    return EndedBy.NETWORK if ended.source.startswith("dialplan/") else EndedBy.AGENT


def _refused(
    events: Sequence[Event], rung: Sequence[Event], ended: Event
) -> tuple[EndReason, EndedBy]:
    """Why nobody answered: the caller's end, else that of the telephone that was rung last."""
    if ended.source == ended.channel:
        return EndReason.CANCEL, EndedBy.CALLER
    last = rung[-1].channel if rung else ""
    cause = next((e.cause for e in events if e.kind == "HANGUP" and e.channel == last), 0)
    if cause == _BUSY or ended.status == "BUSY":
        return EndReason.BUSY, EndedBy.AGENT
    if cause == _REJECTED:
        return EndReason.REJECTED, EndedBy.AGENT
    if ended.status in _NO_ANSWERS:
        return EndReason.NO_ANSWER, EndedBy.NETWORK
    return EndReason.LOST, EndedBy.NETWORK


def _extra(text: str) -> dict[str, object]:
    try:
        said = json.loads(text) if text else {}
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
