"""Calls as the portal reads them: lists within a person's reach, one call whole, search."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from calls.call import Call
from calls.errors import HandoverError
from calls.hit import Status
from calls.scorecard import Scorecard
from calls.speech import Transcript
from portal.access import Reach
from portal.errors import RefusalError, not_found
from portal.ports import Prices, Store, StoredCall
from portal.sql import statement
from portal.verdicts import PRICES, Revised, Ruling, revise

log = structlog.get_logger()

PAGE = 50
_WINDOWS = (timedelta(days=2), timedelta(days=30), None)
"""How far back a page of calls is looked for, widening until it is full."""
YEARS = range(1990, 2200)
"""Years that a date may be of: the arithmetic of days ends at neither edge."""
SHOWS = ("", "fail", "review", "veto", "appeal", "missed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a list of calls is narrowed to; empty fields do not narrow."""

    agent: str = ""
    team: str = ""
    rule: str = ""
    show: str = ""
    since: date | None = None
    until: date | None = None
    """The last day, included."""

    def query(self, **more: str) -> dict[str, str]:
        """The filter as the query part of an address."""
        mine = {
            "agent": self.agent,
            "team": self.team,
            "rule": self.rule,
            "show": self.show,
            "since": self.since.isoformat() if self.since else "",
            "until": self.until.isoformat() if self.until else "",
        }
        return {key: value for key, value in (mine | more).items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some rows and where the next ones begin."""

    rows: list[dict[str, Any]]
    next: str
    """Opaque; empty at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFile:
    """One call with everything that was said about it."""

    call: Call
    transcript: Transcript | None
    card: Scorecard
    recording: Path | None
    agent_name: str
    team: str | None
    reviews: list[dict[str, Any]]
    appeals: list[dict[str, Any]]
    accepted_at: datetime | None
    states: list[dict[str, Any]]
    """Scores beside the automatic one, in order: ``reviewed``, ``decided``."""
    revised: Revised
    """Items and findings as they stand now."""


def day_of(text: str) -> date | None:
    """A day as ``YYYY-MM-DD``, None when empty; anything else is refused (422)."""
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise RefusalError(422, "bad_request") from error
    if day.year not in YEARS:
        raise RefusalError(422, "bad_request")
    return day


def reach_params(reach: Reach) -> dict[str, object]:
    """The parameters by which every query keeps to a person's reach."""
    return {"reach_agent": reach.agent, "reach_team": reach.team}


def days(since: date | None, until: date | None, zone: ZoneInfo) -> dict[str, object]:
    """Two days, both included, as the moments between which calls began."""
    first = datetime.combine(since, time(), zone) if since else None
    last = datetime.combine(until + timedelta(days=1), time(), zone) if until else None
    return {"since": first, "until": last}


def calls_page(
    store: Store,
    reach: Reach,
    wanted: Filter,
    zone: ZoneInfo,
    *,
    now: datetime,
    after: str = "",
    many: int = PAGE,
) -> Page:
    """A page of calls, newest first.

    Looks into the last days first, which the warehouse reads without touching the years before.
    """
    if reach.nothing:
        return Page(rows=[], next="")
    at, after_id = _place(after)
    params = {
        **reach_params(reach),
        **days(wanted.since, wanted.until, zone),
        "agent": wanted.agent or None,
        "team": wanted.team or None,
        "rule": wanted.rule or None,
        "show": wanted.show if wanted.show in SHOWS else "",
        "at": at,
        "after": after_id,
        "many": many + 1,
    }
    top = min(moment for moment in (at, params["until"], now) if isinstance(moment, datetime))
    rows: list[dict[str, Any]] = []
    for window in _WINDOWS:
        floor = top - window if window else None
        rows = store.rows(statement("calls"), {**params, "floor": floor}, max_rows=many + 1)
        if len(rows) > many:
            break
    more = len(rows) > many
    rows = rows[:many]
    last = f"{rows[-1]['invited_at'].isoformat()}~{rows[-1]['call_id']}" if more else ""
    return Page(rows=rows, next=last)


def _place(after: str) -> tuple[datetime | None, str | None]:
    if not after:
        return None, None
    at, _, call_id = after.partition("~")
    try:
        moment = datetime.fromisoformat(at)
    except ValueError as error:
        raise RefusalError(422, "bad_request") from error
    if moment.tzinfo is None or not call_id or moment.year not in YEARS:
        raise RefusalError(422, "bad_request")
    return moment, call_id


def open_call(store: Store, reach: Reach, call_id: str, prices: Prices = PRICES) -> CallFile:
    """One call whole; one out of reach is as unknown as one that does not exist (404)."""
    head = owner(store, reach, call_id)
    stored = read_stored(store, call_id)
    only = {"call_id": call_id}
    reviews = store.rows(
        "SELECT * FROM reviews WHERE call_id = $call_id ORDER BY reviewed_at", only
    )
    appeals = store.rows("SELECT * FROM appeals WHERE call_id = $call_id ORDER BY made_at", only)
    accepted = store.rows("SELECT accepted_at FROM acceptances WHERE call_id = $call_id", only)
    states = store.rows("SELECT * FROM states WHERE call_id = $call_id ORDER BY made_at", only)
    card = stored.analysis.scorecard
    return CallFile(
        call=stored.call,
        transcript=stored.transcript,
        card=card,
        recording=stored.recording,
        agent_name=head["agent_name"] or stored.call.agent,
        team=head["team"],
        reviews=reviews,
        appeals=appeals,
        accepted_at=accepted[0]["accepted_at"] if accepted else None,
        states=states,
        revised=revise(card, rulings(reviews, appeals), prices),
    )


def read_stored(store: Store, call_id: str) -> StoredCall:
    """What is stored of a call; records that cannot be read are refused (409) and logged."""
    try:
        stored = store.stored(call_id)
    except HandoverError as error:
        log.error("stored call cannot be read", call_id=call_id, error=error.message)
        raise RefusalError(409, "damaged") from error
    if stored is None:
        raise not_found()
    return stored


def owner(store: Store, reach: Reach, call_id: str) -> dict[str, Any]:
    """Whose call it is (agent, agent_name, team); a call out of reach answers 404."""
    found = store.rows(
        "SELECT c.agent, a.name AS agent_name, a.team FROM calls c LEFT JOIN agents a USING (agent)"
        " WHERE c.call_id = $call_id",
        {"call_id": call_id},
    )
    if not found or not reach.covers(found[0]["agent"], found[0]["team"]):
        raise not_found()
    return found[0]


def rulings(reviews: list[dict[str, Any]], appeals: list[dict[str, Any]]) -> list[Ruling]:
    """What people ruled on one call, in order of time: reviews and upheld appeals."""
    said: list[tuple[datetime, Mapping[str, Any]]] = [
        (r["reviewed_at"], r) for r in reviews if r["status"] is not None
    ]
    said += [(a["decided_at"], a) for a in appeals if a["state"] == "upheld"]
    return [
        Ruling(rule=row["rule"], finding=row.get("finding"), status=Status(row["status"]))
        for _, row in sorted(said, key=lambda pair: pair[0])
    ]


def teams(store: Store, reach: Reach) -> list[str]:
    """The teams within reach, for a filter."""
    if reach.nothing or reach.agent is not None:
        return []
    found = store.rows("SELECT DISTINCT team FROM agents WHERE team IS NOT NULL ORDER BY team")
    return [row["team"] for row in found if reach.team in (None, row["team"])]
