"""A telephone's REFER to the tap: one call, whose side is whoever is there."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calls import wav
from calls.call import Call, Channel, EndedBy, EndReason, EventKind
from telephony.build import find_build
from telephony.settings import Destination
from tests.peers.raw_peer import raw_peer
from tests.telephony.conftest import Lateness, Phone, Tap, free_ports, until

pytestmark = pytest.mark.sip

TapOf = Callable[..., Tap]
Phones = Callable[..., Phone]
Speech = Callable[[int, float], Path]
CALLER, AGENT = Channel.CALLER, Channel.AGENT


@dataclass
class Line:
    """A tap with two agents' ports: 88908890 rings 1001, and 1002 rings the second."""

    tap: Tap
    phones: Phones
    second_port: int
    lateness: Lateness

    def target(self, number: str = "1002") -> str:
        """The address of a number at the tap itself."""
        return f"sip:{number}@127.0.0.1:{self.tap.settings.port}"

    @property
    def second_itself(self) -> str:
        """The second agent's address, not by the tap."""
        return f"sip:1002@127.0.0.1:{self.second_port}"

    def first(self, **script: Any) -> Phone:
        """The first agent's telephone."""
        return self.phones(port=self.tap.agent_port, **{"ring_ms": 100, **script})

    def second(self, **script: Any) -> Phone:
        """The second agent's telephone."""
        return self.phones(port=self.second_port, **{"ring_ms": 300, **script})

    def caller(self, **script: Any) -> Phone:
        """A caller's telephone, which rings the first agent."""
        return self.phones(call=self.tap.uri, **script)

    def record(self, *phones: Phone) -> tuple[Call, Path]:
        """The only record, once these telephones are done."""
        for phone in phones:
            phone.wait()
        [recorded] = self.tap.recorded()
        return recorded

    def whole(self, call: Call, folder: Path) -> Path:
        """The recording of a call, as long as the call."""
        assert call.recording is not None
        assert call.recording.complete
        path = folder / call.recording.path
        about = 100 + self.lateness.worst_ms()
        assert wav.inspect(path).duration_ms == pytest.approx(call.duration_ms, abs=about)
        return path


@pytest.fixture
def line_of(tap_of: TapOf, phones: Phones, lateness: Lateness) -> Callable[..., Line]:
    def start(**changes: Any) -> Line:
        first, second = free_ports(2)
        tap = tap_of(
            recording_coding="PCM_16",
            destinations={
                "88908890": Destination(uri=f"sip:1001@127.0.0.1:{first}", agent="1001"),
                "1002": Destination(uri=f"sip:1002@127.0.0.1:{second}", agent="1002"),
            },
            **changes,
        )
        tap.agent_port = first
        return Line(tap, phones, second, lateness)

    return start


def happened(call: Call, *kinds: EventKind) -> list[tuple[Channel, EventKind, str]]:
    return [(e.leg, e.kind, e.detail) for e in call.events if e.kind in kinds]


def told(phone: Phone) -> list[int]:
    """What the NOTIFYs of a transfer said."""
    return [e["code"] for e in phone.events if e["event"] == "transfer"]


def is_heard(path: Path, channel: int, start_ms: int, end_ms: int) -> bool:
    return bool(np.abs(wav.read(path, channel, start_ms=start_ms, end_ms=end_ms)).max() > 0.1)


def ms_of(call: Call, kind: EventKind) -> int:
    """When an event happened, in the recording's time."""
    assert call.answered_at is not None
    at = next(e.at for e in call.events if e.kind is kind)
    return round((at - call.answered_at).total_seconds() * 1000)


