"""What goes wrong around a real tap: kills, a full disk, strangers, floods, and broken SIP."""

import os
import random
import resource
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from calls.call import EndedBy, EndReason
from calls.errors import TapError
from calls.handover import Spool, Stage
from telephony.settings import TapSettings
from telephony.supervisor import TapSupervisor
from tests.peers import torture
from tests.telephony.conftest import Phone, Tap, free_ports, until

pytestmark = pytest.mark.sip

TapOf = Callable[..., Tap]
Phones = Callable[..., Phone]
Speech = Callable[[int, float], Path]


def _invite(uri: str, number: int) -> bytes:
    body = (
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        "m=audio 39000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\n"
        "a=rtpmap:101 telephone-event/8000\r\n"
    )
    return (
        f"INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5999;branch=z9hG4bK{number};rport\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:139@127.0.0.1>;tag=t{number}\r\nTo: <{uri}>\r\n"
        f"Call-ID: fuzz{number}\r\nCSeq: 1 INVITE\r\nContact: <sip:139@127.0.0.1:5999>\r\n"
        f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    [port] = free_ports(1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", port))
        tap = TapSupervisor(TapSettings(port=port), Spool(tmp_path))
        with pytest.raises(TapError, match=f"127.0.0.1:{port}") as caught:
            tap.start()
    assert "change [telephony] port" in caught.value.remedy
    assert tap.pids() == []


def test_a_killed_process_keeps_its_call_and_comes_back(
    tap_of: TapOf, phones: Phones, speech: Speech
) -> None:
    tap = tap_of()
    agent = phones(port=tap.agent_port, ring_ms=200, play=str(speech(1, 20)), give_up_ms=6000)
    phones(call=tap.uri, give_up_ms=6000)
    until(lambda: agent.told("playing"))
    [folder] = tap.spool.waiting(Stage.LIVE)
    side = folder / "agent.wav"
    until(lambda: side.exists() and side.stat().st_size > 30_000)
    [pid] = tap.supervisor.pids()
    os.kill(pid, signal.SIGKILL)
    [(call, _)] = tap.recorded()
    assert (call.ended_by, call.end_reason) == (EndedBy.NETWORK, EndReason.LOST)
    assert call.recording is not None
    assert not call.recording.complete
    assert (call.recording.duration_ms or 0) > 1000
    until(lambda: [h.restarts for h in tap.supervisor.health() if h.running and h.ready] == [1])
    agent.wait()
    phones(port=tap.agent_port, ring_ms=100, hang_up_ms=300)
    phones(call=tap.uri).wait()
    assert len(tap.recorded(2)) == 2


def test_a_full_disk_costs_the_recording_and_not_the_call(
    tap_of: TapOf, phones: Phones, speech: Speech
) -> None:
    tap = tap_of()
    [pid] = tap.supervisor.pids()
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (20_000, hard))
    phones(port=tap.agent_port, ring_ms=100, play=str(speech(1, 5)), hang_up_ms=3500)
    caller = phones(call=tap.uri, play=str(speech(2, 5)))
    caller.wait()
    assert caller.told("bye received")
    [(call, _)] = tap.recorded()
    assert (call.ended_by, call.end_reason) == (EndedBy.AGENT, EndReason.BYE)
    assert call.duration_ms == pytest.approx(3500, abs=200)
    assert call.recording is None or not call.recording.complete
    assert tap.supervisor.pids() == [pid]


def test_a_stranger_is_refused(tap_of: TapOf, phones: Phones) -> None:
    tap = tap_of(allowed_peers=("10.0.0.0/8",))
    caller = phones(call=tap.uri)
    caller.wait()
    assert [e["code"] for e in caller.events if e["event"] == "ended"] == [403]
    assert not tap.spool.waiting(Stage.LIVE)
    assert not tap.spool.waiting(Stage.RECORDED)


def _final_answer(tap: Tap) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.settimeout(10)
        peer.sendto(_invite(tap.uri, 1), ("127.0.0.1", tap.settings.port))
        while (answer := peer.recv(4000).decode()).startswith("SIP/2.0 1"):
            continue
    return answer


@pytest.mark.parametrize(
    ("bypass", "status", "header"),
    [
        ("", "SIP/2.0 503", "Retry-After: 5"),
        ("sip:{called}@127.0.0.1:9", "SIP/2.0 302", "Contact: <sip:88908890@127.0.0.1:9>"),
    ],
)
def test_a_full_tap_sends_the_next_call_round_it(
    tap_of: TapOf, phones: Phones, bypass: str, status: str, header: str
) -> None:
    tap = tap_of(calls_a_child=1, bypass=bypass)
    agent = phones(port=tap.agent_port, ring_ms=100)
    first = phones(call=tap.uri, hang_up_ms=1000)
    until(lambda: agent.told("confirmed"))
    answer = _final_answer(tap)
    assert answer.startswith(status)
    assert header in answer
    first.wait()
    assert len(tap.recorded()) == 1


def test_broken_sip_harms_no_call_under_way(tap_of: TapOf, phones: Phones, speech: Speech) -> None:
    tap = tap_of(ring_timeout_s=5, calls_a_second=1000)
    pids = tap.supervisor.pids()
    agent = phones(port=tap.agent_port, ring_ms=100, play=str(speech(1, 8)))
    caller = phones(call=tap.uri, hang_up_ms=5000)
    until(lambda: agent.told("playing"))
    where = ("127.0.0.1", tap.settings.port)
    chance = random.Random(4475)
    whole = _invite(tap.uri, 0)
    broken = [
        b"",
        b"\r\n\r\n",
        b"\x00" * 500,
        b"INVITE",
        whole[:60],
        whole.replace(b"Content-Length: ", b"Content-Length: 99"),
        whole.replace(b"Content-Length: ", b"Content-Length: -"),
        whole.replace(b"Max-Forwards: 70", b"Max-Forwards: 99999999999"),
        whole.replace(b"CSeq: 1 INVITE", b"CSeq: 36893488147419103232 BYE"),
        whole.replace(b"Call-ID: fuzz0", b"Call-ID: \xff\xfe\x80"),
        whole.replace(b"m=audio 39000", b"m=audio 99999"),
        whole.replace(b"m=audio 39000 RTP/AVP 8 101", b"m=audio"),
        whole.replace(b"v=0", b"v=\xe4\xbd\xa0"),
        whole.replace(b"INVITE sip", b"BYE sip"),
        whole.replace(b"INVITE sip", b"CANCEL sip"),
        whole.replace(b"From: ", b"From: " + b"<" * 300),
        whole + b"a=" + b"x" * 30_000,
        *(change(_invite(tap.uri, 5000 + n)) for n, change in enumerate(torture.CHANGES.values())),
    ]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for message in broken:
            sender.sendto(message, where)
        for number in range(1, 1500):
            mutant = bytearray(_invite(tap.uri, number))
            for _ in range(chance.randint(1, 12)):
                at = chance.randrange(len(mutant))
                match chance.randrange(3):
                    case 0:
                        mutant[at] = chance.randrange(256)
                    case 1:
                        del mutant[at : at + chance.randint(1, 9)]
                    case _:
                        mutant[at:at] = chance.randbytes(chance.randint(1, 9))
            sender.sendto(bytes(mutant), where)
    caller.wait()
    agent.wait()
    until(lambda: sum(h.calls for h in tap.supervisor.health()) == 0, 60)
    assert tap.supervisor.pids() == pids
    ours = [call for call, _ in tap.recorded() if call.answered_at and call.duration_ms > 4000]
    [call] = ours
    assert call.recording is not None
    assert call.recording.complete
    assert (call.ended_by, call.end_reason) == (EndedBy.CALLER, EndReason.BYE)
