"""A process that is kept waiting: what comes meanwhile is kept, and what is lost ends its calls."""

import socket
from collections.abc import Callable

import pytest

from calls.call import Channel, EndedBy, EndReason, EventKind
from calls.handover import Stage
from tests.peers.raw_agent import raw_agent
from tests.peers.raw_peer import raw_peer
from tests.peers.stopped import stopped
from tests.telephony.conftest import Tap, until

pytestmark = pytest.mark.sip

TapOf = Callable[..., Tap]
MESSAGES = 150
"""Of a kilobyte each: the system's usual room is for 92."""


def test_what_comes_while_the_process_waits_is_answered_afterwards(tap_of: TapOf) -> None:
    tap = tap_of()
    [pid] = tap.supervisor.pids()
    with raw_peer(tap.uri, "many") as peer:
        peer.wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        with stopped(pid):
            for number in range(MESSAGES):
                long = f"X-Long: {'a' * 600}\r\n"
                peer.send("OPTIONS", number=number, branch=f"o{number}", headers=long)
        answers = {peer.message("OPTIONS").partition("\r\nCSeq: ")[2][:4] for _ in range(MESSAGES)}
    assert len(answers) == MESSAGES


def test_a_call_of_which_neither_side_says_another_word_ends_and_is_marked(tap_of: TapOf) -> None:
    """All that a busy machine loses: the agent's 200, the caller's CANCEL, the answer to ours."""
    tap = tap_of(ring_timeout_s=5)
    with raw_peer(tap.uri, "silent") as caller, raw_agent(tap.agent_port) as agent:
        caller.send("INVITE")
        agent.invited()
        agent.say("180 Ringing")
        assert caller.answer("INVITE", 180)[0] == 180
        agent.hears("CANCEL")
        assert caller.answer("INVITE")[0] == 480
        [(call, _)] = tap.recorded()
    assert (call.ended_by, call.end_reason) == (EndedBy.NETWORK, EndReason.NO_ANSWER)
    assert [(e.leg, e.code) for e in call.events if e.kind is EventKind.FAILED] == [
        (Channel.AGENT, 408)
    ]
    until(lambda: [health.calls for health in tap.supervisor.health()] == [0])
    assert tap.supervisor.live() == []
    assert not tap.spool.waiting(Stage.LIVE)
