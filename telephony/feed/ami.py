"""A client of Asterisk's manager interface (AMI): log in, hear events, connect again with back-off.

The protocol is lines of ``Key: value`` with a blank line after each message. All that is wanted of
it is one login and the call events on one thread; the libraries for it bring an event loop of
their own and no back-off, so these lines are ours.
"""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Mapping

import structlog

from telephony.feed.settings import AmiSettings

log = structlog.get_logger()

_BACK_OFF_S = (0.5, 1, 2, 5, 10, 30)
_CONNECT_S = 5
_SILENCE_S = 15
"""After so long without a word a ping is sent; after as long again the connection is dead."""
_BLOCK, _MOST_BYTES = 65_536, 262_144


class AmiClient:
    """One connection, kept up until closed."""

    def __init__(
        self, settings: AmiSettings, secret: str, hear: Callable[[Mapping[str, str]], None]
    ) -> None:
        """``hear`` is called with each event on the client's own thread."""
        self._settings = settings
        self._secret = secret
        self._hear = hear
        self._stop = threading.Event()
        self._socket: socket.socket | None = None
        self.connected = False
        """Whether it is logged in."""
        self._thread = threading.Thread(target=self._run, name="ami", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Hang up and end the thread."""
        self._stop.set()
        connection = self._socket
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            try:
                with socket.create_connection(
                    (self._settings.host, self._settings.port), _CONNECT_S
                ) as connection:
                    self._socket = connection
                    self._listen(connection)
            except (OSError, ValueError) as error:
                reason = str(error) if isinstance(error, ValueError) else error.__class__.__name__
            else:
                reason = "it hung up"
            if self.connected:
                failures = 0
            self.connected, self._socket = False, None
            wait = _BACK_OFF_S[min(failures, len(_BACK_OFF_S) - 1)]
            failures += 1
            if not self._stop.is_set():
                log.warning("Asterisk's manager is not heard", reason=reason, again_in_s=wait)
                self._stop.wait(wait)

    def _listen(self, connection: socket.socket) -> None:
        """Log in and hear events until the connection ends; ValueError when we are not let in."""
        _send(
            connection,
            Action="Login",
            Username=self._settings.user,
            Secret=self._secret,
            Events="call",
        )
        for message in _messages(connection):
            if "Response" in message and not self.connected:
                if message["Response"] != "Success":
                    raise ValueError("it refuses our user or secret")
                self.connected = True
                log.info("Asterisk's manager is heard")
            elif "Event" in message:
                self._hear(message)


def _messages(connection: socket.socket) -> Iterator[dict[str, str]]:
    """The messages as they come; of a key that comes twice both values, a line each."""
    connection.settimeout(_SILENCE_S)
    rest, pinged = b"", False
    while True:
        try:
            block = connection.recv(_BLOCK)
        except TimeoutError:
            if pinged:
                raise
            _send(connection, Action="Ping")
            pinged = True
            continue
        if not block:
            return
        pinged = False
        *whole, rest = (rest + block).replace(b"\r\n", b"\n").split(b"\n\n")
        if len(rest) > _MOST_BYTES:
            raise ValueError("it sends what is no manager message")
        for raw in whole:
            message: dict[str, str] = {}
            for line in raw.decode("utf-8", "replace").split("\n"):
                key, colon, value = line.partition(":")
                if colon:
                    before = f"{message[key]}\n" if key in message else ""
                    message[key] = before + value.strip()
            yield message


def _send(connection: socket.socket, **action: str) -> None:
    """Send an action; a line break in a value would begin another header."""
    lines = "".join(f"{key}: {''.join(value.splitlines())}\r\n" for key, value in action.items())
    connection.sendall(f"{lines}\r\n".encode())
