"""A tap that is full says so in a way that sends the PBX round it: 503 with Retry-After, or 302."""

from collections.abc import Callable
from contextlib import ExitStack

import pytest

from calls.call import EndReason
from telephony.settings import Destination
from tests.peers.raw_agent import raw_agent
from tests.peers.raw_peer import RawPeer, raw_peer
from tests.peers.stopped import stopped
from tests.telephony.conftest import Tap

pytestmark = pytest.mark.sip

TapOf = Callable[..., Tap]


def refusals(peers: list[RawPeer]) -> list[str]:
    """What each INVITE but those that ring is answered with."""
    said = [peer.message("INVITE", 180) for peer in peers]
    return [message for message in said if not message.startswith("SIP/2.0 180")]


def says_when_to_come_again(refusal: str) -> None:
    assert refusal.startswith("SIP/2.0 503 ")
    assert "\r\nRetry-After: 7\r\n" in refusal


def test_calls_that_come_in_one_moment_are_taken_as_far_as_their_agents_can_be_rung(
    tap_of: TapOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Room for two bridged calls; the library gives every INVITE a leg before we are asked.
    monkeypatch.setenv("SANSHENG_PJSIP", "wheel")
    tap = tap_of(retry_after_s=7, drain_s=0)
    [pid] = tap.supervisor.pids()
    with ExitStack() as held:
        agent = held.enter_context(raw_agent(tap.agent_port))
        first, *both = (held.enter_context(raw_peer(tap.uri, f"call{n}")) for n in range(3))
        first.send("INVITE")
        agent.invited()
        agent.say("180 Ringing")
        assert first.answer("INVITE", 180)[0] == 180
        with stopped(pid):
            for peer in both:
                peer.send("INVITE")
        agent.invited()
        agent.say("180 Ringing")
        [refusal] = refusals(both)
        says_when_to_come_again(refusal)
        # With every leg in use it is the gate that answers.
        last = held.enter_context(raw_peer(tap.uri, "last"))
        last.send("INVITE")
        says_when_to_come_again(last.message("INVITE"))


@pytest.mark.parametrize("bypass", ["", "sip:{called}@127.0.0.1:9"])
def test_a_call_whose_agent_cannot_be_rung_goes_round_the_tap(tap_of: TapOf, bypass: str) -> None:
    tap = tap_of(
        retry_after_s=7, bypass=bypass, destinations={"88908890": Destination(uri="sip:1001@[::1]")}
    )
    with raw_peer(tap.uri, "round") as caller:
        caller.send("INVITE")
        refusal = caller.message("INVITE")
    if bypass:
        assert refusal.startswith("SIP/2.0 302 ")
        assert "\r\nContact: <sip:88908890@127.0.0.1:9>\r\n" in refusal
    else:
        says_when_to_come_again(refusal)
    [(call, _)] = tap.recorded()
    assert (call.ringing_at, call.answered_at) == (None, None)
    assert call.end_reason is EndReason.REJECTED
