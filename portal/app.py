"""The app: routes behind the gate, one error shape, headers, static files."""

import time
from collections.abc import Callable
from urllib.parse import urlencode

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse, Response
from starlette.staticfiles import StaticFiles

from phrasebook.book import Phrasebook, load
from portal.access import Gate
from portal.accounts import Accounts
from portal.checks import check
from portal.clock import Clock, utc_now
from portal.desk import STATIC, Desk, desk_of, go, page, words_of
from portal.editions import Editions
from portal.errors import (
    ChangePasswordFirstError,
    RefusalError,
    SecondFactorFirstError,
    SignInFirstError,
)
from portal.headers import SecurityHeaders, harden
from portal.live_findings import LiveFindings
from portal.memo import Memo
from portal.oidc import Oidc
from portal.pages import (
    admin,
    api,
    calls,
    doors,
    editions,
    figures,
    live,
    oidc,
    phrases,
    qa,
    second,
)
from portal.ports import Board, Calibration, Editor, Prices, Store
from portal.sessions import DoorToken, Sessions
from portal.settings import PortalSettings
from portal.trials import Trials
from portal.verdicts import PRICES

log = structlog.get_logger()

API = "/api/"
_GZIP_LEAST = 1024
_GZIP_LEVEL = 5
_QUEUE_S = 20.0
"""After how long a new call may come up in the queue."""
_FIGURES_S = 15.0
"""How old the overview's figures may be."""
_CODES = {404: "not_found", 405: "wrong_method", 413: "too_large"}


def create_app(
    warehouse: Store,
    settings: PortalSettings,
    *,
    board: Callable[[], Board] | None = None,
    live_findings: LiveFindings | None = None,
    prices: Prices = PRICES,
    calibration: Calibration | None = None,
    book: Phrasebook | None = None,
    editor: Editor | None = None,
    clock: Clock = utc_now,
    ticks: Callable[[], float] = time.monotonic,
) -> FastAPI:
    """Build the portal over an open warehouse.

    ``board`` tells what is going on right now, for the live page; ``live_findings`` is told what
    is heard meanwhile; ``prices`` are the rules' own;
    ``calibration`` counts agreement (without it that page says so);
    ``book`` is the phrasebook in use (None: the one that is delivered); ``editor`` reads, tries
    and publishes editions of phrases and rules (without it there is no workshop);
    ``clock`` and ``ticks`` are the wall clock and the monotonic one.
    """
    app = FastAPI(title="Sansheng", docs_url=None, redoc_url=None, openapi_url=None)
    sessions = Sessions(
        idle_s=settings.session_minutes * 60, longest_s=settings.session_hours * 3600, clock=ticks
    )
    desk = app.state.desk = Desk(
        store=warehouse,
        settings=settings,
        accounts=Accounts(warehouse, settings, clock, on_change=sessions.end_all),
        sessions=sessions,
        door=DoorToken(),
        clock=clock,
        board=board,
        live_findings=live_findings or LiveFindings(),
        prices=prices,
        calibration=calibration,
        book=load() if book is None else book,
        oidc=Oidc(settings.oidc, clock, ticks) if settings.oidc else None,
        editions=Editions(warehouse, editor, clock, lambda now: desk.use(now)) if editor else None,
        trials=Trials(warehouse, editor, clock) if editor else None,
        figures=Memo(_FIGURES_S, ticks),
        waiting=Memo(_QUEUE_S, ticks),
    )
    gate = app.state.gate = Gate(app, check)
    for room in (doors, second, oidc, figures, calls, qa, phrases, editions, live, admin, api):
        room.add(gate)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    gate.require_rules()
    app.add_exception_handler(RefusalError, _refuse)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _bad_request)
    app.add_exception_handler(Exception, _broken)
    app.add_middleware(GZipMiddleware, minimum_size=_GZIP_LEAST, compresslevel=_GZIP_LEVEL)
    app.add_middleware(SecurityHeaders, tls=settings.tls_proxy)
    return app


def _answer(request: Request, status: int, code: str, **values: str) -> Response:
    """The one shape of an error: JSON for the API, a page for a browser."""
    words = words_of(request)
    message = words(f"error.{code}", **values)
    if request.url.path.startswith(API):
        body = {"error": {"code": code, "message": message}}
        return JSONResponse(body, status_code=status)
    return page(request, "error.html", {"status": status, "message": message}, status=status)


def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusalError)
    if not request.url.path.startswith(API):
        if isinstance(error, SignInFirstError):
            asked = request.url.path if request.method == "GET" else ""
            query = urlencode({"next": asked}) if asked.strip("/") else ""
            return go(request, f"/login?{query}" if query else "/login")
        if isinstance(error, SecondFactorFirstError):
            return go(request, "/second")
        if isinstance(error, ChangePasswordFirstError):
            return go(request, "/password")
    return _answer(request, error.status, error.code, **error.values)


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _answer(request, error.status_code, _CODES.get(error.status_code, "bad_request"))


def _bad_request(request: Request, error: Exception) -> Response:
    del error
    return _answer(request, 422, "bad_request")


def _broken(request: Request, error: Exception) -> Response:
    """An error of ours: logged by its kind and place, without words that may be speech."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
    log.error("page broke", error=type(error).__name__, place=place)
    answer = _answer(request, 500, "broken")
    tls = desk_of(request).settings.tls_proxy
    harden(answer.headers, request.url.path, request.state.nonce, tls=tls)
    return answer
