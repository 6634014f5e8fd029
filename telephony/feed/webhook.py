"""The webhook: a PBX posts its events as JSON lines, with a token that both know.

Plain HTTP for loopback and the site's own network; whoever wants TLS puts a proxy in front.
"""

import hmac
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from calls.errors import TapError
from telephony.door import Door
from telephony.feed.settings import WebhookSettings

_MOST_BYTES = 2**20
_PATIENCE_S = 10
_OK, _UNAUTHORIZED, _NOT_FOUND, _LENGTH, _LARGE = 200, 401, 404, 411, 413
PATH = "/events"
_REQUESTS_A_SECOND = 1000


class _Server(ThreadingHTTPServer):
    """Hangs up on strangers before it reads a word or starts a thread."""

    door: Door

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether the peer is let in."""
        del request
        return self.door.allows(client_address[0])


class Webhook:
    """Serves ``POST /events`` until closed."""

    def __init__(
        self, settings: WebhookSettings, token: str, hear: Callable[[list[bytes]], int]
    ) -> None:
        """``hear`` takes the lines of a body and returns how many of them are events.

        Errors: TapError when the port is taken or the peers are no networks.
        """
        try:
            door = Door(settings.peers, _REQUESTS_A_SECOND)
        except ValueError as error:
            raise TapError(
                "a peer of the webhook is no network", remedy="write it as 10.0.0.2/32"
            ) from error
        expected = f"Bearer {token}".encode()

        class Handler(BaseHTTPRequestHandler):
            timeout = _PATIENCE_S

            def do_POST(self) -> None:
                length = self.headers.get("Content-Length", "")
                given = self.headers.get("Authorization", "").encode("utf-8", "replace")
                if not hmac.compare_digest(given, expected):
                    self._reply(_UNAUTHORIZED, b"Authorization: Bearer TOKEN is wanted\n")
                elif self.path != PATH:
                    self._reply(_NOT_FOUND, PATH.encode() + b"\n")
                elif not (length.isascii() and length.isdecimal()):
                    self._reply(_LENGTH, b"Content-Length is wanted\n")
                elif int(length) > _MOST_BYTES:
                    self._reply(_LARGE, b"at most 1 MiB in one request\n")
                else:
                    lines = self.rfile.read(int(length)).splitlines()
                    taken = hear([line for line in lines if line.strip()])
                    self._reply(_OK, b'{"events": %d}\n' % taken)

            def _reply(self, code: int, body: bytes) -> None:
                self.send_response(code)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(body)
                self.close_connection = True

            def log_message(self, format: str, *arguments: object) -> None:
                """What is posted is not logged."""

        try:
            self._server = _Server((settings.host, settings.port), Handler)
        except OSError as error:
            raise TapError(
                f"cannot take the feed's events on {settings.host}:{settings.port}"
                f" ({error.strerror})",
                remedy="change [telephony.feed.webhook] port, or 0 for none",
            ) from error
        self._server.door = door
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
