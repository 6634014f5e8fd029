"""The portal's web server in a thread of the service; the only user of uvicorn."""

import socket
import threading
import time

import structlog
import uvicorn
from fastapi import FastAPI

from calls.errors import SettingsError
from portal.alerts import Alarms
from portal.desk import Desk
from portal.settings import PortalSettings
from portal.webhooks import Outbox, Watch

log = structlog.get_logger()

_BACKLOG = 512
_GRACE_S = 2
"""Whole seconds that open answers may take to end when the service stops; then they are cut."""
_TRIAL_S = 10.0
"""What a back-test may take to finish its step; then its process is cut off from the warehouse."""
_LAST_S = 1.0
"""What cut answers may take to unwind."""


class PortalServer:
    """Serves the app until ``stop``."""

    def __init__(self, app: FastAPI, settings: PortalSettings) -> None:
        self._app = app
        self._settings = settings
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_config=None,
                log_level="critical",
                access_log=False,
                server_header=False,
                proxy_headers=settings.tls_proxy,
                forwarded_allow_ips=list(settings.proxies),
                timeout_graceful_shutdown=_GRACE_S,
                lifespan="off",
            )
        )
        self._watch: Watch | None = None
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The address to open in a browser, once started."""
        if self._socket is None:
            raise RuntimeError("the portal is not started")
        host, port = self._socket.getsockname()[:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    def start(self) -> str:
        """Listen and serve; returns the address. A port that is taken is a SettingsError."""
        host, port = self._settings.host, self._settings.port
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(_BACKLOG)
        except OSError as error:
            listener.close()
            raise SettingsError(
                f"the portal cannot listen on {host}:{port} ({error.strerror})",
                remedy="free the port or set [portal] port",
            ) from error
        self._socket = listener
        self._thread = threading.Thread(
            target=self._server.run, args=([listener],), name="portal", daemon=True
        )
        self._thread.start()
        self._watch = _watch(self._app.state.desk)
        self._watch.start()
        log.info("portal serves", url=self.url)
        return self.url

    def stop(self) -> None:
        """Stop taking requests, end live boards, let other answers end, and wait: 3 s at most (with
        a back-test under way 10 s more).

        Safe before ``start``, and more than once.
        """
        self._app.state.desk.closing.set()
        self._server.should_exit = True
        until = time.monotonic() + _GRACE_S + _LAST_S
        if self._watch is not None:
            self._watch.stop(_LAST_S)
        if self._app.state.desk.trials is not None:
            self._app.state.desk.trials.close(_TRIAL_S)
        if self._thread is not None:
            self._thread.join(until - time.monotonic())
            if self._thread.is_alive():
                log.error("portal did not stop in time")
        if self._socket is not None:
            self._socket.close()


def _watch(desk: Desk) -> Watch:
    alarms = Alarms(desk.store, desk.settings, desk.board, desk.live_findings)
    return Watch(alarms, Outbox(desk.store, desk.settings, desk.clock))
