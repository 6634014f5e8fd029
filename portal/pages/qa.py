"""QA's pages: the queue, one thing at a time with keys, and the appeal desk."""

from typing import Annotated, Any

from fastapi import Form, Request
from starlette.responses import Response

from calls.hit import Status
from calls.masks import mask_text
from portal.access import REVIEWERS, STAFF, Gate, Person
from portal.appeals import LONGEST_TEXT, Appeals
from portal.calibration import DAYS, look
from portal.desk import Desk, desk_of, go, page, person_of
from portal.errors import RefusalError
from portal.records import CallFile, open_call
from portal.reviews import LONGEST_COMMENT, Entry, Reviews
from portal.timeline import timeline
from portal.transcripts import lines
from portal.verdicts import WHOLE_CALL

_CONTEXT_MS = 12_000
"""How much talk before and after a claim the queue shows."""
_RULINGS = (Status.PASS, Status.FAIL, Status.NA)
Word = Annotated[str, Form(max_length=200)]


def add(gate: Gate) -> None:
    """Add the routes of this module."""
    gate.add("GET", "/queue", queue, REVIEWERS)
    gate.add("POST", "/queue", decide, REVIEWERS)
    gate.add("GET", "/calibration", calibration, STAFF)
    gate.add("GET", "/appeals", appeals, REVIEWERS)
    gate.add("POST", "/appeals/{appeal_id}", decide_appeal, REVIEWERS)


def _reviews(desk: Desk) -> Reviews:
    return Reviews(desk.store, desk.settings, desk.clock, desk.waiting, desk.prices)


def queue(request: Request) -> Response:
    """The next thing to hear, with its audio, context and the machine's claim.

    What another reviewer said of it is not shown: a second opinion is one's own.
    """
    desk, person = desk_of(request), person_of(request)
    reviews = _reviews(desk)
    waiting = reviews.queue(person)
    found, skipped = _first_that_opens(desk, person, waiting)
    context: dict[str, Any] = {
        "left": sum(entry.call_id not in skipped for entry in waiting),
        "done": reviews.done_today(person),
        "skipped": skipped,
        "entry": None,
    }
    if found is None:
        return page(request, "queue.html", context)
    entry, file = found
    desk.store.audit(person.user_id, "view_call", entry.call_id)
    item = next((i for i in file.card.items if i.rule == entry.rule), None)
    finding = file.card.findings[entry.finding] if entry.finding is not None else None
    evidence = item.evidence[0] if item and item.evidence else None
    span = finding or evidence
    said = lines(file.transcript, file.card.findings) if file.transcript else []
    if span is not None:
        first, last = span.start_ms - _CONTEXT_MS, span.end_ms + _CONTEXT_MS
        said = [row for row in said if row.end_ms >= first and row.start_ms <= last]
    shown = [finding] if finding else list(file.card.findings)
    context |= {
        "entry": entry,
        "file": file,
        "call": file.call,
        "item": item,
        "finding": finding,
        "findings": file.card.findings,
        "lines": said,
        "line": timeline(file.call, file.card.ring_ms),
        "rulings": _RULINGS,
        "whole": entry.rule == WHOLE_CALL,
        "mask": mask_text,
        "data": {
            "duration": (file.call.recording.duration_ms or 0) / 1000 if file.call.recording else 0,
            "findings": [
                {"start": f.start_ms, "end": f.end_ms, "channel": f.channel, "status": f.status}
                for f in shown
            ]
            or (
                [
                    {
                        "start": evidence.start_ms,
                        "end": evidence.end_ms,
                        "channel": evidence.channel,
                        "status": entry.status,
                    }
                ]
                if evidence
                else []
            ),
        },
    }
    return page(request, "queue.html", context)


def _first_that_opens(
    desk: Desk, person: Person, waiting: list[Entry]
) -> tuple[tuple[Entry, CallFile] | None, list[str]]:
    """The next entry with its call, and the calls before it that cannot be opened.

    One damaged call must not keep a reviewer from all the others.
    """
    skipped: list[str] = []
    for entry in waiting:
        if entry.call_id in skipped:
            continue
        try:
            return (entry, open_call(desk.store, person.reach, entry.call_id, desk.prices)), skipped
        except RefusalError:
            skipped.append(entry.call_id)
    return None, skipped


def decide(
    request: Request,
    call_id: Word,
    rule: Word,
    decision: Word,
    finding: Annotated[str, Form(pattern=r"^\d{0,4}$")] = "",
    status: Word = "",
    comment: Annotated[str, Form(max_length=LONGEST_COMMENT)] = "",
) -> Response:
    """Keep the decision and go on to the next."""
    desk, person = desk_of(request), person_of(request)
    _reviews(desk).decide(
        person,
        (call_id, rule, int(finding) if finding else None),
        decision,
        status=_ruling(status),
        comment=comment,
    )
    return go(request, "/queue")


def calibration(request: Request) -> Response:
    """How far rules and reviewers, and reviewers among themselves, agree."""
    desk = desk_of(request)
    reach = person_of(request).reach
    view = look(desk.store, reach, desk.calibration, desk.clock()) if desk.calibration else None
    return page(request, "calibration.html", {"view": view, "days": DAYS})


def appeals(request: Request) -> Response:
    """Open appeals by deadline, then those decided."""
    desk, person = desk_of(request), person_of(request)
    found = Appeals(desk.store, desk.settings, desk.clock, desk.prices).desk(
        person.reach, open_only=False
    )
    context = {
        "waiting": [a for a in found if a["state"] == "open"],
        "done": [a for a in found if a["state"] != "open"],
        "now": desk.clock(),
        "rulings": _RULINGS,
    }
    return page(request, "appeals.html", context)


def decide_appeal(
    request: Request,
    appeal_id: int,
    verdict: Word,
    answer: Annotated[str, Form(max_length=LONGEST_TEXT)],
    status: Word = "",
) -> Response:
    """Uphold an appeal (saying what the verdict becomes) or reject it, with an answer."""
    if verdict not in ("uphold", "reject"):
        raise RefusalError(422, "bad_request")
    desk = desk_of(request)
    Appeals(desk.store, desk.settings, desk.clock, desk.prices).decide(
        person_of(request),
        appeal_id,
        upheld=verdict == "uphold",
        status=_ruling(status),
        answer=answer,
    )
    return go(request, "/appeals")


def _ruling(status: str) -> Status | None:
    if not status:
        return None
    if status not in _RULINGS:
        raise RefusalError(422, "bad_request")
    return Status(status)
