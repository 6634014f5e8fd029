"""Asterisk's call detail records: rows of Master.csv or of the cdr table, joined to calls.

One call may leave many rows: one for each agent who rang, for each Local channel of a queue, for
each leg of a transfer. They are one call when their linkedid says so or one's channel is another's
destination.
"""

import csv
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path

from calls.call import EndedBy, EndReason
from calls.errors import ImportSourceError
from importer.manifest import decode
from importer.times import read_time

UNIQUE_ID = re.compile(r"\d{9,10}\.\d+")
"""Epoch seconds at which the channel was made, and its number."""
_CDR = (
    "accountcode src dst dcontext clid channel dstchannel lastapp lastdata start answer end "
    "duration billsec disposition amaflags uniqueid userfield peeraccount linkedid sequence"
)
"""Of cdr_csv's Master.csv; the last three with ``newcdrcolumns``."""
_DEVICE = re.compile(r"^[A-Za-z0-9]+/([^-@/;]+)")
_DIALLED = frozenset({"AppDial", "AppDial2", "AppQueue"})
"""What the channel of a telephone that was rung is said to run."""
_REASONS = {"BUSY": EndReason.BUSY, "NO ANSWER": EndReason.NO_ANSWER, "FAILED": EndReason.REJECTED}
_QUARTER_S, _NEAR_S = 900, 120
"""Zones differ by quarters of an hour; a call's record begins so soon after its channel."""

Row = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one of Asterisk's records knows of a call."""

    caller_channel: str
    agent_channels: tuple[str, ...] = ()
    """Those that spoke with the caller, in order; of a call that nobody answered, who rang."""
    called: str = ""
    invited: datetime
    ringing: datetime | None = None
    answered: datetime | None = None
    ended: datetime
    ended_by: EndedBy = EndedBy.UNKNOWN
    reason: EndReason = EndReason.BYE
    exact: bool = False
    """Times are of microseconds; else of whole seconds."""


def read_table(path: Path, columns: Sequence[str], known_by: str) -> Iterator[Row]:
    """Rows by name: a header that has the column ``known_by`` names them, else ``columns`` does.

    A table exported with its header may be separated by commas or, as mysql does it, by tabs.
    """
    try:
        lines = decode(path.read_bytes()).splitlines()
    except OSError as error:
        raise ImportSourceError(f"{path} cannot be read ({error.strerror})") from error
    if not lines:
        return
    head = lines[0].lower()
    mark = "\t" if "\t" in head and "," not in head else ","
    names: Sequence[str] = columns
    if known_by in [name.strip('" ') for name in head.split(mark)]:
        names, lines = [name.strip('" ') for name in head.split(mark)], lines[1:]
    try:
        for fields in csv.reader(lines, delimiter=mark):
            if fields:
                yield dict(zip(names, fields, strict=False))
    except csv.Error as error:
        raise ImportSourceError(f"{path} cannot be read as CSV") from error


def read_cdr(path: Path) -> Iterator[Row]:
    """The rows of a Master.csv or of an exported cdr table."""
    return read_table(path, _CDR.split(), "uniqueid")


def join(rows: Sequence[Row], linked: Mapping[str, str]) -> dict[str, list[Row]]:
    """Rows by the uniqueid of their call's first channel; ``linked`` is linkedid by uniqueid.

    Rows that lack a uniqueid are a call each, keyed by their line.
    """
    above = {_whole(row.get("dstchannel", "")): row for row in reversed(rows)}
    calls: dict[str, list[Row]] = defaultdict(list)
    for number, row in enumerate(rows, 1):
        key = row.get("linkedid", "") or linked.get(row.get("uniqueid", ""), "")
        if not key:
            key = _first(row, above).get("uniqueid", "") or f"line {number}"
        calls[key].append(row)
    return {key: group for key, group in calls.items() if not _is_part(group)}


