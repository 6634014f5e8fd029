"""Coming in and going out: sign in, sign out, change the password, language and theme."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import Form, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from portal.access import EVERYONE, Gate, Person
from portal.accounts import Outcome
from portal.desk import (
    THEMES,
    address_of,
    choice,
    desk_of,
    go,
    home_of,
    local_path,
    page,
    person_of,
    remember,
    session_of,
)
from portal.errors import stale_form
from portal.words import LANGUAGES

_DOOR_COOKIE = "sansheng_door"
_LONGEST_FIELD = 300

Field = Annotated[str, Form(max_length=_LONGEST_FIELD)]


def add(gate: Gate) -> None:
    """Add the routes of this module."""
    gate.add("GET", "/", home, EVERYONE)
    gate.add("GET", "/login", ask, None)
    gate.add("POST", "/login", login, None)
    gate.add("POST", "/logout", logout, EVERYONE)
    gate.add("GET", "/password", password_page, EVERYONE)
    gate.add("POST", "/password", change_password, EVERYONE)
    gate.add("POST", "/preferences", preferences, EVERYONE)
    gate.add("GET", "/health", health, None)


def health() -> dict[str, str]:
    """For a proxy or a watchdog: the process answers."""
    return {"status": "ok"}


def home(request: Request) -> Response:
    """The first page of the menu that the person's roles open."""
    return RedirectResponse(home_of(person_of(request)), status_code=303)


def ask(request: Request, next: str = "") -> Response:
    """The sign-in form."""
    return login_page(request, next=next)


def login_page(
    request: Request, *, next: str = "", user_id: str = "", fault: str = "", status: int = 200
) -> Response:
    """The sign-in form, tied to this browser, with what went wrong before."""
    desk = desk_of(request)
    cookie, token = desk.door.new()
    oidc = desk.settings.oidc
    context = {
        "door": token,
        "next": next,
        "user_id": user_id,
        "fault": fault,
        "oidc": oidc.label if oidc else "",
        "oidc_way": f"/oidc/login?{urlencode({'next': next})}",
    }
    response = page(request, "login.html", context, status=status)
    response.set_cookie(
        _DOOR_COOKIE, cookie, httponly=True, samesite="strict", secure=desk.settings.tls_proxy
    )
    return response


async def login(
    request: Request, user_id: Field, password: Field, door: Field = "", next: Field = ""
) -> Response:
    """Check the password and open a session under a new identifier."""
    desk = desk_of(request)
    if not desk.door.fits(request.cookies.get(_DOOR_COOKIE), door):
        raise stale_form()
    outcome, person = await run_in_threadpool(
        desk.accounts.sign_in, user_id.strip(), password, address_of(request)
    )
    if person is None:
        throttled = outcome is Outcome.THROTTLED
        fault, status = ("login.throttled", 429) if throttled else ("login.wrong", 401)
        return login_page(request, next=next, user_id=user_id, fault=fault, status=status)
    where = "/password" if person.must_change else local_path(next, home_of(person))
    if person.second:
        where = f"/second?{urlencode({'next': next})}"
    response = enter(request, RedirectResponse(where, status_code=303), person)
    response.delete_cookie(_DOOR_COOKIE)
    return response


def enter(request: Request, response: Response, person: Person) -> Response:
    """Open a session under a new identifier and hand its cookie out with an answer."""
    desk = desk_of(request)
    desk.sessions.end(request.cookies.get(desk.session_cookie))
    response.set_cookie(
        desk.session_cookie,
        desk.sessions.begin(person),
        httponly=True,
        samesite="strict",
        secure=desk.settings.tls_proxy,
        path="/",
    )
    return response


def logout(request: Request) -> Response:
    """End the session on the server, not only in the browser."""
    desk = desk_of(request)
    name = desk.session_cookie
    desk.sessions.end(request.cookies.get(name))
    desk.store.audit(person_of(request).user_id, "logout", address_of(request))
    response = go(request, "/login")
    response.delete_cookie(name)
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


def password_page(request: Request) -> Response:
    """The form for a new password, with its rules."""
    return _password_page(request, [])


def _password_page(request: Request, faults: list[str], status: int = 200) -> Response:
    settings = desk_of(request).settings
    context = {"faults": faults, "least": settings.password_length, "days": settings.password_days}
    return page(request, "password.html", context, status=status)


def change_password(request: Request, old: Field, new: Field, again: Field) -> Response:
    """Change one's own password; every session of the user ends, this one too."""
    desk, person = desk_of(request), person_of(request)
    faults = ["password.differs"] if new != again else []
    faults = faults or desk.accounts.change_password(person.user_id, old, new)
    if faults:
        return _password_page(request, faults, status=422)
    return go(request, f"/login?{urlencode({'next': '/'})}")


def preferences(
    request: Request, language: Field = "", theme: Field = "", back: Field = "/"
) -> Response:
    """Keep the browser's language and theme."""
    session_of(request)
    secure = desk_of(request).settings.tls_proxy
    response = go(request, local_path(back, "/"))
    if language:
        remember(response, "language", choice(language, LANGUAGES), secure=secure)
    if theme:
        remember(response, "theme", choice(theme, THEMES), secure=secure)
    return response
