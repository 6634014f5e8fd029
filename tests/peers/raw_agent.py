"""An agent's telephone by hand: it answers an INVITE as a test says, or falls silent."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.peers.raw_peer import SDP

_KEPT = re.compile(r"^(?:Via|From|To|Call-ID|CSeq):.*$", re.MULTILINE | re.IGNORECASE)


@dataclass
class RawAgent:
    """A telephone that waits for a call; it sends no RTP, and nothing that a test has not said."""

    wire: socket.socket
    _request: str = ""
    _source: tuple[str, int] = ("", 0)

    def invited(self) -> str:
        """Wait for an INVITE that is not the last one over again; the message comes back."""
        while not (said := self._hear()).startswith("INVITE ") or said == self._request:
            continue
        self._request = said
        return said

    def say(self, status: str, *, sdp: str = "", headers: str = "") -> None:
        """Answer the last request: ``200 OK``; ``headers`` are whole lines."""
        host, port = self.wire.getsockname()
        kept = "\r\n".join(line.strip() for line in _KEPT.findall(self._request))
        if not status.startswith("100"):
            kept = re.sub(r"(?m)^(To:(?!.*;tag=)[^\r\n]*)", r"\1;tag=raw", kept)
        self.wire.sendto(
            (
                f"SIP/2.0 {status}\r\n{kept}\r\nContact: <sip:1001@{host}:{port}>\r\n"
                f"{headers}Content-Type: application/sdp\r\n"
                f"Content-Length: {len(sdp)}\r\n\r\n{sdp}"
            ).encode(),
            self._source,
        )

    def answer(self) -> None:
        """A plain 200 with media in both directions."""
        self.say("200 OK", sdp=SDP)

    def hears(self, method: str) -> str:
        """Wait for a request of a method; the message comes back."""
        while not (said := self._hear()).startswith(f"{method} "):
            continue
        self._request = said
        return said

    def _hear(self) -> str:
        message, self._source = self.wire.recvfrom(65_535)
        return message.decode()


@contextmanager
def raw_agent(port: int) -> Iterator[RawAgent]:
    """An agent at a port of 127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.bind(("127.0.0.1", port))
        wire.settimeout(15)
        yield RawAgent(wire)
