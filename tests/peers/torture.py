"""Requests after RFC 4475 (SIP torture tests): each breaks, or strains, a sound INVITE its way."""

import random
import re
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
    "SDP without a connection": _swap(b"c=IN IP4 127.0.77.1\r\n", b""),
    "SDP of an unknown network": _swap(b"c=IN IP4", b"c=XX YY"),
    "SDP without its lines' ends": _swap(b"a=rtpmap:8 PCMA/8000\r\n", b"a=rtpmap:8"),
    "SDP with a codec beyond the table": _swap(b"RTP/AVP 8", b"RTP/AVP 8 " + b"127 " * 300),
    "SDP with forty audio lines": lambda i: i + b"m=audio 4000 RTP/AVP 8\r\n" * 40,
}
"""Section and trouble to what it does to a sound INVITE; the last ones are broken SDP."""

_ADDRESS = re.compile(rb".?127\.0\.\d+\.1(?::\d+)?.?", re.S)
"""Left alone, so that no broken message has the tap send anything to another machine."""
_NUMBER = re.compile(rb"\d+")
_EXTREMES = (
    b"0",
    b"-1",
    b"255",
    b"256",
    b"65535",
    b"65536",
    b"2147483648",
    b"18446744073709551616",
)
_PIECES = (
    *(
        b"\r\n",
        b"\r\n\r\n",
        b"\n",
        b"\x00",
        b" ",
        b"\t",
        b";",
        b":",
        b",",
        b"<",
        b">",
        b'"',
        b"=",
        b"%",
        b"@",
    ),
    *(
        b"\xff\xfe",
        b"%00",
        b"\xe4\xbd\xa0",
        b"a" * 300,
        b"9" * 40,
        b"m=audio 0 RTP/AVP 8\r\n",
        b"m=",
    ),
    *(b"a=rtpmap:8 PCMA/0\r\n", b"a=fmtp:101 0-99999\r\n", b"a=sendonly\r\n", b"a=ptime:0\r\n"),
    *(b"a=rtpmap:101 telephone-event/8000/9\r\n", b"a=rtcp:1\r\n", b"a=crypto:1 AES inline:\r\n"),
    *(b"b=AS:-1\r\n", b"c=IN IP6 ::1\r\n", b"c=IN IP4 0.0.0.0\r\n", b"t=\r\n", b"a=ice-ufrag:\r\n"),
)
_LENGTH = re.compile(rb"(?mi)^(Content-Length\s*:\s*)\d+")


def mutate(message: bytes, chance: random.Random) -> bytes:
    """A message with one to eight changes: of octets, numbers, lines, or its length.

    Two of three get a right Content-Length again, or few would reach the reader of the SDP.
    """
    mutant = bytearray(message)
    for _ in range(chance.randint(1, 8)):
        _CUTS[chance.randrange(len(_CUTS))](mutant, chance)
    if not chance.randrange(3):
        return bytes(mutant)
    length = len(bytes(mutant).partition(b"\r\n\r\n")[2])
    return _LENGTH.sub(rb"\g<1>%d" % length, bytes(mutant), count=1)


def _place(mutant: bytearray, chance: random.Random) -> int:
    """Somewhere in it that is not part of an address."""
    while True:
        at = chance.randrange(len(mutant) + 1)
        if not any(found.start() <= at < found.end() for found in _ADDRESS.finditer(mutant)):
            return at


def _change_octet(mutant: bytearray, chance: random.Random) -> None:
    at = _place(mutant, chance)
    mutant[at : at + 1] = chance.randbytes(1)


def _cut_out(mutant: bytearray, chance: random.Random) -> None:
    at = _place(mutant, chance)
    rest = _ADDRESS.search(mutant, at)
    end = at + chance.randint(1, 9)
    del mutant[at : min(end, rest.start() if rest else end)]


def _put_in(mutant: bytearray, chance: random.Random) -> None:
    at = _place(mutant, chance)
    mutant[at:at] = chance.choice(_PIECES)


def _change_number(mutant: bytearray, chance: random.Random) -> None:
    spared = [found.span() for found in _ADDRESS.finditer(mutant)]
    numbers = [
        found
        for found in _NUMBER.finditer(mutant)
        if not any(start <= found.start() < end for start, end in spared)
    ]
    if numbers:
        found = chance.choice(numbers)
        mutant[found.start() : found.end()] = chance.choice(_EXTREMES)


def _move_line(mutant: bytearray, chance: random.Random) -> None:
    """Leave a line out, repeat it, or put it elsewhere."""
    lines = bytes(mutant).split(b"\r\n")
    line = lines[at := chance.randrange(len(lines))]
    if chance.randrange(3):
        del lines[at]
    if chance.randrange(2):
        lines.insert(chance.randrange(len(lines) + 1), line)
    mutant[:] = b"\r\n".join(lines)


_CUTS = (_change_octet, _cut_out, _put_in, _change_number, _move_line)
