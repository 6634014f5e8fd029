"""SIPREC offers as they are on the wire: five vendors', and one whose octets are no text."""

import re
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from calls.call import Channel, EndedBy, EndReason
from calls.handover import Stage
from telephony.siprec.settings import SiprecSettings
from tests.telephony.conftest import Tap, free_ports, until

pytestmark = pytest.mark.sip

DATA = Path(__file__).parent / "data" / "siprec"
RULE = SiprecSettings(agent_domains=("agents.example",))


def vendors_body(path: Path, rtp: list[int]) -> bytes:
    """A vendor's offer with our addresses put in for theirs."""
    text = path.read_text()
    body = text[text.index("\n--") + 1 :]
    body = re.sub(r"\bX\.X\.X\.X\b|IN IP4 [\d.]+", "IN IP4 127.0.0.1", body)
    body = body.replace("IN IP4 IN IP4", "IN IP4")
    ports = iter(rtp)
    body = re.sub(r"m=audio \d+", lambda _: f"m=audio {next(ports)}", body)
    return body.replace("\r\n", "\n").replace("\n", "\r\n").encode()


def is_recorded(tap: Tap) -> bool:
    """Whether the session under way has something in its first file."""
    files = [file for folder in tap.spool.waiting(Stage.LIVE) for file in folder.glob("stream-1*")]
    return bool(files) and files[0].stat().st_size > 8000


def run_session(tap: Tap, body: bytes, headers: bytes = b"", *, recorded: bool = False) -> bytes:
    """Offer a body, acknowledge the 200 and hang up, once something is recorded or at once.

    The 200 comes back.
    """
    boundary = body.splitlines()[0].removeprefix(b"--")
    uri = tap.uri.encode()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind(("127.0.0.1", 0))
        client.settimeout(10)
        port = client.getsockname()[1]

        def send(method: bytes, number: int, to_tag: bytes, more: bytes, content: bytes) -> None:
            client.sendto(
                b"%b %b SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%d;branch=z9hG4bK%d%b\r\n"
                b"Max-Forwards: 70\r\nFrom: <sip:src@127.0.0.1:%d>;tag=a%d\r\nTo: <%b>%b\r\n"
                b"Contact: <sip:src@127.0.0.1:%d>;+sip.src\r\nCall-ID: offer-%d\r\n"
                b"CSeq: %d %b\r\n%bContent-Length: %d\r\n\r\n%b"
                % (
                    *(method, uri, port, port, method, port, port, uri, to_tag, port, port),
                    *(number, method, more, len(content), content),
                ),
                ("127.0.0.1", tap.settings.port),
            )

        more = b"Require: siprec\r\n%bContent-Type: multipart/mixed;boundary=%b\r\n"
        send(b"INVITE", 1, b"", more % (headers, boundary), body)
        while (answer := client.recv(65535)).startswith(b"SIP/2.0 100"):
            pass
        assert answer.startswith(b"SIP/2.0 200"), answer.splitlines()[0]
        tag = re.search(rb"^To:.*(;tag=\S+)", answer, re.MULTILINE)
        assert tag is not None
        send(b"ACK", 1, tag[1], b"", b"")
        if recorded:
            until(lambda: is_recorded(tap))
        send(b"BYE", 2, tag[1], b"", b"")
        while b"CSeq: 2 BYE" not in client.recv(65535):
            pass
    return answer


@pytest.mark.parametrize("path", sorted(DATA.glob("*.txt")), ids=lambda p: p.stem.split("__")[1])
def test_every_vendors_offer_is_answered_with_its_labels(
    tap_of: Callable[..., Tap], path: Path
) -> None:
    tap = tap_of(siprec=RULE)
    answer = run_session(tap, vendors_body(path, free_ports(2))).decode()
    sdp = answer[answer.index("\r\n\r\n") :]
    wanted = re.findall(r"a=label:\S+", path.read_text())
    assert re.findall(r"a=label:\S+", sdp) == wanted
    assert sdp.count("a=recvonly") == len(wanted)
    assert ";+sip.srs" in answer
    [(call, folder)] = tap.recorded()
    assert call.pbx_call_id.startswith("offer-")
    assert call.ended_by is EndedBy.UNKNOWN
    assert (folder / "metadata-1.xml").stat().st_size > 100


METADATA = b"""<?xml version="1.0" encoding="UTF-8"?>
<recording xmlns="urn:ietf:params:xml:ns:recording:1"><datamode>complete</datamode>
<participant participant_id="A"><nameID aor="sip:8012@agents.example"><name>\xe7\x8e\xff</name>
</nameID></participant><participant participant_id="C"><nameID aor="sip:139\xc3@trunk.example"/>
</participant><stream stream_id="sa"><label>1\xc3</label></stream>
<stream stream_id="sc"><label>2</label></stream>
<participantstreamassoc participant_id="A"><send>sa</send></participantstreamassoc>
<participantstreamassoc participant_id="C"><send>sc</send></participantstreamassoc>
</recording>"""


def test_octets_that_are_no_text_end_no_recording_and_are_kept_as_they_came(
    tap_of: Callable[..., Tap],
) -> None:
    tap = tap_of(siprec=RULE.model_copy(update={"id_headers": ("X-Call-ID",)}))
    [pid] = tap.supervisor.pids()
    sdp = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=\xfe\xff\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    for port, label in zip(free_ports(2), (b"1\xc3", b"2"), strict=True):
        sdp += b"m=audio %d RTP/AVP 8\r\na=sendonly\r\na=label:%b\r\n" % (port, label)
    body = (
        b"--part\r\nContent-Type: application/sdp\r\n\r\n%b\r\n"
        b"--part\r\nContent-Type: application/rs-metadata+xml\r\n\r\n%b\r\n--part--\r\n"
    )
    answer = run_session(tap, body % (sdp, METADATA), b"X-Call-ID: 4711\xff\xfe\r\n", recorded=True)
    assert answer.count(b"a=recvonly") == 2
    assert b"a=label:2\r\n" in answer
    [(call, folder)] = tap.recorded()
    assert (folder / "metadata-1.xml").read_bytes() == METADATA
    assert call.end_reason is EndReason.BYE
    assert call.agent == "8012"
    assert call.caller == "139\ufffd"
    assert call.recording is not None
    assert call.recording.channels == (Channel.CALLER, Channel.AGENT)
    assert tap.supervisor.pids() == [pid]
