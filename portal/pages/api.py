"""API version 1: JSON for other systems, by token; described by OpenAPI."""

from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import Path, Query, Request
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from starlette.responses import FileResponse, JSONResponse, Response

from calls.masks import mask_number, mask_text
from portal.access import LISTENERS, STAFF, Gate
from portal.audio import audio_response
from portal.desk import desk_of, person_of
from portal.errors import not_found
from portal.figures import overview
from portal.pages.calls import Day, Text, wanted
from portal.pages.figures import period
from portal.records import calls_page, open_call, owner, read_stored
from portal.search import By, search

VERSION = "1.0"
_MOST = 200
_CALL_ID = r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,199}$"
CallId = Annotated[str, Path(pattern=_CALL_ID)]


class ErrorBody(BaseModel):
    """What went wrong: a stable code and words for people."""

    code: str
    message: str


class ErrorAnswer(BaseModel):
    """The one shape of every error."""

    error: ErrorBody


class CallRow(BaseModel):
    """One call in a list."""

    call_id: str
    agent: str
    team: str | None
    caller: str
    invited_at: datetime
    answered_at: datetime | None
    ended_by: str
    ring_ms: int | None
    rings: int | None
    duration_ms: int | None
    score: float | None
    final_score: float | None
    fails: int
    reviews: int
    veto: bool


class CallList(BaseModel):
    """A page of calls; ``next`` goes into ``after`` for the next one, empty at the end."""

    calls: list[CallRow]
    next: str


class ItemOut(BaseModel):
    """A rule's verdict as it stands now."""

    rule: str
    status: str
    earned: float
    weight: float
    clause: str
    veto: str | None
    explanation: str


class FindingOut(BaseModel):
    """A finding as it stands now."""

    rule: str
    family: str
    phrase: str
    heard: str
    channel: str
    start_ms: int
    end_ms: int
    confidence: float
    severity: str
    status: str


class LineOut(BaseModel):
    """An utterance, personal data masked."""

    channel: str
    start_ms: int
    end_ms: int
    text: str


class CallOut(BaseModel):
    """One call whole."""

    call_id: str
    agent: str
    team: str | None
    caller: str
    invited_at: datetime
    ended_by: str
    ring_ms: int | None
    rings: int | None
    scores: dict[str, float | None]
    """``automatic``, ``reviewed``, ``decided``; those that exist."""
    items: list[ItemOut]
    findings: list[FindingOut]
    transcript: list[LineOut]
    versions: dict[str, str]


class PlaceOut(BaseModel):
    """A place where words were said."""

    call_id: str
    agent: str
    channel: str
    start_ms: int
    text: str
    literal: bool
    """Whether the very characters are there, not only their sound."""


class PlaceList(BaseModel):
    """What a search found."""

    found: list[PlaceOut]


class OverviewOut(BaseModel):
    """A period's figures; rates are 0–1, null where nothing is to be counted."""

    calls: int
    answered: int
    three_rings: float | None
    answer_rate: float | None
    score: float | None
    vetoes: int
    rules: dict[str, int]
    """Failed verdicts by rule."""


_ERRORS: dict[int | str, dict[str, Any]] = {
    code: {"model": ErrorAnswer} for code in (401, 403, 404, 422)
}


def add(gate: Gate) -> None:
    """Add the routes of this module."""

    def get(path: str, endpoint: Any, scope: str, **options: Any) -> None:
        roles = STAFF if scope == "reports" else LISTENERS
        gate.add(
            "GET", f"/api/v1{path}", endpoint, roles, scope=scope, responses=_ERRORS, **options
        )

    get("/calls", list_calls, "calls", response_model=CallList)
    get("/calls/{call_id}", get_call, "calls", response_model=CallOut)
    get("/calls/{call_id}/audio", get_audio, "audio", response_class=FileResponse)
    get("/search", find, "calls", response_model=PlaceList)
    get("/reports/overview", report, "reports", response_model=OverviewOut)
    gate.add("GET", "/api/v1/openapi.json", describe, None)


def describe(request: Request) -> Response:
    """The description of this API (OpenAPI 3.1)."""
    spec = get_openapi(
        title="Sansheng", version=VERSION, routes=request.app.routes, servers=[{"url": "/"}]
    )
    spec.setdefault("components", {})["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer"}
    }
    spec["security"] = [{"token": []}]
    return JSONResponse(spec)


