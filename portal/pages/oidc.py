"""Sign-in at the site's own identity provider: the way there and the way back."""

import secrets

import structlog
from fastapi import Request
from starlette.responses import RedirectResponse, Response

from portal.access import Gate
from portal.desk import address_of, desk_of, home_of, local_path, page
from portal.errors import not_found
from portal.oidc import CALLBACK, Oidc, OidcError
from portal.pages.doors import enter, login_page
from portal.visitors import Visitors

log = structlog.get_logger()

_BROWSER_COOKIE = "sansheng_oidc"
_COOKIE_S = 600


def add(gate: Gate) -> None:
    """Add the routes of this module."""
    gate.add("GET", "/oidc/login", leave, None)
    gate.add("GET", CALLBACK, come_back, None)


def _provider(request: Request) -> Oidc:
    oidc = desk_of(request).oidc
    if oidc is None:
        raise not_found()
    return oidc


def leave(request: Request, next: str = "") -> Response:
    """Send the browser to the provider, with a cookie that ties the answer to it.

    The cookie is Lax: the way back begins on the provider's site.
    """
    oidc = _provider(request)
    browser = secrets.token_urlsafe(32)
    try:
        response = RedirectResponse(oidc.begin(browser, local_path(next, "")), status_code=303)
    except OidcError as error:
        return _refused(request, error)
    response.set_cookie(
        _BROWSER_COOKIE,
        browser,
        max_age=_COOKIE_S,
        httponly=True,
        samesite="lax",
        secure=desk_of(request).settings.tls_proxy,
        path="/oidc",
    )
    return response


def come_back(request: Request, state: str = "", code: str = "") -> Response:
    """Check the provider's answer and open a session.

    The answer is a page that goes on by itself: a redirect would still count as the provider's, and
    the browser would hold the session's cookie back.
    """
    desk, oidc = desk_of(request), _provider(request)
    try:
        visitor = oidc.finish(request.cookies.get(_BROWSER_COOKIE), state, code)
        visitors = Visitors(desk.store, desk.accounts, oidc.settings)
        person = visitors.person(visitor, address_of(request))
    except OidcError as error:
        return _refused(request, error)
    where = local_path(visitor.next, home_of(person))
    response = enter(request, page(request, "enter.html", {"where": where}), person)
    response.delete_cookie(_BROWSER_COOKIE, path="/oidc")
    return response


def _refused(request: Request, error: OidcError) -> Response:
    log.warning("sign-in refused", reason=str(error))
    return login_page(request, fault="login.oidc_refused", status=401)
