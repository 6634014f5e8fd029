"""Administration: users, the audit log, and everybody's own API tokens."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import Form, Query, Request
from starlette.responses import Response

from calls.errors import SettingsError
from portal.access import ADMINS, SUPERVISORS, Gate, Role
from portal.desk import Desk, desk_of, go, page, person_of
from portal.errors import RefusalError
from portal.tokens import SCOPES, Tokens

_LONGEST = 128
_AUDIT_PAGE = 100
Word = Annotated[str, Form(max_length=_LONGEST)]
Words = Annotated[list[str], Form(default_factory=list, max_length=8)]


def add(gate: Gate) -> None:
    """Add the routes of this module."""
    gate.add("GET", "/admin/users", users, ADMINS)
    gate.add("POST", "/admin/users", add_user, ADMINS)
    gate.add("POST", "/admin/users/{user_id}", change_user, ADMINS)
    gate.add("GET", "/admin/audit", audit, ADMINS)
    gate.add("GET", "/tokens", tokens, ADMINS | SUPERVISORS)
    gate.add("POST", "/tokens", add_token, ADMINS | SUPERVISORS)
    gate.add("POST", "/tokens/{token_id}/revoke", revoke_token, ADMINS | SUPERVISORS)


def users(request: Request, added: str = "") -> Response:
    """Every account and a form for another."""
    return _users_page(request, added=added)


def _users_page(request: Request, *, added: str = "", fault: str = "") -> Response:
    desk = desk_of(request)
    known = desk.accounts.all()
    context = {
        "accounts": known,
        "now": desk.clock(),
        "roles": list(Role),
        "second": desk.accounts.second_factors.users(),
        "fault": fault,
        "added": added if added in {a.user_id for a in known} else "",
        "least": desk.settings.password_length,
        "days": desk.settings.password_days,
    }
    return page(request, "users.html", context, status=422 if fault else 200)


def add_user(
    request: Request,
    user_id: Word,
    password: Word,
    roles: Words,
    name: Word = "",
    team: Word = "",
    agent: Word = "",
) -> Response:
    """Add an account; its password must be changed at the first sign-in."""
    desk = desk_of(request)
    if not set(roles) <= set(Role):
        raise RefusalError(422, "bad_request")
    try:
        desk.accounts.add(
            user_id.strip(),
            name.strip(),
            frozenset(Role(r) for r in roles),
            password=password,
            team=team.strip() or None,
            agent=agent.strip() or None,
            by=person_of(request).user_id,
        )
    except SettingsError:
        return _users_page(request, fault="users.bad")
    return go(request, f"/admin/users?{urlencode({'added': user_id.strip()})}")


def change_user(request: Request, user_id: str, action: Word, password: Word = "") -> Response:
    """Close, open or unlock an account, set its password, take a lost second factor away."""
    desk, by = desk_of(request), person_of(request).user_id
    try:
        match action:
            case "disable" | "enable":
                desk.accounts.set_disabled(user_id, action == "disable", by=by)
            case "unlock":
                desk.accounts.unlock(user_id, by=by)
            case "drop_second":
                desk.accounts.drop_second_factor(user_id, by=by)
            case "reset":
                desk.accounts.reset_password(user_id, password, by=by)
            case _:
                raise RefusalError(422, "bad_request")
    except SettingsError:
        fault = "users.last_admin" if action == "disable" else "users.bad"
        return _users_page(request, fault=fault)
    return go(request, "/admin/users")


def audit(
    request: Request,
    person: Annotated[str, Query(max_length=_LONGEST)] = "",
    action: Annotated[str, Query(max_length=_LONGEST)] = "",
    before: Annotated[int, Query(ge=0, le=2**53)] = 0,
) -> Response:
    """The audit log, newest first, and whether its hash chain holds."""
    desk = desk_of(request)
    rows = desk.store.rows(
        "SELECT seq, happened_at, actor, action, subject, detail FROM audit"
        " WHERE ($person = '' OR actor = $person) AND ($action = '' OR action = $action)"
        " AND ($before = 0 OR seq < $before) ORDER BY seq DESC LIMIT $many",
        {"person": person, "action": action, "before": before, "many": _AUDIT_PAGE},
    )
    last = rows[-1]["seq"] if len(rows) == _AUDIT_PAGE else 0
    context = {
        "rows": rows,
        "asked_person": person,
        "asked_action": action,
        "more": urlencode({"person": person, "action": action, "before": last}) if last else "",
        "broken": desk.store.audit_verify(),
        "count": desk.store.rows("SELECT count(*) AS many FROM audit")[0]["many"],
        "actions": [
            r["action"] for r in desk.store.rows("SELECT DISTINCT action FROM audit ORDER BY 1")
        ],
    }
    return page(request, "audit.html", context)


def _tokens(desk: Desk) -> Tokens:
    return Tokens(desk.store, desk.settings, desk.accounts, desk.clock)


def tokens(request: Request) -> Response:
    """One's own tokens."""
    return _tokens_page(request, "")


def _tokens_page(request: Request, made: str) -> Response:
    desk = desk_of(request)
    context = {
        "tokens": _tokens(desk).of(person_of(request)),
        "scopes": SCOPES,
        "made": made,
        "now": desk.clock(),
    }
    return page(request, "tokens.html", context)


def add_token(request: Request, name: Word, scopes: Words) -> Response:
    """Make a token and show it, once."""
    made = _tokens(desk_of(request)).add(person_of(request), name, scopes)
    return _tokens_page(request, made)


def revoke_token(request: Request, token_id: str) -> Response:
    """End a token."""
    _tokens(desk_of(request)).revoke(person_of(request), token_id)
    return go(request, "/tokens")
