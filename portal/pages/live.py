"""The live board: what is going on right now, pushed to the page (server-sent events)."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from portal.access import SUPERVISORS, Gate, Person
from portal.desk import Desk, desk_of, page, person_of
from portal.errors import RefusalError
from portal.figures import overview

_BEAT_S = 1.0
_FIGURES_EVERY = 10
"""Beats between two looks at the day's figures."""
_MOST_WATCHERS = 50


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
    if desk.board is None:
        return {"calls": [], "taps": []}
    now = desk.clock()
    board = desk.board()
    names = _agents(desk)
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
                }
            )
    taps = [{"name": t.name, "hears": t.hears, "detail": t.detail} for t in board.taps]
    return {"calls": calls, "taps": taps}


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