def list_calls(
    request: Request,
    agent: Text = "",
    team: Text = "",
    rule: Text = "",
    show: Text = "",
    since: Day = "",
    until: Day = "",
    after: Annotated[str, Query(max_length=300)] = "",
    limit: Annotated[int, Query(ge=1, le=_MOST)] = 50,
) -> CallList:
    """Calls within the token owner's reach, newest first."""
    desk, person = desk_of(request), person_of(request)
    asked = wanted(agent, team, rule, show, since, until)
    zone = ZoneInfo(desk.settings.time_zone)
    found = calls_page(
        desk.store, person.reach, asked, zone, now=desk.clock(), after=after, many=limit
    )
    rows = [
        CallRow.model_validate({**row, "caller": mask_number(row["caller"])}) for row in found.rows
    ]
    return CallList(calls=rows, next=found.next)


def get_call(request: Request, call_id: CallId) -> CallOut:
    """One call with its verdicts as they stand now; the view is in the audit log."""
    desk, person = desk_of(request), person_of(request)
    file = open_call(desk.store, person.reach, call_id, desk.prices)
    desk.store.audit(person.user_id, "view_call", call_id, {"api": 1})
    scores = {"automatic": file.card.score} | {s["state"]: s["score"] for s in file.states}
    versions = file.card.versions
    return CallOut(
        call_id=call_id,
        agent=file.call.agent,
        team=file.team,
        caller=mask_number(file.call.caller),
        invited_at=file.call.invited_at,
        ended_by=file.call.ended_by,
        ring_ms=file.card.ring_ms,
        rings=file.card.rings,
        scores=scores,
        items=[
            ItemOut(
                rule=i.rule,
                status=i.status,
                earned=i.earned,
                weight=i.weight,
                clause=i.clause,
                veto=i.veto,
                explanation=mask_text(i.explanation),
            )
            for i in file.revised.items
        ],
        findings=[
            FindingOut(
                rule=f.rule,
                family=f.family,
                phrase=f.phrase,
                heard=mask_text(f.heard),
                channel=f.channel,
                start_ms=f.start_ms,
                end_ms=f.end_ms,
                confidence=f.confidence,
                severity=f.severity,
                status=f.status,
            )
            for f in file.revised.findings
        ],
        transcript=[
            LineOut(channel=u.channel, start_ms=u.start_ms, end_ms=u.end_ms, text=mask_text(u.text))
            for u in (file.transcript.utterances if file.transcript else ())
        ],
        versions={
            "rules": versions.rules,
            "phrasebook": versions.phrasebook,
            "engine": versions.engine,
            "model": versions.model,
        },
    )


def get_audio(request: Request, call_id: CallId) -> FileResponse:
    """The recording, left the caller, right the agent; ranges are answered."""
    desk, person = desk_of(request), person_of(request)
    owner(desk.store, person.reach, call_id)
    stored = read_stored(desk.store, call_id)
    if stored.recording is None or not stored.recording.is_file():
        raise not_found()
    desk.store.audit(person.user_id, "play_audio", call_id, {"api": 1})
    return audio_response(stored.recording)


def find(
    request: Request,
    words: Annotated[str, Query(min_length=2, max_length=60)],
    by: By = By.WORDS,
) -> PlaceList:
    """Where words, or what sounds like them, were said, within reach."""
    desk, person = desk_of(request), person_of(request)
    found = search(desk.store, person.reach, words, by=by)
    desk.store.audit(person.user_id, "search", "", {"found": len(found), "api": 1})
    return PlaceList(
        found=[PlaceOut.model_validate({**row, "text": mask_text(row["text"])}) for row in found]
    )


def report(request: Request, since: Day = "", until: Day = "", team: Text = "") -> OverviewOut:
    """The overview of a period, by default the last seven days."""
    desk, person = desk_of(request), person_of(request)
    first, last, zone = period(request, since, until)
    found = overview(desk.store, person.reach, zone, first, last, team)
    desk.store.audit(person.user_id, "export", "overview", {"api": 1})
    return OverviewOut.model_validate(
        {**found.totals, "rules": {row["rule"]: row["fails"] for row in found.rules}}
    )
