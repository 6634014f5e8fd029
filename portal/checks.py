"""The check at every route: who is there, may they, and is the form theirs."""

from urllib.parse import urlsplit

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from portal.access import Rule
from portal.desk import desk_of
from portal.errors import (
    ChangePasswordFirstError,
    SecondFactorFirstError,
    SignInFirstError,
    forbidden,
    stale_form,
)
from portal.tokens import Tokens

CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "csrf"
SAFE_METHODS = frozenset({"GET", "HEAD"})
_OPEN_TO_ALL_SIGNED_IN = frozenset({"/password", "/logout", "/preferences", "/second"})
_OPEN_BEFORE_SECOND = frozenset({"/second", "/logout"})


async def check(request: Request, rule: Rule) -> None:
    """Let the request through to its route, or raise the RefusalError that answers it."""
    if rule.roles is None:
        if request.method not in SAFE_METHODS:
            same_site(request)
        return
    if rule.scope is not None:
        await _token_check(request, rule, rule.scope)
        return
    desk = desk_of(request)
    session = desk.sessions.find(request.cookies.get(desk.session_cookie))
    if session is None:
        raise SignInFirstError
    request.state.session = session
    request.state.person = session.person
    if session.person.second and rule.path not in _OPEN_BEFORE_SECOND:
        raise SecondFactorFirstError
    if session.person.must_change and rule.path not in _OPEN_TO_ALL_SIGNED_IN:
        raise ChangePasswordFirstError
    if not session.person.has(rule.roles):
        raise forbidden()
    if request.method not in SAFE_METHODS:
        same_site(request)
        sent = request.headers.get(CSRF_HEADER) or (await request.form()).get(CSRF_FIELD)
        if not isinstance(sent, str) or not desk.sessions.owns(session, sent):
            raise stale_form()


async def _token_check(request: Request, rule: Rule, scope: str) -> None:
    desk = desk_of(request)
    tokens = Tokens(desk.store, desk.settings, desk.accounts, desk.clock)
    person = await run_in_threadpool(tokens.person, request.headers.get("Authorization"), scope)
    request.state.person = person
    if rule.roles is None or not person.has(rule.roles):
        raise forbidden()


def same_site(request: Request) -> None:
    """Refuse a request that another site's page made, where the browser says so."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise stale_form()
    origin = request.headers.get("Origin")
    if origin and urlsplit(origin).netloc != request.headers.get("Host"):
        raise stale_form()