def test_an_agents_blind_transfer_goes_on_as_the_next_agents_side(
    line_of: Callable[..., Line], speech: Speech
) -> None:
    line = line_of()
    first = line.first(
        play=str(speech(2, 1.2)),
        transfer_ms=1500,
        transfer_to=line.target(),
    )
    second = line.second(ring_ms=500, play=str(speech(3, 8)))
    caller = line.caller(hang_up_ms=5000)
    [live] = until(lambda: [c for c in line.tap.supervisor.live() if c.agent == "1002"])
    assert live.state == "talking"
    call, folder = line.record(caller, second, first)
    assert told(first)[-2:] == [180, 200]
    assert (call.agent, call.transfers) == ("1001", ("1002",))
    assert (call.ended_by, call.end_reason) == (EndedBy.CALLER, EndReason.BYE)
    assert happened(call, EventKind.REFER, EventKind.REPLACED) == [
        (AGENT, EventKind.REFER, "blind"),
        (AGENT, EventKind.REPLACED, ""),
    ]
    path, replaced = line.whole(call, folder), ms_of(call, EventKind.REPLACED)
    assert is_heard(path, 1, 0, 1200)
    assert not is_heard(path, 1, 1500, replaced)
    assert is_heard(path, 1, replaced + 200, call.duration_ms)
    # Both legs of the side count: 3.5 s of the second alone would be 175.
    packets = {q.channel: q.packets for q in call.quality}
    assert packets[AGENT] == pytest.approx(packets[CALLER], abs=15)


def test_a_callers_transfer_changes_the_callers_side(
    line_of: Callable[..., Line], speech: Speech
) -> None:
    line = line_of()
    agent = line.first(play=str(speech(2, 8)))
    second = line.second(play=str(speech(3, 8)), hang_up_ms=2000)
    caller = line.caller(transfer_ms=1000, transfer_to=line.second_itself)
    call, folder = line.record(second, agent, caller)
    assert told(caller)[-1] == 200
    assert call.transfers == ()
    assert (call.ended_by, call.end_reason) == (EndedBy.CALLER, EndReason.BYE)
    path, replaced = line.whole(call, folder), ms_of(call, EventKind.REPLACED)
    assert not is_heard(path, 0, 0, replaced)
    assert is_heard(path, 0, replaced + 200, call.duration_ms)
    assert is_heard(path, 1, replaced + 200, call.duration_ms)


def test_an_attended_transfer_takes_the_place_of_the_consultation(
    line_of: Callable[..., Line], speech: Speech
) -> None:
    line = line_of()
    first = line.first(transfer_ms=800, transfer_to=line.second_itself, consult=True)
    second = line.second(ring_ms=600, play=str(speech(3, 8)))
    caller = line.caller(hang_up_ms=4500)
    call, folder = line.record(caller, second, first)
    assert second.told("replaced")
    assert told(first)[-1] == 200
    assert call.transfers == ("1002",)
    assert (call.ended_by, call.end_reason) == (EndedBy.CALLER, EndReason.BYE)
    [hold] = call.holds
    assert hold.by is AGENT
    assert hold.end_ms == pytest.approx(ms_of(call, EventKind.REPLACED), abs=2)
    assert is_heard(line.whole(call, folder), 1, hold.end_ms + 200, call.duration_ms)


def test_a_target_that_is_busy_leaves_the_old_call_up(
    line_of: Callable[..., Line], speech: Speech
) -> None:
    line = line_of()
    first = line.first(
        play=str(speech(2, 8)),
        transfer_ms=800,
        transfer_to=line.target(),
    )
    second = line.second(reaction="busy")
    caller = line.caller(hang_up_ms=3500)
    call, folder = line.record(caller, second, first)
    assert told(first)[-1] == 486
    assert call.transfers == ()
    assert (call.ended_by, call.end_reason) == (EndedBy.CALLER, EndReason.BYE)
    assert happened(call, EventKind.FAILED) == [(AGENT, EventKind.FAILED, "transfer")]
    assert is_heard(line.whole(call, folder), 1, 2500, call.duration_ms)


@pytest.mark.parametrize(
    ("reaction", "ended_by", "reason"),
    [
        ("answer", EndedBy.CALLER, EndReason.BYE),
        ("busy", EndedBy.NETWORK, EndReason.LOST),
    ],
)
def test_a_transferor_that_leaves_at_once_does_not_end_the_call(
    line_of: Callable[..., Line],
    reaction: str,
    ended_by: EndedBy,
    reason: EndReason,
) -> None:
    line = line_of()
    first = line.first(transfer_ms=500, transfer_to=line.target(), hang_up_ms=700)
    second = line.second(ring_ms=1000, reaction=reaction)
    caller = line.caller(hang_up_ms=3000)
    call, folder = line.record(caller, second, first)
    assert (call.ended_by, call.end_reason) == (ended_by, reason)
    assert call.transfers == (("1002",) if reaction == "answer" else ())
    line.whole(call, folder)


