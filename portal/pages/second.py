"""The second factor: its code at sign-in, turning it on with a QR code, and off again."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import Form, Request
from starlette.responses import Response

from portal.access import EVERYONE, Gate, Person
from portal.accounts import CODE, Outcome
from portal.desk import address_of, desk_of, go, home_of, local_path, page, person_of, session_of
from portal.pages.doors import enter

_LONGEST = 64
Code = Annotated[str, Form(max_length=_LONGEST)]
Where = Annotated[str, Form(max_length=300)]


def add(gate: Gate) -> None:
    """Add the routes of this module."""
    gate.add("GET", "/second", second, EVERYONE)
    gate.add("POST", "/second", give_code, EVERYONE)


def second(request: Request, next: str = "") -> Response:
    """Ask for the code, or show how to turn the factor on or off."""
    return _page(request, next=next)


def _page(request: Request, *, next: str = "", fault: str = "", **more: Any) -> Response:
    desk, person = desk_of(request), person_of(request)
    factors = desk.accounts.second_factors
    enrolled = factors.enrolled(person.user_id)
    context = {
        "ask": person.second == CODE,
        "enrolled": enrolled,
        "enrolment": None if enrolled else factors.begin(person.user_id),
        "left": factors.recovery_left(person.user_id) if enrolled else 0,
        "must": desk.accounts.needs_second(person),
        "fault": fault,
        "next": next,
        "codes": [],
        **more,
    }
    return page(request, "second.html", context, status=422 if fault else 200)


def give_code(request: Request, code: Code, next: Where = "", action: Code = "enter") -> Response:
    """Take a code: to come in, to turn the factor on, or to turn it off."""
    desk, person = desk_of(request), person_of(request)
    accounts, user_id = desk.accounts, person.user_id
    if person.second != CODE and not accounts.second_factors.enrolled(user_id):
        codes = accounts.enrol(user_id, code.strip())
        if not codes:
            return _page(request, next=next, fault="second.wrong")
        response = _page(request, codes=codes, home=home_of(person))
        return enter(request, response, replace(person, second=""))
    outcome = accounts.second_step(user_id, code, address_of(request))
    if outcome is Outcome.LOCKED:
        return go(request, "/login")
    if outcome is not Outcome.OK:
        return _page(request, next=next, fault="second.wrong")
    if person.second != CODE and action == "off" and not accounts.needs_second(person):
        accounts.drop_second_factor(user_id, by=user_id)
        return go(request, "/login")
    return _come_in(request, replace(session_of(request).person, second=""), next)


def _come_in(request: Request, person: Person, next: str) -> Response:
    where = "/password" if person.must_change else local_path(next, home_of(person))
    return enter(request, go(request, where), person)
