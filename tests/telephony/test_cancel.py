"""A CANCEL that races the answer: whichever wins, the call ends once, and nobody has talked.

RFC 3261 9.2 gives a CANCEL no effect once a final response is out: the dialog stands and is ended
by a BYE. The caller has given up all the same, and the agent must not be held to such a talk.
"""

from collections.abc import Callable

import pytest

from calls.call import Call, Channel, EndedBy, EndReason, EventKind
from calls.handover import Stage
from tests.peers.raw_agent import raw_agent
from tests.peers.raw_peer import RawPeer, raw_peer
from tests.peers.stopped import stopped
from tests.telephony.conftest import Phone, Tap, until

pytestmark = pytest.mark.sip

TapOf = Callable[..., Tap]
Phones = Callable[..., Phone]


def only_record(tap: Tap) -> Call:
    """The one call handed over, when nothing of it is left in the tap."""
    [(call, folder)] = tap.recorded()
    until(lambda: [health.calls for health in tap.supervisor.health()] == [0])
    assert tap.supervisor.live() == []
    assert not tap.spool.waiting(Stage.LIVE)
    assert len(tap.spool.waiting(Stage.RECORDED)) == 1
    assert not list(folder.glob("*.wav")) or call.recording is not None
    return call


def was_cancelled(call: Call, *, answers: int = 1) -> None:
    """The record says who gave up, and of no talk; what the agent did is not hidden."""
    assert (call.ended_by, call.end_reason) == (EndedBy.CALLER, EndReason.CANCEL)
    assert (call.answered_at, call.recording, call.duration_ms) == (None, None, 0)
    kinds = [event.kind for event in call.events]
    assert kinds.count(EventKind.CANCEL) == 1
    assert kinds.count(EventKind.ANSWERED) == answers


def answered(caller: RawPeer) -> str:
    """Call, and wait for the 200; its To tag comes back."""
    caller.send("INVITE")
    code, tag = caller.answer("INVITE")
    assert code == 200
    return tag


@pytest.mark.parametrize("acknowledges", [True, False])
def test_a_cancel_after_the_200_and_before_the_ack_ends_the_call_for_both(
    tap_of: TapOf, phones: Phones, acknowledges: bool
) -> None:
    tap = tap_of()
    agent = phones(port=tap.agent_port, ring_ms=100)
    with raw_peer(tap.uri, "crossed") as caller:
        tag = answered(caller)
        caller.send("CANCEL")
        assert caller.answer("CANCEL")[0] in (200, 481)
        if acknowledges:
            caller.send("ACK", branch="b", to_tag=tag)
            assert caller.request() == "BYE"
        agent.wait()
        assert agent.told("bye received")
        was_cancelled(only_record(tap))


@pytest.mark.parametrize("first", ["answer", "cancel"])
def test_a_cancel_that_meets_the_agents_200_in_the_tap_lets_the_agent_go(
    tap_of: TapOf, first: str
) -> None:
    tap = tap_of()
    [pid] = tap.supervisor.pids()
    with raw_peer(tap.uri, "met") as caller, raw_agent(tap.agent_port) as agent:
        caller.send("INVITE")
        agent.invited()
        agent.say("180 Ringing")
        assert caller.answer("INVITE", 180)[0] == 180
        # Both are on the wire before the tap looks at either.
        with stopped(pid):
            if first == "answer":
                agent.answer()
            caller.send("CANCEL")
            if first == "cancel":
                agent.answer()
        code, tag = caller.answer("INVITE")
        assert code in (200, 487)
        caller.send("ACK", branch="a" if code == 487 else "b", to_tag=tag)
        agent.hears("BYE")
        agent.say("200 OK")
        call = only_record(tap)
    # Once the agent's leg is cancelled the library itself ends what its 200 began.
    was_cancelled(call, answers=int(first == "answer"))
    assert call.ringing_at is not None


def test_a_cancel_after_the_ack_changes_nothing(tap_of: TapOf, phones: Phones) -> None:
    tap = tap_of()
    agent = phones(port=tap.agent_port, ring_ms=100)
    with raw_peer(tap.uri, "late") as caller:
        tag = answered(caller)
        caller.send("ACK", branch="b", to_tag=tag)
        until(lambda: agent.told("confirmed"))
        until(lambda: [live.state for live in tap.supervisor.live()] == ["talking"])
        caller.send("CANCEL")
        assert caller.answer("CANCEL")[0] in (200, 481)
        assert not agent.told("bye received")
        caller.send("BYE", number=2, branch="c", to_tag=tag)
        assert caller.answer("BYE")[0] == 200
    agent.wait()
    call = only_record(tap)
    assert (call.ended_by, call.end_reason) == (EndedBy.CALLER, EndReason.BYE)
    assert call.recording is not None
    assert EventKind.CANCEL not in {event.kind for event in call.events}


@pytest.mark.parametrize("stranger", [False, True])
def test_a_caller_who_gives_up_before_the_tap_looks_is_a_call_that_rang_nobody(
    tap_of: TapOf, stranger: bool
) -> None:
    tap = tap_of(allowed_peers=("127.0.0.2/32",) if stranger else ("127.0.0.1/32",))
    [pid] = tap.supervisor.pids()
    with raw_peer(tap.uri, "at-once") as caller, raw_agent(tap.agent_port) as agent:
        with stopped(pid):
            caller.send("INVITE")
            caller.send("CANCEL")
        code, tag = caller.answer("INVITE")
        assert code == 487
        caller.send("ACK", to_tag=tag)
        if stranger:
            until(lambda: [health.refused for health in tap.supervisor.health()] == [1])
            assert not tap.spool.waiting(Stage.RECORDED)
            return
        call = only_record(tap)
        agent.wire.setblocking(False)
        with pytest.raises(BlockingIOError):
            agent.invited()
    was_cancelled(call, answers=0)
    assert call.ringing_at is None
    assert {event.leg for event in call.events} == {Channel.CALLER}
