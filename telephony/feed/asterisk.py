"""Asterisk's own events as the feed's: CEL rows and manager events, channel by channel.

A call is what shares a ``linkedid``. Its first channel (``uniqueid`` = ``linkedid``) is the
caller's; every other one that is no ``Local/`` is an agent's leg, whose ANSWER is the agent's and
not the queue's. Who hung up is the channel that Asterisk names (CEL ``hangupsource``) or that asked
for it (manager ``HangupRequest``); where it names another thing, nobody is named here.
"""

import csv
import json
import re
from collections import OrderedDict
from collections.abc import Mapping
from datetime import UTC, datetime

from calls.call import EndedBy
from calls.errors import TapError
from telephony.feed.event import FeedEvent, FeedKind

_TYPE, _TIME, _NUMBER, _EXTEN, _NAME, _UNIQUE, _LINKED, _USER, _EXTRA = (
    0, 1, 3, 7, 9, 14, 15, 17, 19,
)  # fmt: skip
"""Columns of the sample ``cel_custom.conf`` that comes with Asterisk."""
_COLUMNS = 20
_DEVICE = re.compile(r"[A-Za-z0-9]+/(.+)-[0-9a-f]{6,}$")
_MOST_CALLS = 10_000
_MOST_CHANNELS = 256
_CEL_KINDS = {
    "CHAN_START": FeedKind.INVITED,
    "ANSWER": FeedKind.ANSWERED,
    "HANGUP": FeedKind.ENDED,
}
_STATE_KINDS = {"Ringing": FeedKind.RINGING, "Up": FeedKind.ANSWERED}
_HOLD_KINDS = {"Hold": FeedKind.HOLD, "Unhold": FeedKind.RESUME}


class AsteriskReader:
    """Turns rows and manager events into feed events; remembers whose channel is whose."""

    def __init__(self) -> None:
        self._sides: OrderedDict[str, dict[str, EndedBy]] = OrderedDict()
        """By linkedid: channel name to side."""

    def read_cel(self, line: bytes) -> FeedEvent | None:
        """A row of the CSV file; None where it says nothing of the feed's concern.

        Errors: TapError when it is no row of the sample form, or its time is not the epoch's.
        """
        try:
            [row] = csv.reader([line.decode("utf-8", "replace")], strict=True)
        except (csv.Error, ValueError) as error:
            raise _no_row() from error
        if len(row) < _COLUMNS:
            raise _no_row()
        at, name = _moment(row[_TIME]), row[_NAME]
        kind = _CEL_KINDS.get(row[_TYPE], FeedKind.KNOWN)
        side = self._side(row[_LINKED], row[_UNIQUE], name)
        by = EndedBy.UNKNOWN
        if kind is FeedKind.ENDED:
            by = self._sides[row[_LINKED]].get(_hangup_source(row[_EXTRA]), EndedBy.UNKNOWN)
        ids = tuple(row[_USER].split()) if row[_USER] else ()
        return _event(
            row[_LINKED], row[_UNIQUE], at, kind, side, name, row[_NUMBER], row[_EXTEN], by, ids
        )

    def read_manager(self, event: Mapping[str, str]) -> FeedEvent | None:
        """A manager event; None where it says nothing of the feed's concern.

        Errors: TapError when it has no ``Timestamp`` (``timestampevents = yes``).
        """
        what, linked = event.get("Event", ""), event.get("Linkedid", "")
        unique, name = event.get("Uniqueid", ""), event.get("Channel", "")
        if not linked or what not in (
            "Newchannel", "Newstate", "Hold", "Unhold", "HangupRequest", "Hangup",
        ):  # fmt: skip
            return None
        at = _moment(event.get("Timestamp", ""))
        side = self._side(linked, unique, name)
        by = EndedBy.UNKNOWN
        match what:
            case "Newchannel":
                kind = FeedKind.INVITED
            case "Newstate":
                kind = _STATE_KINDS.get(event.get("ChannelStateDesc", ""), FeedKind.KNOWN)
            case "Hold" | "Unhold":
                kind, by = _HOLD_KINDS[what], side
            case _:
                kind = FeedKind.ENDED
                by = side if what == "HangupRequest" else EndedBy.UNKNOWN
        variables = event.get("ChanVariable", "").split("\n")
        ids = tuple(value for each in variables if (value := each.partition("=")[2]))
        number, exten = event.get("CallerIDNum", ""), event.get("Exten", "")
        return _event(linked, unique, at, kind, side, name, number, exten, by, ids)

    def _side(self, linked: str, unique: str, name: str) -> EndedBy:
        """Whose channel it is; ``UNKNOWN`` for one that is nobody's telephone."""
        known = self._sides.pop(linked, {})
        self._sides[linked] = known
        if len(self._sides) > _MOST_CALLS:
            self._sides.popitem(last=False)
        if name.startswith("Local/") or not name:
            return EndedBy.UNKNOWN
        side = EndedBy.CALLER if unique == linked else EndedBy.AGENT
        if len(known) < _MOST_CHANNELS:
            known[name] = side
        return side


def _event(
    linked: str,
    unique: str,
    at: datetime,
    kind: FeedKind,
    side: EndedBy,
    name: str,
    number: str,
    exten: str,
    by: EndedBy,
    ids: tuple[str, ...],
) -> FeedEvent | None:
    if side is EndedBy.UNKNOWN:
        return None
    if side is EndedBy.CALLER:
        # The caller's own ring and answer are the trunk's, or the queue's: not the agent's.
        if kind in (FeedKind.RINGING, FeedKind.ANSWERED):
            kind = FeedKind.KNOWN
        if kind is FeedKind.INVITED:
            return FeedEvent(
                call_id=linked, at=at, event=FeedKind.KNOWN, ids=ids, caller=number, called=exten
            )
        return FeedEvent(call_id=linked, at=at, event=kind, ids=ids, by=by)
    found = _DEVICE.match(name)
    return FeedEvent(
        call_id=linked,
        at=at,
        event=kind,
        leg=unique,
        ids=ids,
        agent=found[1] if found else "",
        by=by,
    )


def _moment(seconds: str) -> datetime:
    try:
        return datetime.fromtimestamp(float(seconds), UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise TapError(
            "an event of Asterisk has no time in seconds of the epoch",
            remedy="no dateformat in cel.conf, timestampevents = yes in manager.conf",
        ) from error


def _hangup_source(extra: str) -> str:
    try:
        said = json.loads(extra)
    except ValueError:
        return ""
    return str(said.get("hangupsource", "")) if isinstance(said, dict) else ""


def _no_row() -> TapError:
    return TapError(
        "a line of the CEL file is no row of the sample cel_custom.conf",
        remedy="docs/attach-asterisk.md has the mapping",
    )