@pytest.mark.parametrize(
    ("changes", "target"),
    [({"transfers": "refuse"}, ""), ({}, "sip:1002@192.0.2.9"), ({}, "sip:192.0.2.9")],
)
def test_a_refused_transfer_leaves_the_call_as_it_is(
    line_of: Callable[..., Line], changes: dict[str, str], target: str
) -> None:
    line = line_of(**changes)
    first = line.first(transfer_ms=300, transfer_to=target or line.target())
    caller = line.caller(hang_up_ms=1500)
    call, folder = line.record(caller, first)
    assert told(first)[-1] >= 400
    assert (call.ended_by, call.end_reason) == (EndedBy.CALLER, EndReason.BYE)
    assert happened(call, EventKind.REFER) == []
    line.whole(call, folder)


def test_a_transfer_that_another_address_asks_for_is_refused(line_of: Callable[..., Line]) -> None:
    line = line_of()
    agent = line.first()
    with (
        raw_peer(line.tap.uri, "victim") as caller,
        raw_peer(line.tap.uri, "victim", "127.0.0.2") as stranger,
    ):
        caller.send("INVITE")
        _, tag = caller.answer("INVITE")
        caller.send("ACK", to_tag=tag, branch="b")
        until(lambda: agent.told("confirmed"))
        refer = f"Refer-To: <{line.target()}>\r\n"
        stranger.send("REFER", number=2, to_tag=tag, branch="s", headers=refer)
        assert stranger.answer("REFER")[0] == 403
        caller.send("BYE", number=3, to_tag=tag, branch="c")
        assert caller.answer("BYE")[0] == 200
    call, _ = line.record(agent)
    assert (call.ended_by, call.end_reason) == (EndedBy.CALLER, EndReason.BYE)
    assert happened(call, EventKind.REFER) == []


def test_only_a_peer_may_take_a_call_over(line_of: Callable[..., Line]) -> None:
    line = line_of()
    agent = line.first()
    with (
        raw_peer(line.tap.uri, "victim") as caller,
        raw_peer(line.tap.uri, "thief", "127.0.0.2") as thief,
        raw_peer(line.tap.uri, "colleague") as colleague,
    ):
        caller.send("INVITE")
        _, tag = caller.answer("INVITE")
        caller.send("ACK", to_tag=tag, branch="b")
        until(lambda: agent.told("confirmed"))
        replaces = f"Replaces: victim;to-tag={tag};from-tag=tvictim\r\n"
        thief.send("INVITE", headers=replaces)
        assert thief.answer("INVITE")[0] == 403
        colleague.send("INVITE", headers=replaces)
        code, taken = colleague.answer("INVITE")
        assert code == 200
        colleague.send("ACK", to_tag=taken, branch="b")
        assert caller.request() == "BYE"
        colleague.send("BYE", number=2, to_tag=taken, branch="c")
        assert colleague.answer("BYE")[0] == 200
    call, _ = line.record(agent)
    assert (call.ended_by, call.end_reason) == (EndedBy.CALLER, EndReason.BYE)
    assert happened(call, EventKind.REPLACED) == [(CALLER, EventKind.REPLACED, "")]


@pytest.mark.skipif(find_build().max_calls < 8, reason="six legs: make pjsip")
def test_a_consultation_through_the_tap_is_joined_too(
    line_of: Callable[..., Line], speech: Speech
) -> None:
    line = line_of()
    first = line.first(transfer_ms=500, transfer_to=line.target(), consult=True)
    second = line.second(play=str(speech(3, 8)))
    caller = line.caller(hang_up_ms=4000)
    for phone in (caller, second, first):
        phone.wait()
    records = {call.called: (call, folder) for call, folder in line.tap.recorded(2)}
    call, folder = records["88908890"]
    assert call.transfers == ("1002",)
    assert (call.ended_by, call.end_reason) == (EndedBy.CALLER, EndReason.BYE)
    replaced = ms_of(call, EventKind.REPLACED)
    assert is_heard(line.whole(call, folder), 1, replaced + 300, call.duration_ms)
    consultation, _ = records["1002"]
    assert happened(consultation, EventKind.REPLACED) == [(CALLER, EventKind.REPLACED, "")]
