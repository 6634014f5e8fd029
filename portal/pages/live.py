"""The live board: what is going on right now, pushed to the page (server-sent events)."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from portal.access import SUPERVISORS, Gate, Person
from portal.desk import Desk, desk_of, page, person_of
from portal.errors import RefusalError
from portal.figures import overview
from portal.ports import LiveFinding

_BEAT_S = 1.0
_FIGURES_EVERY = 10
"""Beats between two looks at the day's figures."""
_MOST_WATCHERS = 50
_ALERTS_KEPT = timedelta(hours=12)
_MOST_ALERTS = 20


def add(gate: Gate) -> None:
    """Add the routes of this module."""
    gate.add("GET", "/live", live, SUPERVISORS)
    gate.add("GET", "/live/events", events, SUPERVISORS)


def live(request: Request) -> Response:
    """The board as it is now; the page then listens to ``/live/events``."""
    desk = desk_of(request)
    return page(request, "live.html", {"wired": desk.board is not None})


async def events(request: Request) -> Response:
    """A stream of board states, one a second."""
    desk, person = desk_of(request), person_of(request)
    if desk.watchers >= _MOST_WATCHERS:
        raise RefusalError(503, "busy")
    return StreamingResponse(
        _stream(request, desk, person),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )


async def _stream(request: Request, desk: Desk, person: Person) -> AsyncIterator[str]:
    desk.watchers += 1
    cookie = request.cookies.get(desk.session_cookie)
    try:
        beat = 0
        figures: dict[str, Any] = {}
        while await _watched(request, desk, cookie):
            if beat % _FIGURES_EVERY == 0:
                figures = await run_in_threadpool(_today, desk, person)
            body = {**await run_in_threadpool(_board, desk, person), **figures}
            yield f"data: {json.dumps(body, ensure_ascii=False)}\n\n"
            beat += 1
            await asyncio.sleep(_BEAT_S)
    finally:
        desk.watchers -= 1


async def _watched(request: Request, desk: Desk, cookie: str | None) -> bool:
    """Whether somebody who is still signed in looks on, and the service means to go on."""
    if desk.closing.is_set() or not desk.sessions.lives(cookie):
        return False
    return not await request.is_disconnected()


def _board(desk: Desk, person: Person) -> dict[str, Any]:
    """The calls under way within the person's reach, and the taps' health."""
    now = desk.clock()
    names = _agents(desk)
    alerts = _alerts(desk, person, now, names)
    if desk.board is None:
        return {"calls": [], "taps": [], "alerts": alerts}
    board = desk.board()
    calls = []
    for call in board.calls:
        name, team = names.get(call.agent, (call.agent, None))
        if person.reach.covers(call.agent, team):
            calls.append(
                {
                    "agent": name or call.agent,
                    "team": team or "",
                    "state": call.state,
                    "ms": max(0, _ms(now, call.since)),
                    "heard": [_heard(desk, one) for one in desk.live_findings.of(call.call_id)],
                }
            )
    taps = [{"name": t.name, "hears": t.hears, "detail": t.detail} for t in board.taps]
    return {"calls": calls, "taps": taps, "alerts": alerts}


def _heard(desk: Desk, one: LiveFinding) -> dict[str, Any]:
    family = desk.book.families.get(one.family)
    return {
        "family": family.name if family else one.family,
        "severity": one.severity,
        "status": one.status,
        "at_ms": one.at_ms,
    }


def _alerts(
    desk: Desk, person: Person, now: datetime, names: dict[str, tuple[str, str | None]]
) -> list[dict[str, Any]]:
    """The alerts of the last hours, newest first; those of calls only within the reach."""
    rows = desk.store.rows(
        "SELECT kind, subject, agent, raised_at, closed_at FROM alerts"
        " WHERE closed_at IS NULL OR raised_at >= $since ORDER BY alert_id DESC LIMIT $many",
        {"since": now - _ALERTS_KEPT, "many": _MOST_ALERTS},
    )
    shown = []
    for row in rows:
        agent = row["agent"]
        name, team = names.get(agent, (agent, None))
        if agent is not None and not person.reach.covers(agent, team):
            continue
        shown.append(
            {
                "kind": row["kind"],
                "subject": row["subject"] if agent is None else name,
                "call_id": "" if agent is None else row["subject"],
                "open": row["closed_at"] is None,
                "ms": max(0, _ms(now, row["raised_at"])),
            }
        )
    return shown


def _agents(desk: Desk) -> dict[str, tuple[str, str | None]]:
    rows = desk.store.rows("SELECT agent, name, team FROM agents")
    return {row["agent"]: (row["name"], row["team"]) for row in rows}


def _today(desk: Desk, person: Person) -> dict[str, Any]:
    zone = ZoneInfo(desk.settings.time_zone)
    day = desk.clock().astimezone(zone).date()
    totals = overview(desk.store, person.reach, zone, day, day).totals
    return {"three_rings": totals["three_rings"], "today": totals["calls"]}


def _ms(now: datetime, since: datetime) -> int:
    return int((now - since).total_seconds() * 1000)
