"""Requests after RFC 4475 (SIP torture tests): each breaks, or strains, a sound INVITE its way."""

from collections.abc import Callable

Change = Callable[[bytes], bytes]


def _swap(old: bytes, new: bytes) -> Change:
    def change(invite: bytes) -> bytes:
        assert old in invite
        return invite.replace(old, new, 1)

    return change


def _drop(*names: bytes) -> Change:
    def change(invite: bytes) -> bytes:
        head, blank, body = invite.partition(b"\r\n\r\n")
        lines = [line for line in head.split(b"\r\n") if not line.startswith(names)]
        return b"\r\n".join(lines) + blank + body

    return change


CHANGES: dict[str, Change] = {
    "3.1.1.1 folded lines and odd spaces": _swap(b"Via: ", b"v  :\r\n  "),
    "3.1.1.2 odd method": _swap(b"INVITE sip", b"!interesting-Method0123456789_*+`.%ind sip"),
    "3.1.1.3 percent signs in the user part": _swap(b"sip:139@", b"sip:%75%2525%@"),
    "3.1.1.4 escaped nulls": _swap(b"sip:139@", b"sip:null-%00-null@"),
    "3.1.1.6 a message cut short": lambda invite: invite[:-40],
    "3.1.1.7 long": _swap(b"Max-Forwards", b"X-Long: " + b"long" * 800 + b"\r\nMax-Forwards"),
    "3.1.1.8 an extra trailing octet": lambda invite: invite + b"\r\n\x00trailing",
    "3.1.1.11 a multipart body that is none": _swap(b"application/sdp", b"multipart/mixed"),
    "3.1.2.1 extraneous separators": _swap(b"Max-Forwards: 70", b"Max-Forwards: 70;;,;,,"),
    "3.1.2.2 a content length beyond the body": _swap(b"Content-Length: ", b"Content-Length: 9999"),
    "3.1.2.3 a negative content length": _swap(b"Content-Length: ", b"Content-Length: -999"),
    "3.1.2.4 numbers out of range": _swap(b"CSeq: 1 ", b"CSeq: 36893488147419103232 "),
    "3.1.2.6 an unterminated quote": _swap(b"To: <", b'To: "Mr. J. User <'),
    "3.1.2.7 angle brackets round the request URI": _swap(b"INVITE sip:", b"INVITE <sip:"),
    "3.1.2.8 a space in the request URI": _swap(b"127.0.0.1", b"127.0.0.1; lr"),
    "3.1.2.9 spaces between the first line's words": _swap(b"INVITE ", b"INVITE   "),
    "3.1.2.10 spaces after the first line": _swap(b" SIP/2.0\r\n", b" SIP/2.0  \r\n"),
    "3.1.2.11 headers in the URI": _swap(b" SIP/2.0", b"?Route=%3Csip:x.y%3E SIP/2.0"),
    "3.1.2.13 a loose display name": _swap(b"From: <", b"From: Bell, Alexander <"),
    "3.1.2.14 an unknown version": _swap(b" SIP/2.0\r\n", b" SIP/7.0\r\n"),
    "3.1.2.15 methods that differ": _swap(b"CSeq: 1 INVITE", b"CSeq: 1 OPTIONS"),
    "3.2.1 a branch without its id": _swap(b"branch=z9hG4bK", b"branch=z9hG4bK;x="),
    "3.3.1 required headers left out": _drop(b"Call-ID", b"From", b"To"),
    "3.3.2 an unknown scheme": _swap(b"INVITE sip:", b"INVITE nobodyKnowsThisScheme:"),
    "3.3.4 an unknown scheme in To": _swap(b"To: <sip:", b"To: <isbn:"),
    "3.3.5 requirement": _swap(b"Max-Forwards", b"Require: nothingSupports\r\nMax-Forwards"),
    "3.3.6 an unknown content": _swap(b"application/sdp", b"application/unknownformat"),
    "3.3.8 single values given twice": _swap(b"CSeq: 1", b"CSeq: 5 BYE\r\nCSeq: 1"),
    "3.3.9 two lengths": _swap(b"Content-Length: ", b"Content-Length: 5\r\nContent-Length: "),
    "3.3.13 no hop left": _swap(b"Max-Forwards: 70", b"Max-Forwards: 0"),
    "3.4.1 an INVITE of RFC 2543": _drop(b"Max-Forwards", b"Contact"),
    "SDP without a connection": _swap(b"c=IN IP4 127.0.0.1\r\n", b""),
    "SDP of an unknown network": _swap(b"c=IN IP4", b"c=XX YY"),
    "SDP without its lines' ends": _swap(b"a=rtpmap:8 PCMA/8000\r\n", b"a=rtpmap:8"),
    "SDP with a codec beyond the table": _swap(b"RTP/AVP 8", b"RTP/AVP 8 " + b"127 " * 300),
    "SDP with forty audio lines": lambda i: i + b"m=audio 4000 RTP/AVP 8\r\n" * 40,
}
"""Section and trouble to what it does to a sound INVITE; the last ones are broken SDP."""
