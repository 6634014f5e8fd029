"""What goes wrong around a real tap: kills, a full disk, strangers, floods, and broken SIP."""

import os
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
from tests.peers.rude_peer import invite
from tests.telephony.conftest import Lateness, Phone, Tap, free_ports, until

pytestmark = pytest.mark.sip

TapOf = Callable[..., Tap]
Phones = Callable[..., Phone]
Speech = Callable[[int, float], Path]


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
    tap_of: TapOf, phones: Phones, speech: Speech, lateness: Lateness
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
    assert call.duration_ms == pytest.approx(3500, abs=200 + lateness.worst_ms())
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
        peer.sendto(invite(tap.uri, 5999, 1), ("127.0.0.1", tap.settings.port))
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
