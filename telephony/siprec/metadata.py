"""SIPREC metadata (RFC 7865): who takes part in the recorded call, and who sends which stream.

Read tolerantly, because clients differ: any namespace prefix, ``id`` or ``participant_id``,
``send`` in an association or in the participant itself (the drafts), times of 1970 from a client
without a clock. Read guardedly, because it comes from the network: no DTD, no entities, bounded
size, depth and number of elements. Octets that are no text in its encoding are shown as U+FFFD,
for a name cut in the middle of a character must not cost the call its sides.
"""

import codecs
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from xml.parsers import expat

from calls.errors import TapError

MAX_BYTES = 131_072
MAX_ELEMENTS = 5_000
MAX_DEPTH = 40
FIRST_CREDIBLE_YEAR = 2000
"""A time before it comes from a client that does not know the time (Sonus sends 1970)."""

_DECLARED = re.compile(rb"""^<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z0-9._-]+)""", re.IGNORECASE)
_ENCODINGS = {
    b"": "utf-8",
    b"utf-8": "utf-8",
    b"utf8": "utf-8",
    b"gb2312": "gb18030",
    b"gbk": "gb18030",
    b"gb18030": "gb18030",
    b"big5": "big5",
}
"""Declared encoding to the codec that reads it; any other is left to the XML parser."""
_ID_KEYS = ("participant_id", "stream_id", "session_id", "id")
_CALL_ID_TAGS = frozenset({"callid", "call-id", "gcid", "ucid", "sipsessionid"})


@dataclass(frozen=True, slots=True)
class Participant:
    """One party of the recorded call, by its address of record."""

    id: str
    aor: str = ""
    name: str = ""
    calling: bool | None = None
    """Whether the client says that this party placed the call; None where it does not say."""
    sends: tuple[str, ...] = ()
    """Ids of the streams that carry this party's voice."""

    @property
    def user(self) -> str:
        """The user part of the AoR: an extension or a number."""
        return split_aor(self.aor)[0]

    @property
    def domain(self) -> str:
        """The host part of the AoR in lower case, without port."""
        return split_aor(self.aor)[1]


@dataclass(frozen=True, slots=True)
class Stream:
    """One media stream, tied to an SDP line by its label (RFC 7865 6.7)."""

    id: str
    label: str = ""
    mixed: bool = False


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a recording client tells of the call; ``raw`` keeps the whole of it."""

    complete: bool = True
    """False for a partial update (``datamode`` partial), which ``merge`` adds to what was known."""
    participants: tuple[Participant, ...] = ()
    streams: tuple[Stream, ...] = ()
    sessions: tuple[str, ...] = ()
    started_at: datetime | None = None
    call_ids: tuple[str, ...] = ()
    """Identifiers of the call itself that a PBX's own events may carry too."""
    raw: str = ""

    def senders(self, label: str) -> tuple[Participant, ...]:
        """The participants whose voice the stream with this label carries."""
        ids = {stream.id for stream in self.streams if stream.label == label}
        return tuple(p for p in self.participants if ids.intersection(p.sends))


def split_aor(aor: str) -> tuple[str, str]:
    """User and host of an address of record: ``sip:1001@pbx:5060;user=phone`` → 1001, pbx."""
    text = aor.strip().strip("<>")
    for scheme in ("sips:", "sip:", "tel:"):
        if text[: len(scheme)].lower() == scheme:
            text = text[len(scheme) :]
    user, at, host = text.partition("@")
    if not at:
        user, host = text, ""
    host = host.split(";")[0].split("?")[0].strip()
    if not host.startswith("["):
        host = host.split(":")[0]
    return user.split(";")[0].strip(), host.lower()


def read_metadata(raw: bytes) -> Metadata:
    """Read a metadata document; one without any participant is fine, broken XML is a TapError."""
    root = _parse(raw)
    participants: dict[str, Participant] = {}
    streams: dict[str, Stream] = {}
    sends: dict[str, list[str]] = {}
    sessions: list[str] = []
    call_ids: list[str] = []
    started: datetime | None = None
    complete = True
    for node in root.walk():
        tag = node.tag
        if tag == "datamode":
            complete = node.text.strip().lower() != "partial"
        elif tag == "session" and node.id:
            sessions.append(node.id)
            started = started or _time(node.find("start-time") or node.find("associate-time"))
        elif tag == "participant" and node.id:
            participants[node.id] = _participant(node)
            sends.setdefault(node.id, []).extend(node.texts("send"))
        elif tag == "participantstreamassoc" and node.id:
            gone = node.find("disassociate-time") is not None
            sends.setdefault(node.id, []).extend([] if gone else node.texts("send"))
        elif tag == "stream" and node.id:
            label, mode = node.find("label"), node.find("mode")
            streams[node.id] = Stream(
                node.id,
                label.text.strip() if label else "",
                bool(mode and mode.text.strip().lower() == "mixed"),
            )
        elif tag in _CALL_ID_TAGS:
            call_ids.extend(word for word in node.text.strip().split(";")[:1] if word)
    return Metadata(
        complete=complete,
        participants=tuple(
            replace(participant, sends=tuple(dict.fromkeys(sends.get(key, ()))))
            for key, participant in participants.items()
        ),
        streams=tuple(streams.values()),
        sessions=tuple(sessions),
        started_at=started,
        call_ids=tuple(dict.fromkeys(call_ids)),
        raw=_as_text(raw) or raw.decode("utf-8", "replace"),
    )


