"""A SIPREC request taken apart: its headers, its multipart body and its SDP media lines.

Recording clients write all of these with errors, so the reader keeps what it can make out and
never raises over form; only a body beyond the size limit is a TapError.
"""

import re
from dataclasses import dataclass

from calls.errors import TapError

MAX_MESSAGE_BYTES = 262_144
"""More than any metadata of a call; a longer message is somebody's attempt on memory."""
MAX_PARTS = 32
MAX_MEDIA_LINES = 16
"""PJMEDIA_MAX_SDP_MEDIA of the SIP library."""

_BOUNDARY = re.compile(
    rb'boundary\s*=\s*(?:"([^"\r\n]{1,200})"|([^\s;,\r\n"]{1,200}))', re.IGNORECASE
)
_BLANK_LINE = re.compile(rb"\r?\n[ \t]*\r?\n")


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a body; header names are lower case."""

    headers: dict[str, str]
    content: bytes

    @property
    def is_sdp(self) -> bool:
        """Whether it is the session description."""
        return self.headers.get("content-type", "").lower().startswith("application/sdp")

    @property
    def is_metadata(self) -> bool:
        """Whether it is recording metadata, by type (RFC 7866 6.1, +xml or not) or disposition."""
        kind = self.headers.get("content-type", "").lower().replace(" ", "")
        if kind.startswith("application/rs-metadata"):
            return not kind.startswith("application/rs-metadata-request")
        return self.headers.get("content-disposition", "").lower().startswith("recording-session")


@dataclass(frozen=True, slots=True)
class MediaLine:
    """One ``m=`` line of an SDP, with the attributes that SIPREC needs (RFC 4574 label)."""

    kind: str
    port: int
    label: str
    direction: str
    """``sendonly``, ``recvonly``, ``sendrecv`` or ``inactive``; the session's where it has none."""

    @property
    def wanted(self) -> bool:
        """Whether it is an audio line that is not switched off (port 0, RFC 3264 6)."""
        return self.kind == "audio" and self.port > 0


@dataclass(frozen=True, slots=True)
class Message:
    """A SIP request's headers and the parts of its body."""

    headers: dict[str, str]
    """Header values by lower-case name; repeated ones are joined with commas (RFC 3261 7.3.1)."""
    parts: tuple[Part, ...]

    @property
    def sdp(self) -> bytes:
        """The session description; empty where there is none."""
        return next((part.content for part in self.parts if part.is_sdp), b"")

    @property
    def metadata(self) -> bytes | None:
        """The recording metadata as it came; None where there is none."""
        return next((part.content for part in self.parts if part.is_metadata), None)

    @property
    def is_siprec(self) -> bool:
        """Whether a recording client sent it: by option tag, feature tag or a metadata part.

        RFC 7866 6.1.1 asks for the first two; clients in the field leave out either.
        """
        tags = re.split(r"[\s,]+", self.headers.get("require", "").lower())
        contact = self.headers.get("contact", "").lower()
        return "siprec" in tags or "+sip.src" in contact or self.metadata is not None


def read_message(raw: bytes) -> Message:
    """Take a SIP request (or a bare body that begins with its boundary) apart.

    Errors: TapError when it is longer than ``MAX_MESSAGE_BYTES``.
    """
    if len(raw) > MAX_MESSAGE_BYTES:
        raise TapError(
            f"a SIP message of {len(raw)} bytes is over the limit of {MAX_MESSAGE_BYTES}",
            remedy="have the recording client send less metadata",
        )
    if raw.lstrip()[:2] == b"--":
        return Message({}, _split_parts(raw, None))
    head, body = _halve(raw)
    headers = _read_headers(head)
    kind = headers.get("content-type", headers.get("c", ""))
    if kind.lower().startswith("multipart/"):
        found = _BOUNDARY.search(kind.encode("utf-8", "surrogateescape"))
        return Message(headers, _split_parts(body, _group(found)))
    if not body.strip():
        return Message(headers, ())
    return Message(headers, (Part({**headers, "content-type": kind}, body),))


def media_lines(sdp: bytes) -> tuple[MediaLine, ...]:
    """The media lines of an SDP in their order; what cannot be read is left at its default."""
    session_direction = "sendrecv"
    lines: list[MediaLine] = []
    for line in sdp.decode("utf-8", "replace").splitlines()[:2000]:
        line = line.strip()
        if line.startswith("m="):
            if len(lines) == MAX_MEDIA_LINES:
                break
            words = line[2:].split()
            port = words[1].split("/")[0] if len(words) > 1 else ""
            number = int(port) if port.isascii() and port.isdecimal() and len(port) < 6 else 0
            lines.append(MediaLine(words[0] if words else "", number, "", session_direction))
        elif line.startswith("a=label:") and lines:
            last = lines[-1]
            label = line.removeprefix("a=label:").strip()
            lines[-1] = MediaLine(last.kind, last.port, label, last.direction)
        elif line in ("a=sendonly", "a=recvonly", "a=sendrecv", "a=inactive"):
            if lines:
                last = lines[-1]
                lines[-1] = MediaLine(last.kind, last.port, last.label, line[2:])
            else:
                session_direction = line[2:]
    return tuple(lines)


def _split_parts(body: bytes, boundary: bytes | None) -> tuple[Part, ...]:
    if boundary is None:
        first = body.lstrip().split(b"\n", 1)[0].strip()
        if not first.startswith(b"--") or len(first) < 3:
            return ()
        boundary = first[2:]
    pieces = re.split(rb"(?:^|\r?\n)[ \t]*--" + re.escape(boundary), body)
    parts: list[Part] = []
    for piece in pieces[1 : MAX_PARTS + 1]:
        if piece.startswith(b"--"):
            break
        head, content = _halve(piece.lstrip(b" \t\r").removeprefix(b"\n"))
        parts.append(Part(_read_headers(head), content))
    return tuple(parts)


def _halve(text: bytes) -> tuple[bytes, bytes]:
    found = _BLANK_LINE.search(text)
    return (text, b"") if found is None else (text[: found.start()], text[found.end() :])


def _read_headers(head: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    unfolded = re.sub(rb"\r?\n[ \t]+", b" ", head).decode("utf-8", "replace")
    for line in unfolded.splitlines():
        name, colon, value = line.partition(":")
        name = name.strip().lower()
        if colon and name:
            headers[name] = (
                f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
            )
    return headers


def _group(found: re.Match[bytes] | None) -> bytes | None:
    return None if found is None else found.group(1) or found.group(2)
