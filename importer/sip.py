"""SIP messages out of packets (RFC 3261, RFC 4566): only what a call's times and audio need."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from importer.capture import TCP, Address, Packet

_START = re.compile(
    rb"(?:SIP/2\.0 (?P<code>[1-6]\d\d)[ \r]|(?P<method>[A-Z]{3,16}) \S+ SIP/2\.0\r?\n)"
)
_COMPACT = {"i": "call-id", "f": "from", "t": "to", "l": "content-length", "c": "content-type"}
_USER = re.compile(r"(?:sips?|tel):([^@;>\s]*)", re.IGNORECASE)
_TAG = re.compile(r";\s*tag=([^;>\s]+)", re.IGNORECASE)
_MAX_MESSAGE = 1 << 18
_MAX_EARLY = 64
"""Segments that may wait for one that is missing; then the next start of a message counts."""


@dataclass(frozen=True, slots=True)
class Media:
    """One audio line of an SDP body."""

    address: Address
    """Where this side wants to receive."""
    formats: dict[int, str]
    """Payload type → encoding name in upper case."""
    direction: str
    """``sendrecv``, ``sendonly``, ``recvonly`` or ``inactive``."""
    encrypted: bool


@dataclass(frozen=True, slots=True)
class SipMessage:
    """One request or response."""

    at_us: int
    source: Address
    method: str
    """The request's method, or that of the CSeq of a response."""
    code: int | None
    """None for a request."""
    headers: dict[str, str] = field(repr=False)
    media: tuple[Media, ...]

    @property
    def call_id(self) -> str:
        """The dialog's Call-ID; empty when the message has none."""
        return self.headers.get("call-id", "")

    @property
    def from_tag(self) -> str:
        """Tag of the one who sends the request (RFC 3261 8.1.1.3)."""
        found = _TAG.search(self.headers.get("from", ""))
        return found[1] if found else ""

    def user(self, header: str) -> str:
        """The user part of the address in ``from`` or ``to``."""
        found = _USER.search(self.headers.get(header, ""))
        return found[1] if found else ""


_STATIC = {0: "PCMU", 8: "PCMA", 9: "G722", 13: "CN", 18: "G729", 3: "GSM"}
"""Static payload types (RFC 3551 table 4)."""


class SipReader:
    """Finds SIP in packets; TCP segments are put in order first."""

    def __init__(self) -> None:
        self._streams: dict[tuple[Address, Address], _Stream] = {}

    def feed(self, packet: Packet) -> Iterator[SipMessage]:
        """The messages that this packet completes."""
        if packet.protocol != TCP:
            message = parse(packet.payload, packet.at_us, packet.source)
            if message is not None:
                yield message
            return
        stream = self._streams.setdefault((packet.source, packet.target), _Stream())
        stream.take(packet)
        for raw in stream.messages():
            message = parse(raw, packet.at_us, packet.source)
            if message is not None:
                yield message


def parse(raw: bytes, at_us: int, source: Address) -> SipMessage | None:
    """One message, or None when it is none."""
    start = _START.match(raw)
    if start is None or len(raw) > _MAX_MESSAGE:
        return None
    head, _, body = raw.replace(b"\r\n", b"\n").partition(b"\n\n")
    headers: dict[str, str] = {}
    for line in re.sub(r"\n[ \t]+", " ", head.decode("utf-8", "replace")).split("\n")[1:]:
        name, colon, value = line.partition(":")
        if colon:
            name = name.strip().lower()
            headers.setdefault(_COMPACT.get(name, name), value.strip())
    code = int(start["code"]) if start["code"] else None
    method = (start["method"] or headers.get("cseq", "").encode().split(b" ")[-1]).decode(
        "ascii", "replace"
    )
    return SipMessage(at_us, source, method.upper(), code, headers, read_sdp(body))


def read_sdp(body: bytes) -> tuple[Media, ...]:
    """The audio lines of an SDP body, tolerant of any order and of lines it does not know."""
    at = body.find(b"v=0")
    if at < 0:
        return ()
    host, direction = "", "sendrecv"
    lines: list[dict[str, str]] = []
    maps: list[dict[int, str]] = []
    for line in body[at:].decode("utf-8", "replace").splitlines():
        key, _, value = line.strip().partition("=")
        if key == "m":
            lines.append({"m": value, "host": host, "direction": direction})
            maps.append({})
        elif key == "c":
            address = value.split()[-1].split("/")[0] if value.split() else ""
            if lines:
                lines[-1]["host"] = address
            else:
                host = address
        elif key == "a" and value in ("sendrecv", "sendonly", "recvonly", "inactive"):
            if lines:
                lines[-1]["direction"] = value
            else:
                direction = value
        elif key == "a" and lines and (found := re.match(r"rtpmap:(\d{1,3})\s+([\w.-]+)", value)):
            maps[-1][int(found[1])] = found[2].upper()
    return tuple(
        media
        for line, names in zip(lines, maps, strict=True)
        if (media := _media(line, names)) is not None
    )


def _media(line: dict[str, str], names: dict[int, str]) -> Media | None:
    parts = line["m"].split()
    if len(parts) < 4 or parts[0] != "audio" or not parts[1].split("/")[0].isdecimal():
        return None
    formats = {
        int(p): names.get(int(p), _STATIC.get(int(p), "")) for p in parts[3:] if p.isdecimal()
    }
    direction = "inactive" if line["host"] == "0.0.0.0" else line["direction"]
    port = int(parts[1].split("/")[0])
    return Media(Address(line["host"], port), formats, direction, "SAVP" in parts[2])


class _Stream:
    """One direction of a TCP connection, put in order and cut into SIP messages."""

    def __init__(self) -> None:
        self._next: int | None = None
        self._early: dict[int, bytes] = {}
        self._data = b""

    def take(self, packet: Packet) -> None:
        if packet.opens:
            self._next, self._early, self._data = packet.sequence + 1, {}, b""
            return
        if not packet.payload:
            return
        self._early[packet.sequence] = packet.payload
        if len(self._early) > _MAX_EARLY:
            self._next, self._data = None, b""
            self._early = {packet.sequence: packet.payload}
        if self._next is None:
            starts = [at for at, part in self._early.items() if _START.match(part)]
            if not starts:
                return
            self._next = starts[0]
        for _ in range(len(self._early)):
            sequence = min(self._early, key=self._ahead)
            ahead = self._ahead(sequence)
            if ahead > 0:
                return
            fresh = self._early.pop(sequence)[-ahead:] if ahead else self._early.pop(sequence)
            self._data = (self._data + fresh)[-_MAX_MESSAGE:]
            self._next = (self._next + len(fresh)) & 0xFFFFFFFF

    def _ahead(self, sequence: int) -> int:
        """How far a sequence number lies beyond the next byte that is wanted, signed."""
        assert self._next is not None
        return (sequence - self._next + (1 << 31)) % (1 << 32) - (1 << 31)

    def messages(self) -> Iterator[bytes]:
        while self._data:
            self._data = self._data.lstrip(b"\r\n")
            head, blank, rest = self._data.partition(b"\r\n\r\n")
            if not blank:
                return
            found = re.search(rb"(?im)^(?:content-length|l)\s*:\s*(\d{1,7})", head)
            length = int(found[1]) if found else 0
            if len(rest) < length:
                return
            yield head + blank + rest[:length]
            self._data = rest[length:]
