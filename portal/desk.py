"""The portal's parts in one place, and what each request needs of them."""

import ipaddress
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import Request
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.responses import HTMLResponse, RedirectResponse, Response

from phrasebook.book import Phrasebook
from portal import filters
from portal.access import Person, Role
from portal.accounts import Accounts
from portal.clock import Clock
from portal.editions import Editions
from portal.figures import Overview
from portal.live_findings import LiveFindings
from portal.memo import Memo
from portal.oidc import Oidc
from portal.ports import Board, Calibration, InUse, Prices, Store
from portal.reviews import Entry
from portal.sessions import DoorToken, Session, Sessions
from portal.settings import PortalSettings
from portal.trials import Trials
from portal.words import LANGUAGES, Words, words

STATIC = Path(__file__).parent / "static"
_SESSION_COOKIE = "sansheng_session"
_YEAR_S = 365 * 24 * 3600
_THEMES = ("auto", "light", "dark")


@dataclass(frozen=True, slots=True)
class NavItem:
    """One entry of the navigation."""

    path: str
    key: str
    icon: str
    roles: frozenset[Role]


NAVIGATION = (
    NavItem("/me", "nav.me", "user", frozenset({Role.AGENT})),
    NavItem("/queue", "nav.queue", "list", frozenset({Role.QA})),
    NavItem("/appeals", "nav.appeals", "gavel", frozenset({Role.QA})),
    NavItem("/overview", "nav.overview", "bar-chart-3", frozenset({Role.SUPERVISOR, Role.QA})),
    NavItem("/calibration", "nav.calibration", "scale", frozenset({Role.SUPERVISOR, Role.QA})),
    NavItem("/phrases", "nav.phrases", "message-square", frozenset({Role.SUPERVISOR, Role.QA})),
    NavItem("/editions", "nav.editions", "file-text", frozenset({Role.SUPERVISOR, Role.QA})),
    NavItem("/live", "nav.live", "activity", frozenset({Role.SUPERVISOR})),
    NavItem("/calls", "nav.calls", "phone", frozenset({Role.AGENT, Role.QA, Role.SUPERVISOR})),
    NavItem("/search", "nav.search", "search", frozenset({Role.AGENT, Role.QA, Role.SUPERVISOR})),
    NavItem("/admin/users", "nav.users", "users", frozenset({Role.ADMIN})),
    NavItem("/admin/audit", "nav.audit", "shield", frozenset({Role.ADMIN})),
    NavItem("/tokens", "nav.tokens", "key-round", frozenset({Role.SUPERVISOR, Role.ADMIN})),
)
"""The pages in the order of the menu; the first that a person may open is their home."""


@dataclass
class Desk:
    """What every page works with; one a service, at ``app.state.desk``."""

    store: Store
    settings: PortalSettings
    accounts: Accounts
    sessions: Sessions
    door: DoorToken
    clock: Clock
    board: Callable[[], Board] | None
    live_findings: LiveFindings
    """What is heard in calls under way."""
    prices: Prices
    """What findings cost in the rules in use, so that every state's score is the judge's."""
    calibration: Calibration | None
    book: Phrasebook
    """The phrasebook in use, shown and tried."""
    oidc: Oidc | None
    """The site's own identity provider, if it has one."""
    editions: Editions | None
    """What QA write of phrases and rules; None where nothing can be published."""
    trials: Trials | None
    figures: Memo[Overview]
    """The overview's figures, kept for a few seconds: every supervisor's screen asks for them."""
    waiting: Memo[list[Entry]]
    """The queue of each reach, kept for a few seconds."""
    closing: threading.Event = field(default_factory=threading.Event)
    """Set when the service stops: live boards end by themselves."""
    watchers: int = 0
    """Open streams of the live board."""
    environment: Environment = field(init=False)

    def __post_init__(self) -> None:
        zone = ZoneInfo(self.settings.time_zone)
        self.environment = Environment(
            loader=PackageLoader("portal"),
            autoescape=select_autoescape(default=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.environment.filters.update(filters.table(zone))

    def use(self, published: InUse) -> None:
        """Show, try and count with what has just been published."""
        self.book, self.prices = published.book, published.prices

    @property
    def session_cookie(self) -> str:
        """The session cookie's name; behind TLS the browser pins it to this host (``__Host-``)."""
        return f"__Host-{_SESSION_COOKIE}" if self.settings.tls_proxy else _SESSION_COOKIE


def desk_of(request: Request) -> Desk:
    """The desk of the app that serves this request."""
    desk: Desk = request.app.state.desk
    return desk


def session_of(request: Request) -> Session:
    """The session that the access check found."""
    session: Session = request.state.session
    return session


def person_of(request: Request) -> Person:
    """Who asks: by session or by API token."""
    person: Person = request.state.person
    return person


def words_of(request: Request) -> Words:
    """The words in the language of the browser's own choice, else of the settings."""
    return words(request.cookies.get("language") or desk_of(request).settings.language)


def address_of(request: Request) -> str:
    """The peer's address, for the audit log and the throttle."""
    host = request.client.host if request.client else ""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return "?"


def home_of(person: Person) -> str:
    """The page a person starts on: the first of the menu that their roles open."""
    return next((item.path for item in NAVIGATION if person.has(item.roles)), "/password")


def page(
    request: Request,
    template: str,
    context: Mapping[str, Any] | None = None,
    *,
    status: int = 200,
) -> Response:
    """Render a template within the frame (menu, language, theme, form token)."""
    desk, session = desk_of(request), getattr(request.state, "session", None)
    person = session.person if session else None
    theme = request.cookies.get("theme", _THEMES[0])
    t = words_of(request)
    frame = {
        "t": t,
        "person": person,
        "csrf": session.csrf if session else "",
        "nonce": request.state.nonce,
        "theme": theme if theme in _THEMES else _THEMES[0],
        "languages": LANGUAGES,
        "navigation": [i for i in NAVIGATION if person and person.has(i.roles)],
        "here": request.url.path,
        "role": Role,
    }
    html = desk.environment.get_template(template).render(**frame, **(context or {}))
    return HTMLResponse(html, status_code=status)


def go(request: Request, path: str) -> Response:
    """Send the browser to another page, whether htmx or a plain form asked."""
    if request.headers.get("HX-Request"):
        return Response(status_code=204, headers={"HX-Redirect": path})
    return RedirectResponse(path, status_code=303)


def local_path(path: str | None, otherwise: str) -> str:
    """A path of this site, else ``otherwise``: no redirect ever leaves it."""
    safe = path and path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if path and safe and path.isprintable() else otherwise


def remember(response: Response, name: str, value: str, *, secure: bool) -> None:
    """Keep a choice of the browser's (language, theme) for a year."""
    response.set_cookie(
        name, value, max_age=_YEAR_S, httponly=True, samesite="strict", secure=secure
    )


def choice(value: str, allowed: Mapping[str, str] | tuple[str, ...]) -> str:
    """The value if it is among those allowed, else the first of them."""
    return value if value in allowed else next(iter(allowed))


THEMES = _THEMES
