"""A telephone, and an agent's, by hand: what it sends is what a test gives it, sound or not.

It acts on what comes back as RFC 3261 asks: an ACK for each final answer, a BYE for each call that
was answered, a 200 for a BYE. As the agent it answers each INVITE. So a broken INVITE that the tap
takes goes through a whole call, and none that it refuses leaves a transaction behind.
"""

import re
import selectors
import socket
import time
from collections import Counter

HOST = "127.0.77.1"
"""Nobody else's loopback address: what a broken message makes the tap send goes to nobody."""
_HEADERS = re.compile(rb"^(?:Via|From|To|Call-ID|CSeq):.*$", re.M | re.I)
_LENGTH = re.compile(rb"^Content-Length\s*:\s*(\d+)", re.M | re.I)
_CONTACT = re.compile(rb"^Contact:[^<]*<([^>]+)>", re.M | re.I)
_SDP = (
    f"v=0\r\no=- 1 1 IN IP4 {HOST}\r\ns=-\r\nc=IN IP4 {HOST}\r\nt=0 0\r\n"
    "m=audio 39002 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\n"
    "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
).encode()


def invite(
    uri: str,
    port: int,
    number: int,
    *,
    tcp: bool = False,
    body: bytes = _SDP,
    content: str = "application/sdp",
    more: str = "",
) -> bytes:
    """A sound INVITE from ``HOST``; ``more`` are header lines of its own."""
    return (
        f"INVITE {uri} SIP/2.0\r\n"
        f"Via: SIP/2.0/{'TCP' if tcp else 'UDP'} {HOST}:{port};branch=z9hG4bK{number};rport\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:139@{HOST}>;tag=t{number}\r\nTo: <{uri}>\r\n"
        f"Call-ID: rude{number}\r\nCSeq: 1 INVITE\r\nContact: <sip:139@{HOST}:{port}>\r\n"
        f"{more}Content-Type: {content}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def replies(message: bytes, contact: bytes) -> list[bytes]:
    """What a well-behaved telephone says to a message."""
    head = message.partition(b"\r\n\r\n")[0]
    first = head.partition(b"\r\n")[0]
    kept = b"\r\n".join(line.strip() for line in _HEADERS.findall(head))
    if not first.startswith(b"SIP/2.0 "):
        method = first.split(b" ")[0]
        if method == b"INVITE":
            tagged = re.sub(rb"(?m)^(To:.*)$", rb"\1;tag=agent", kept)
            tagged = tagged.replace(b"\r;tag=agent", b";tag=agent\r")
            return [
                _answer(b"180 Ringing", tagged, contact),
                _answer(b"200 OK", tagged, contact, _SDP),
            ]
        return [] if method == b"ACK" else [_answer(b"200 OK", kept, contact)]
    if b"INVITE" not in kept or first[8:9] == b"1":
        return []
    target = found[1] if (found := _CONTACT.search(head)) else b"sip:tap"
    if first[8:9] != b"2":
        return [_request(b"ACK", target, kept)]
    bye = re.sub(rb"CSeq:\s*(\d+)", lambda m: b"CSeq: %d" % (int(m[1]) + 1), kept)
    return [
        _request(b"ACK", target, _branch(kept, b"a")),
        _request(b"BYE", target, _branch(bye, b"b")),
    ]


def _branch(headers: bytes, more: bytes) -> bytes:
    return headers.replace(b"branch=z9hG4bK", b"branch=z9hG4bK" + more, 1)


def _answer(status: bytes, headers: bytes, contact: bytes, body: bytes = b"") -> bytes:
    return (
        b"SIP/2.0 %b\r\n%b\r\nContact: <%b>\r\nContent-Type: application/sdp\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (status, headers, contact, len(body), body)
    )


def _request(method: bytes, target: bytes, headers: bytes) -> bytes:
    headers = re.sub(rb"(CSeq:\s*\d+)\s+\w+", rb"\1 " + method, headers)
    return b"%b %b SIP/2.0\r\n%b\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n" % (
        method,
        target,
        headers,
    )


class RudePeer:
    """Both telephones, without a thread: they act while ``pump`` runs."""

    def __init__(self, tap: tuple[str, int]) -> None:
        self.tap = tap
        self.heard: Counter[str] = Counter()
        """What came: status codes and methods."""
        self._citizen = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._citizen.bind((HOST, 0))
        self._agents = socket.create_server((HOST, 0), backlog=64)
        self._stream: socket.socket | None = None
        self._came: dict[socket.socket, bytes] = {}
        self._waiting = selectors.DefaultSelector()
        for each in (self._citizen, self._agents):
            self._waiting.register(each, selectors.EVENT_READ)

    @property
    def port(self) -> int:
        """The citizen's UDP port."""
        return int(self._citizen.getsockname()[1])

    @property
    def agents(self) -> str:
        """The agents' SIP address: over TCP, whose transactions leave nothing behind."""
        return f"{HOST}:{self._agents.getsockname()[1]};transport=tcp"

    def udp(self, message: bytes) -> None:
        """Send as the citizen; what does not fit into a datagram is cut."""
        self._citizen.sendto(message[:65_000], self.tap)

    def tcp(self, message: bytes, *, fresh: bool = False) -> None:
        """Send as the citizen, on a new connection when asked or when the tap has closed one."""
        try:
            if self._stream is None or fresh:
                self._forget(self._stream)
                self._stream = None
                self._stream = self._known(socket.create_connection(self.tap, timeout=10))
            self._stream.sendall(message)
        except OSError:
            self._forget(self._stream)
            self._stream = None

    def pump(self, seconds: float) -> None:
        """Act on what comes for so long."""
        until = time.monotonic() + seconds
        while True:
            left = until - time.monotonic()
            for key, _ in self._waiting.select(max(0.0, left)):
                wire = key.fileobj
                assert isinstance(wire, socket.socket)
                if wire is self._agents:
                    self._known(wire.accept()[0])
                elif wire is self._citizen:
                    message, source = wire.recvfrom(65_535)
                    for reply in self._act(message, wire):
                        wire.sendto(reply, source)
                else:
                    self._read(wire)
            if left <= 0:
                return

    def close(self) -> None:
        """Close every connection."""
        for wire in (*self._came, self._citizen, self._agents):
            wire.close()
        self._waiting.close()

    def _known(self, wire: socket.socket) -> socket.socket:
        self._waiting.register(wire, selectors.EVENT_READ)
        self._came[wire] = b""
        return wire

    def _forget(self, wire: socket.socket | None) -> None:
        if wire is not None and self._came.pop(wire, None) is not None:
            self._waiting.unregister(wire)
            wire.close()

    def _read(self, wire: socket.socket) -> None:
        try:
            fresh = wire.recv(65_535)
            data = (self._came[wire] + fresh).lstrip(b"\r\n")
            while b"\r\n\r\n" in data:
                head = data.index(b"\r\n\r\n") + 4
                length = _LENGTH.search(data[:head])
                size = head + (int(length[1]) if length else 0)
                if len(data) < size:
                    break
                for reply in self._act(data[:size], wire):
                    wire.sendall(reply)
                data = data[size:]
            self._came[wire] = data
        except OSError:
            fresh = b""
        if not fresh:
            self._forget(wire)
            if wire is self._stream:
                self._stream = None

    def _act(self, message: bytes, wire: socket.socket) -> list[bytes]:
        words = message.split(None, 2)
        self.heard[words[words[0] == b"SIP/2.0"].decode(errors="replace")] += 1
        host, port = wire.getsockname()
        return replies(message, f"sip:{host}:{port}".encode())
