"""The door: who is let in, how often, and what a rude peer gets."""

import contextlib
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from calls.call import EndedBy, EndReason
from telephony.build import find_build
from telephony.door import Door
from tests.peers.raw_peer import raw_peer
from tests.telephony.conftest import Phone, Tap, until

TapOf = Callable[..., Tap]
Phones = Callable[..., Phone]
Speech = Callable[[int, float], Path]
PEER, OTHER = "10.0.0.7", "10.0.0.8"


@pytest.mark.parametrize(
    ("source", "allowed"),
    [(PEER, True), ("fd00::7", True), ("10.0.1.7", False), ("fe80::1", False), ("pbx", False)],
)
def test_only_the_networks_given_are_allowed(source: str, allowed: bool) -> None:
    assert Door(["10.0.0.0/24", "fd00::/64"], 10).allows(source) is allowed


def test_a_network_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0\.0/99"):
        Door(["10.0.0.0/99"], 10)


def test_a_peer_may_call_so_often_and_takes_nothing_from_another() -> None:
    door = Door(["10.0.0.0/24"], 10)
    assert [door.calls.take(PEER, 0.0) for _ in range(21)] == [True] * 20 + [False]
    assert door.calls.take(OTHER, 0.0)
    assert [door.calls.take(PEER, 200.0) for _ in range(3)] == [True, True, False]
    assert sum(door.calls.take(PEER, 3_600_000.0) for _ in range(50)) == 20


def test_the_peers_remembered_are_bounded_and_the_busy_one_is_among_them() -> None:
    door = Door(["0.0.0.0/0"], 1)
    assert [door.calls.take(PEER, 0.0) for _ in range(3)] == [True, True, False]
    for number in range(10_000):
        door.calls.take(f"11.0.{number // 250}.{number % 250}", 0.0)
        assert not door.calls.take(PEER, 0.0)
    assert len(door.calls) <= 4096


@pytest.mark.sip
def test_a_flood_gets_503_and_the_call_under_way_goes_on(
    tap_of: TapOf, phones: Phones, speech: Speech
) -> None:
    tap = tap_of(calls_a_second=0.01)
    agent = phones(port=tap.agent_port, ring_ms=100, play=str(speech(1, 4)))
    caller = phones(call=tap.uri, hang_up_ms=3000)
    until(lambda: agent.told("playing"))
    codes = []
    for number in range(5):
        with raw_peer(tap.uri, f"flood{number}") as peer:
            peer.send("INVITE")
            code, tag = peer.answer("INVITE", 180)
            codes.append(code)
            peer.send("ACK", to_tag=tag)
    assert codes == [503] * 5
    caller.wait()
    [(call, _)] = tap.recorded()
    assert call.recording is not None
    assert call.recording.complete
    assert (call.ended_by, call.end_reason) == (EndedBy.CALLER, EndReason.BYE)


@pytest.mark.sip
def test_a_message_beyond_the_limit_is_dropped_and_the_next_call_is_taken(
    tap_of: TapOf, phones: Phones
) -> None:
    tap = tap_of()
    pids = tap.supervisor.pids()
    head = f"INVITE {tap.uri} SIP/2.0\r\nCall-ID: huge\r\nContent-Length: 3000000\r\n\r\n".encode()
    for beginning in (head, b"INVITE " + b"x" * 100_000):
        with socket.create_connection(("127.0.0.1", tap.settings.port), timeout=10) as wire:
            with contextlib.suppress(ConnectionError):
                wire.sendall(beginning + b"a" * 3_000_000)
                wire.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionError):
                assert not wire.recv(100).startswith(b"SIP/2.0 2")
    agent = phones(port=tap.agent_port, ring_ms=100)
    phones(call=tap.uri, hang_up_ms=300).wait()
    agent.wait()
    [(call, _)] = tap.recorded()
    assert (call.ended_by, call.end_reason) == (EndedBy.CALLER, EndReason.BYE)
    assert tap.supervisor.pids() == pids


@pytest.mark.sip
def test_a_datagram_that_the_library_cuts_is_refused_and_rings_nobody(
    tap_of: TapOf, phones: Phones
) -> None:
    tap = tap_of()
    agent = phones(port=tap.agent_port, ring_ms=100)
    limit = find_build().max_message_bytes
    with raw_peer(tap.uri, "long") as peer:
        peer.send("INVITE", headers=f"X-Long: {'a' * limit}\r\n")
        code, tag = peer.answer("INVITE")
        peer.send("ACK", to_tag=tag)
    assert code == 513
    with raw_peer(tap.uri, "fits") as peer:
        peer.send("INVITE", headers=f"X-Long: {'a' * (limit - 1000)}\r\n")
        code, tag = peer.answer("INVITE")
        assert code == 200
        peer.send("ACK", branch="b", to_tag=tag)
        peer.send("BYE", number=2, branch="c", to_tag=tag)
        assert peer.answer("BYE")[0] == 200
    agent.wait()
    assert len(tap.recorded()) == 1


@pytest.mark.sip
def test_connections_that_come_and_go_end_no_process_of_the_wheel(
    tap_of: TapOf, phones: Phones, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without the wait for the library 122 of them did, however slowly they came.
    monkeypatch.setenv("SANSHENG_PJSIP", "wheel")
    tap = tap_of()
    pids = tap.supervisor.pids()
    for _ in range(150):
        with contextlib.suppress(TimeoutError):
            socket.create_connection(("127.0.0.1", tap.settings.port), timeout=2).close()
    agent = phones(port=tap.agent_port, ring_ms=100)
    phones(call=tap.uri, hang_up_ms=300).wait()
    agent.wait()
    assert len(tap.recorded()) == 1
    assert tap.supervisor.pids() == pids
