"""Legs that fall silent, or never say anything: which are given up, and which are left alone."""

import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from calls.call import Channel, EndedBy, EndReason, EventKind
from calls.handover import Stage
from telephony.silence import Signs, Silence
from tests.peers.raw_agent import raw_agent
from tests.peers.raw_peer import SDP
from tests.telephony.conftest import Phone, Tap, telephones, until

TapOf = Callable[..., Tap]
Phones = Callable[..., Phone]
Speech = Callable[[int, float], Path]
CALLER, AGENT = Channel.CALLER, Channel.AGENT
TALK = [Signs(50 * second) for second in range(600)]


def watch(
    agent: Sequence[Signs], closed: range = range(0)
) -> list[tuple[int, Channel | None, Channel | None]]:
    """The seconds at which what is lost or mute changes, lost after 30 s and never after 300 s.

    The caller talks; ``agent`` has the other side's signs a second, ``closed`` the held seconds.
    """
    silence = Silence(30, 300)
    for channel in Channel:
        silence.begin(channel, 0.0)
    changes: list[tuple[int, Channel | None, Channel | None]] = [(0, None, None)]
    for second, signs in enumerate(agent):
        now_ms = second * 1000.0
        lost = silence.look(
            {CALLER: TALK[second], AGENT: signs}, now_ms, open_=second not in closed
        )
        state = (lost, silence.mute(now_ms))
        if state != changes[-1][1:]:
            changes.append((second, *state))
    return changes[1:]


def test_a_leg_that_never_gives_a_sign_is_told_first_and_lost_much_later() -> None:
    assert watch([Signs()] * 400) == [(30, None, AGENT), (300, AGENT, AGENT)]


def test_a_leg_that_has_spoken_is_lost_soon() -> None:
    assert watch([*TALK[:11], *[TALK[10]] * 60]) == [(40, AGENT, None)]


def test_a_mute_telephone_that_sends_rtcp_lives_and_is_told_of() -> None:
    reports = [Signs(0, second // 5) for second in range(500)]
    assert watch(reports) == [(30, None, AGENT)]
    muted = [Signs(500, second // 5) for second in range(500)]
    assert watch(muted) == []


def test_a_leg_that_sent_rtcp_alone_and_is_gone_is_lost_as_one_that_spoke() -> None:
    reports = [Signs(0, min(second, 100) // 5) for second in range(200)]
    assert watch(reports) == [(30, None, AGENT), (130, AGENT, AGENT)]


def test_a_hold_or_a_closed_direction_is_no_silence() -> None:
    assert watch([Signs()] * 500, closed=range(10, 480)) == []
    assert watch([*TALK[:11], *[TALK[10]] * 400], closed=range(20, 380)) == [(409, AGENT, None)]


def test_a_voice_that_comes_late_is_no_alarm_any_more() -> None:
    late = [*[Signs()] * 60, *TALK[1:50]]
    assert watch(late) == [(30, None, AGENT), (60, None, None)]


def test_another_leg_in_its_place_is_watched_anew() -> None:
    silence = Silence(30, 300)
    for channel in Channel:
        silence.begin(channel, 0.0)
    silence.look({CALLER: Signs(5), AGENT: Signs(5)}, 1000.0, open_=True)
    silence.begin(AGENT, 20_000.0)
    assert silence.never(AGENT)
    signs = {CALLER: Signs(9), AGENT: Signs()}
    assert silence.look(signs, 31_500.0, open_=True) is None
    assert silence.mute(49_999.0) is None
    assert silence.mute(50_000.0) is AGENT


@pytest.mark.sip
def test_a_side_that_never_sends_is_an_alarm_and_then_the_calls_end(
    tap_of: TapOf, phones: Phones, speech: Speech
) -> None:
    tap = tap_of(media_lost_s=5, media_never_s=8)
    with raw_agent(tap.agent_port) as agent:
        caller = phones(call=tap.uri, play=str(speech(1, 20)))
        agent.invited()
        agent.answer()
        until(lambda: [health.mute for health in tap.supervisor.health()] == [1])
        assert not caller.told("bye received")
        agent.hears("BYE")
        agent.say("200 OK")
    caller.wait()
    assert caller.told("bye received")
    [(call, _)] = tap.recorded()
    assert (call.ended_by, call.end_reason) == (EndedBy.NETWORK, EndReason.LOST)
    [lost] = [e for e in call.events if e.kind is EventKind.MEDIA_LOST]
    assert (lost.leg, lost.detail) == (AGENT, "never heard")
    assert [q.channel for q in call.quality if q.one_way] == [AGENT]
    until(lambda: [health.mute for health in tap.supervisor.health()] == [0])


@pytest.mark.sip
def test_sides_that_say_they_only_listen_are_left_alone(
    tap_of: TapOf, phones: Phones, speech: Speech
) -> None:
    ports, destinations = telephones("recvonly", "inactive")
    tap = tap_of(media_lost_s=5, media_never_s=5, destinations=destinations)
    callers = []
    for way, port in ports.items():
        with raw_agent(port) as agent:
            callers.append(
                phones(
                    call=tap.uri.replace("88908890", way),
                    play=str(speech(1, 20)),
                    hang_up_ms=6500,
                )
            )
            agent.invited()
            agent.say("200 OK", sdp=f"{SDP}a={way}\r\n")
            agent.hears("ACK")
    for caller in callers:
        caller.wait()
    calls = [call for call, _ in tap.recorded(2)]
    assert {call.agent for call in calls} == set(ports)
    assert {(c.ended_by, c.end_reason) for c in calls} == {(EndedBy.CALLER, EndReason.BYE)}
    assert all(call.duration_ms > 6000 for call in calls)


@pytest.mark.sip
def test_a_telephone_that_is_gone_in_the_middle_of_its_talk_is_lost(
    tap_of: TapOf, phones: Phones, speech: Speech
) -> None:
    tap = tap_of(media_lost_s=5)
    agent = phones(port=tap.agent_port, ring_ms=100, play=str(speech(1, 20)))
    caller = phones(call=tap.uri, play=str(speech(2, 20)))
    until(lambda: agent.told("playing") and caller.told("playing"))
    until(lambda: tap.spool.waiting(Stage.LIVE)[0].joinpath("agent.wav").stat().st_size > 20_000)
    os.kill(agent.process.pid, signal.SIGKILL)
    caller.wait()
    assert caller.told("bye received")
    [(call, _)] = tap.recorded()
    assert (call.ended_by, call.end_reason) == (EndedBy.NETWORK, EndReason.LOST)
    [lost] = [e for e in call.events if e.kind is EventKind.MEDIA_LOST]
    assert (lost.leg, lost.detail) == (AGENT, "")
