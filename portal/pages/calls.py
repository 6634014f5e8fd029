"""Calls: the list, one call with its audio, an agent's answer to it, and search."""

from typing import Annotated
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import Form, Query, Request
from starlette.responses import JSONResponse, Response

from calls.errors import RecordingError
from calls.hit import Status
from calls.masks import mask_text
from calls.numbers import shown
from portal.access import AGENTS, LISTENERS, Gate
from portal.appeals import LONGEST_TEXT, Appeals
from portal.audio import audio_response
from portal.desk import desk_of, go, page, person_of
from portal.errors import RefusalError, not_found
from portal.peaks import peaks
from portal.records import (
    SHOWS,
    Filter,
    calls_page,
    day_of,
    open_call,
    owner,
    read_stored,
    teams,
)
from portal.search import By, search
from portal.timeline import timeline
from portal.transcripts import lines

_LONGEST_QUERY = 100
Text = Annotated[str, Query(max_length=_LONGEST_QUERY)]
Day = Annotated[str, Query(pattern=r"^(\d{4}-\d\d-\d\d)?$")]


def add(gate: Gate) -> None:
    """Add the routes of this module."""
    gate.add("GET", "/calls", calls, LISTENERS)
    gate.add("GET", "/calls/{call_id}", call, LISTENERS)
    gate.add("GET", "/calls/{call_id}/audio", audio, LISTENERS)
    gate.add("GET", "/calls/{call_id}/peaks", shape, LISTENERS)
    gate.add("POST", "/calls/{call_id}/accept", accept, AGENTS)
    gate.add("POST", "/calls/{call_id}/appeals", appeal, AGENTS)
    gate.add("GET", "/search", search_page, LISTENERS)


def wanted(agent: str, team: str, rule: str, show: str, since: str, until: str) -> Filter:
    """The filter that an address asks for."""
    return Filter(
        agent=agent, team=team, rule=rule, show=show, since=day_of(since), until=day_of(until)
    )


def calls(
    request: Request,
    agent: Text = "",
    team: Text = "",
    rule: Text = "",
    show: Text = "",
    since: Day = "",
    until: Day = "",
    after: Annotated[str, Query(max_length=300)] = "",
) -> Response:
    """The calls within reach, newest first, with a filter."""
    desk, person = desk_of(request), person_of(request)
    asked = wanted(agent, team, rule, show, since, until)
    zone = ZoneInfo(desk.settings.time_zone)
    found = calls_page(desk.store, person.reach, asked, zone, now=desk.clock(), after=after)
    context = {
        "found": found,
        "asked": asked,
        "shows": SHOWS[1:],
        "teams": teams(desk.store, person.reach),
        "own": person.reach.agent is not None,
        "more": urlencode(asked.query(after=found.next)),
    }
    return page(request, "calls.html", context)


def call(request: Request, call_id: str) -> Response:
    """One call: audio, transcript, findings, scorecard, and the agent's answer."""
    desk, person = desk_of(request), person_of(request)
    file = open_call(desk.store, person.reach, call_id, desk.prices)
    desk.store.audit(person.user_id, "view_call", call_id)
    desk_appeals = Appeals(desk.store, desk.settings, desk.clock, desk.prices)
    until = desk_appeals.deadline(file)
    own = person.agent is not None and person.agent == file.call.agent
    findings = file.revised.findings
    context = {
        "file": file,
        "call": file.call,
        "line": timeline(file.call, file.card.ring_ms),
        "lines": lines(file.transcript, findings) if file.transcript else [],
        "findings": findings,
        "own": own,
        "until": until,
        "in_time": desk.clock() <= until,
        "appealable": [i for i in file.revised.items if i.status is not Status.NA],
        "data": {
            "duration": (file.call.recording.duration_ms or 0) / 1000 if file.call.recording else 0,
            "findings": [
                {"start": f.start_ms, "end": f.end_ms, "channel": f.channel, "status": f.status}
                for f in findings
            ],
        },
        "mask": mask_text,
    }
    return page(request, "call.html", context)


def audio(request: Request, call_id: str) -> Response:
    """The recording, whole or in part (RFC 9110 ranges); each hearing is in the audit log."""
    desk, person = desk_of(request), person_of(request)
    owner(desk.store, person.reach, call_id)
    stored = read_stored(desk.store, call_id)
    if stored.recording is None or not stored.recording.is_file():
        raise not_found()
    asked = request.headers.get("Range", "bytes=0-")
    if asked.startswith("bytes=0-"):
        desk.store.audit(person.user_id, "play_audio", call_id)
    return audio_response(stored.recording)


def shape(request: Request, call_id: str) -> Response:
    """The waveform's peaks, so that a browser need not load the whole recording to draw it."""
    desk = desk_of(request)
    owner(desk.store, person_of(request).reach, call_id)
    stored = read_stored(desk.store, call_id)
    if stored.recording is None:
        raise not_found()
    try:
        return JSONResponse({"peaks": peaks(stored.recording)})
    except RecordingError as error:
        raise not_found() from error


def accept(request: Request, call_id: str) -> Response:
    """The agent accepts the scorecard."""
    desk, person = desk_of(request), person_of(request)
    file = open_call(desk.store, person.reach, call_id, desk.prices)
    Appeals(desk.store, desk.settings, desk.clock, desk.prices).accept(person, file)
    return go(request, f"/calls/{call_id}")


def appeal(
    request: Request,
    call_id: str,
    rule: Annotated[str, Form(max_length=_LONGEST_QUERY)],
    reason: Annotated[str, Form(max_length=LONGEST_TEXT)],
    start: Annotated[str, Form(pattern=r"^(\d{1,5}(\.\d{1,3})?)?$")] = "",
    end: Annotated[str, Form(pattern=r"^(\d{1,5}(\.\d{1,3})?)?$")] = "",
) -> Response:
    """The agent appeals one rule; ``start`` and ``end`` are seconds in the recording."""
    desk, person = desk_of(request), person_of(request)
    file = open_call(desk.store, person.reach, call_id, desk.prices)
    mark = _mark(start, end)
    Appeals(desk.store, desk.settings, desk.clock, desk.prices).appeal(
        person, file, rule, reason, mark
    )
    return go(request, f"/calls/{call_id}#appeals")


def _mark(start: str, end: str) -> tuple[int, int] | None:
    if not start:
        return None
    first = round(float(start) * 1000)
    last = round(float(end) * 1000) if end else first
    if last < first:
        raise RefusalError(422, "bad_request")
    return first, last


def search_page(
    request: Request, words: Text = "", by: By = By.SOUND, channel: Text = ""
) -> Response:
    """Search what was said, within reach; what was searched for is not in the audit log."""
    desk, person = desk_of(request), person_of(request)
    found = search(desk.store, person.reach, words, by=by, channel=channel)
    if words:
        desk.store.audit(person.user_id, "search", "", {"found": len(found)})
    rows = [{**row, "text": shown(row["text"])} for row in found]
    context = {"words": words, "by": by, "channel": channel, "found": rows}
    return page(request, "search.html", context)