def tell(group: Sequence[Row], key: str, local: tzinfo) -> Told | None:
    """What the rows of a call say: whole seconds, neither ring nor who hung up; None if too little.

    Only a row with an agent's channel is an answer: a menu or a queue answers the caller too.
    """
    own = own_rows(group, key)
    local = _clock(own, local)
    spans = [_span(row, local) for row in own]
    starts = [start for start, _, _ in spans if start is not None]
    ends = [end for _, _, end in spans if end is not None]
    if not starts or not ends:
        return None
    spoke = [
        (answer, row["dstchannel"])
        for row, (_, answer, _) in zip(own, spans, strict=True)
        if answer is not None and row.get("disposition") == "ANSWERED" and row.get("dstchannel")
    ]
    rang = [row["dstchannel"] for row in own if row.get("dstchannel")]
    refused = (_REASONS.get(row.get("disposition", "")) for row in reversed(own))
    return Told(
        caller_channel=own[0].get("channel", ""),
        agent_channels=tuple(dict.fromkeys(c for _, c in spoke) if spoke else rang),
        called=own[0].get("did", "") or own[0].get("dst", ""),
        invited=min(starts),
        answered=spoke[0][0] if spoke else None,
        ended=max(ends),
        reason=EndReason.BYE
        if spoke
        else next((r for r in refused if r is not None), EndReason.NO_ANSWER),
    )


def own_rows(group: Sequence[Row], key: str) -> Sequence[Row]:
    """Those of the call's first channel, else all."""
    return [row for row in group if row.get("uniqueid") == key] or group


def extension(channel: str) -> str:
    """``PJSIP/1001-00000042`` or ``Local/1001@agents-00000001;1`` → ``1001``."""
    found = _DEVICE.match(channel)
    return found[1] if found else ""


def between(
    group: Sequence[Row], key: str, local: tzinfo
) -> tuple[datetime | None, datetime | None]:
    """When a call began and ended, cheaply; None where that cannot be read."""
    own = own_rows(group, key)
    try:
        zone = _clock(own[:1], local)
        return _span(own[0], zone)[0], _span(own[-1], zone)[2]
    except ImportSourceError:
        return None, None


def _span(row: Row, local: tzinfo) -> tuple[datetime | None, datetime | None, datetime | None]:
    """Start, answer and end; a table without the last two has durations for them."""
    start = read_time(row.get("start", "") or row.get("calldate", ""), local)
    if start is None or "end" in row:
        return start, read_time(row.get("answer", ""), local), read_time(row.get("end", ""), local)
    if not row.get("duration", "").isdecimal():
        return start, None, None
    end = start + timedelta(seconds=int(row["duration"]))
    talk = int(row["billsec"]) if row.get("billsec", "").isdecimal() else 0
    return start, end - timedelta(seconds=talk), end


def _clock(own: Sequence[Row], local: tzinfo) -> tzinfo:
    """The zone of the rows' times: that in which the first lies at its uniqueid's second.

    Asterisk's sample cdr.conf has ``usegmtime=yes``, which the records themselves do not say.
    """
    texts = [row.get("start", "") or row.get("calldate", "") for row in own]
    found = UNIQUE_ID.search(own[0].get("uniqueid", ""))
    first = read_time(min(texts), UTC)
    if found is None or first is None:
        return local
    ahead = first.timestamp() - float(found[0].split(".")[0])
    offset = round(ahead / _QUARTER_S) * _QUARTER_S
    if abs(ahead - offset) > _NEAR_S or abs(offset) > 14 * 3600:
        return local
    return timezone(timedelta(seconds=offset))


def _first(row: Row, above: Mapping[str, Row]) -> Row:
    """The row of the channel that everything began with."""
    seen: set[int] = set()
    while id(row) not in seen:
        seen.add(id(row))
        row = above.get(_whole(row.get("channel", "")) or "-", row)
    return row


def _whole(channel: str) -> str:
    """Both halves of a Local channel by one name."""
    return channel.removesuffix(";1").removesuffix(";2")


def _is_part(group: Sequence[Row]) -> bool:
    """Whether these are only legs of a call whose own row is still to come."""
    return all(
        row.get("channel", "").startswith("Local/") or row.get("lastapp") in _DIALLED
        for row in group
    )
