"""The few things read out of raw SIP text, and the one answer that is written as such."""

import re

_USER = re.compile(r"(?:sips?|tel):(?P<user>[^@;>\s]+)", re.IGNORECASE)
_SAFE_USER = re.compile(r"[A-Za-z0-9+*#._-]{1,64}")
_CALL_ID = re.compile(r"^(?:call-id|i)\s*:\s*([!-~]{1,200})\s*$", re.IGNORECASE | re.MULTILINE)
_REQUEST_USER = re.compile(r"^\w+\s+sips?:(?P<user>[^@;>\s]+)@", re.IGNORECASE)
_TO = re.compile(r"^(?:to|t)\s*:(.*)$", re.IGNORECASE | re.MULTILINE)
_REQUEST = re.compile(r"(?!ACK )[A-Z]+ \S+ SIP/2\.0\r?\n")
_REPEATED = re.compile(
    r"^(?P<name>via|v|from|f|to|t|call-id|i|cseq)\s*:[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*",
    re.IGNORECASE | re.MULTILINE,
)
_DIRECTION = re.compile(r"^a=(sendrecv|sendonly|recvonly|inactive)\s*$", re.MULTILINE)
_HELD = frozenset({"sendonly", "inactive"})


def user_of(uri: str) -> str:
    """The user part of a SIP or tel URI; empty when there is none that is safe to repeat."""
    found = _USER.search(uri)
    user = found["user"].split(":")[0] if found else ""
    return user if _SAFE_USER.fullmatch(user) else ""


def called_number(invite: str) -> str:
    """The user part of an INVITE's request URI."""
    found = _REQUEST_USER.match(invite)
    return found["user"] if found and _SAFE_USER.fullmatch(found["user"]) else ""


def dialled_number(invite: str) -> str:
    """The user part of an INVITE's To, where a trunk has the number that was dialled."""
    found = _TO.search(invite)
    return user_of(found[1]) if found else ""


def call_id_of(message: str) -> str:
    """The Call-ID header of a message; empty when it is not plain text that is safe to store."""
    found = _CALL_ID.search(message)
    return found[1] if found else ""


def holds(message: str) -> bool | None:
    """Whether a re-INVITE's SDP puts us on hold (RFC 3264 8.4); None when it has no SDP."""
    if "\nm=" not in message:
        return None
    direction = _DIRECTION.search(message)
    return bool(direction and direction[1] in _HELD) or "\nc=IN IP4 0.0.0.0" in message


def too_large(message: str) -> str:
    """A 513 to a request of which only the beginning is there (RFC 3261 8.2.6.2, 21.5.14).

    Empty for what is answered with nothing: an ACK, an answer, or a beginning without a header that
    an answer has to repeat.
    """
    if not _REQUEST.match(message):
        return ""
    lines: list[str] = []
    names = set()
    for found in _REPEATED.finditer(message.partition("\r\n\r\n")[0]):
        name = found["name"].lower()
        names.add(name[0] if name != "call-id" else "i")
        tag = ";tag=513" if name in ("to", "t") and ";tag=" not in found[0] else ""
        lines.append(found[0] + tag)
    if names != set("vftic"):
        return ""
    head = "\r\n".join(("SIP/2.0 513 Message Too Large", *lines, "Content-Length: 0"))
    return f"{head}\r\n\r\n"