def merge(known: Metadata, update: Metadata) -> Metadata:
    """What holds after an update: a complete one replaces, a partial one adds (RFC 7866 6.1.2).

    A participant that the partial update names without streams or AoR keeps what was known of it.
    """
    if update.complete:
        return update
    participants = {p.id: p for p in known.participants}
    for new in update.participants:
        old = participants.get(new.id)
        if old is not None:
            new = replace(
                new,
                aor=new.aor or old.aor,
                name=new.name or old.name,
                calling=old.calling if new.calling is None else new.calling,
                sends=new.sends or old.sends,
            )
        participants[new.id] = new
    streams = {s.id: s for s in known.streams} | {s.id: s for s in update.streams}
    return Metadata(
        complete=known.complete,
        participants=tuple(participants.values()),
        streams=tuple(streams.values()),
        sessions=tuple(dict.fromkeys(known.sessions + update.sessions)),
        started_at=known.started_at or update.started_at,
        call_ids=tuple(dict.fromkeys(known.call_ids + update.call_ids)),
        raw=f"{known.raw}\n{update.raw}",
    )


@dataclass(slots=True)
class _Node:
    tag: str
    attributes: dict[str, str]
    children: list["_Node"] = field(default_factory=list)
    text: str = ""

    @property
    def id(self) -> str:
        own = self.attributes.get(f"{self.tag.removesuffix('streamassoc')}_id", "")
        return own or next((v for k in _ID_KEYS if (v := self.attributes.get(k))), "")

    def find(self, tag: str) -> "_Node | None":
        return next((child for child in self.children if child.tag == tag), None)

    def texts(self, tag: str) -> list[str]:
        return [c.text.strip() for c in self.children if c.tag == tag and c.text.strip()]

    def walk(self) -> list["_Node"]:
        found, rest = [], [self]
        while rest:
            node = rest.pop()
            found.append(node)
            rest.extend(reversed(node.children))
        return found


def _as_text(raw: bytes) -> str | None:
    """A document without a broken character; None where its encoding is left to the parser."""
    declared = _DECLARED.match(raw.lstrip())
    encoding = _ENCODINGS.get(declared[1].lower() if declared else b"")
    if encoding is None or raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return None
    return raw.decode(encoding, "replace")


class _RefusedError(Exception):
    """Raised inside the parser, whose callbacks have no other way to stop it."""


def _parse(raw: bytes) -> _Node:
    if len(raw) > MAX_BYTES:
        raise TapError(f"SIPREC metadata of {len(raw)} bytes is over the limit of {MAX_BYTES}")
    root = _Node("", {})
    path = [root]
    count = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if count > MAX_ELEMENTS or len(path) > MAX_DEPTH:
            raise _RefusedError("it has too many elements or levels")
        plain = {key.rsplit(":", 1)[-1].lower(): value for key, value in attributes.items()}
        node = _Node(name.rsplit(":", 1)[-1].lower(), plain)
        path[-1].children.append(node)
        path.append(node)

    def end(_name: str) -> None:
        path.pop()

    def characters(text: str) -> None:
        path[-1].text += text

    def refuse(*_: object) -> None:
        raise _RefusedError("it has a DTD, which metadata never needs")

    # Without namespaces: an undeclared prefix is then no error, and prefixes are cut off anyway.
    text = _as_text(raw)
    parser = expat.ParserCreate(None if text is None else "utf-8")
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = characters
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(raw.strip() if text is None else text.strip().encode(), True)
    except (expat.ExpatError, LookupError, ValueError, _RefusedError) as error:
        why = str(error) if isinstance(error, _RefusedError) else "it is no well-formed XML"
        raise TapError(
            f"SIPREC metadata cannot be read: {why}",
            remedy="the call is recorded with unknown sides; mend the recording client",
        ) from error
    return root


def _participant(node: _Node) -> Participant:
    name_id = node.find("nameid")
    name = name_id.find("name") if name_id else None
    calling: bool | None = None
    for inner in node.walk():
        word = inner.text.strip().lower()
        if inner.tag == "role" and word in ("calling", "called"):
            calling = word == "calling"
        elif inner.tag == "callingparty" and word in ("true", "false"):
            calling = word == "true"
    return Participant(
        id=node.id,
        aor=name_id.attributes.get("aor", "").strip() if name_id else "",
        name=name.text.strip() if name else "",
        calling=calling,
    )


def _time(node: _Node | None) -> datetime | None:
    if node is None:
        return None
    try:
        moment = datetime.fromisoformat(node.text.strip())
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if moment.year >= FIRST_CREDIBLE_YEAR else None
