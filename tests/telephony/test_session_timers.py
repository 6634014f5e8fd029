"""Session timers (RFC 4028): a peer that is gone without a word, and intervals that are too short.

RFC 4028 lets no interval be shorter than 90 s, so the one long test waits for two calls at once:
60 s where the peer was to refresh, 77 s where the tap was.
"""

import os
import re
import signal
from collections.abc import Callable

import pytest

from calls.call import Call, Channel, EndedBy, EndReason, EventKind
from tests.peers.raw_agent import raw_agent
from tests.peers.raw_peer import raw_peer
from tests.telephony.conftest import Phone, Tap, telephones, until

pytestmark = pytest.mark.sip

TapOf = Callable[..., Tap]
Phones = Callable[..., Phone]
LONG = {"give_up_ms": 100_000}
"""The library alone would let the second call go after 109 s, when its own BYE has no answer."""


def why(call: Call) -> list[tuple[Channel, int | None]]:
    """The legs that failed, with the code."""
    return [(e.leg, e.code) for e in call.events if e.kind is EventKind.FAILED]


def test_a_peer_that_is_gone_without_a_word_ends_its_call_by_the_session_timer_alone(
    tap_of: TapOf, phones: Phones
) -> None:
    ports, destinations = telephones("88908890", "88908891")
    tap = tap_of(session_expires_s=90, media_lost_s=600, destinations=destinations)
    left = phones(port=ports["88908890"], ring_ms=100, **LONG)
    with raw_peer(tap.uri, "gone") as caller:
        # The caller's leg: its peer is to refresh, and never does.
        caller.send("INVITE", headers="Supported: timer\r\nSession-Expires: 90;refresher=uac\r\n")
        code, tag = caller.answer("INVITE")
        assert code == 200
        caller.send("ACK", branch="b", to_tag=tag)
        until(lambda: left.told("confirmed"))
    killed = phones(port=ports["88908891"], ring_ms=100, **LONG)
    waiting = phones(call=tap.uri.replace("88908890", "88908891"), **LONG)
    until(lambda: killed.told("confirmed") and waiting.told("confirmed"))
    # The agent's leg: the tap itself refreshes, and nobody answers.
    os.kill(killed.process.pid, signal.SIGKILL)

    for phone in (left, waiting):
        phone.wait(120)
        assert phone.told("bye received")
    calls = {call.agent: call for call, _ in tap.recorded(2)}
    assert {(c.ended_by, c.end_reason) for c in calls.values()} == {
        (EndedBy.NETWORK, EndReason.LOST)
    }
    assert why(calls["88908890"]) == [(Channel.CALLER, 408)]
    assert why(calls["88908891"]) == [(Channel.AGENT, 408)]
    until(lambda: [health.calls for health in tap.supervisor.health()] == [0])


def test_an_interval_below_90_s_is_refused_with_the_one_that_would_do(tap_of: TapOf) -> None:
    tap = tap_of()
    with raw_peer(tap.uri, "short") as caller, raw_agent(tap.agent_port) as agent:
        caller.send("INVITE", headers="Supported: timer\r\nSession-Expires: 10\r\n")
        refusal = caller.message("INVITE")
        assert refusal.startswith("SIP/2.0 422")
        assert "\r\nMin-SE: 90\r\n" in refusal
        caller.send("ACK", to_tag=refusal.partition("\r\nTo:")[2].splitlines()[0].split("tag=")[1])
        # The same caller asks again as RFC 4028 7.3 says, and is rung through.
        caller.send(
            "INVITE",
            number=2,
            branch="c",
            headers="Supported: timer\r\nMin-SE: 90\r\nSession-Expires: 90\r\n",
        )
        agent.invited()
        agent.say("486 Busy Here")
        code, tag = caller.answer("INVITE")
        caller.send("ACK", number=2, branch="c", to_tag=tag)
    assert code == 486
    [(call, _)] = tap.recorded()
    assert call.end_reason is EndReason.BUSY


def test_an_agent_that_wants_a_longer_interval_is_asked_again_with_it(tap_of: TapOf) -> None:
    tap = tap_of(session_expires_s=90)
    with raw_peer(tap.uri, "longer") as caller, raw_agent(tap.agent_port) as agent:
        caller.send("INVITE")
        assert re.search(r"\r\nSession-Expires: 90\b", agent.invited())
        agent.say("422 Session Interval Too Small", headers="Min-SE: 1200\r\n")
        asked = agent.invited()
        assert re.search(r"\r\nSession-Expires: 1200\b", asked)
        assert re.search(r"\r\nMin-SE: 1200\r\n", asked)
        agent.answer()
        code, tag = caller.answer("INVITE")
        assert code == 200
        caller.send("ACK", branch="b", to_tag=tag)
        caller.send("BYE", number=2, branch="c", to_tag=tag)
        agent.hears("BYE")
        agent.say("200 OK")
    [(call, _)] = tap.recorded()
    assert (call.ended_by, call.end_reason) == (EndedBy.CALLER, EndReason.BYE)
    assert why(call) == []
