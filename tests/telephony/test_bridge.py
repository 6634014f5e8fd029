"""A real call through the bridge, between two phones in processes of their own."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from calls import wav
from calls.call import Channel, EndedBy, EndReason
from tests.telephony.conftest import Lateness, Phone, Tap, lag_ms, until

pytestmark = pytest.mark.sip

TapOf = Callable[..., Tap]
Phones = Callable[..., Phone]
Speech = Callable[[int, float], Path]


def test_a_call_is_bridged_recorded_and_timed(
    tap_of: TapOf, phones: Phones, speech: Speech, lateness: Lateness, tmp_path: Path
) -> None:
    tap = tap_of(recording_coding="PCM_16")
    said = {Channel.CALLER: speech(1, 6), Channel.AGENT: speech(2, 6)}
    heard = {channel: tmp_path / f"heard_{channel}.wav" for channel in Channel}
    agent = phones(
        port=tap.agent_port,
        ring_ms=1200,
        play=str(said[Channel.AGENT]),
        record=str(heard[Channel.AGENT]),
    )
    caller = phones(
        user="13900000000",
        call=tap.uri,
        play=str(said[Channel.CALLER]),
        record=str(heard[Channel.CALLER]),
        hang_up_ms=6500,
    )
    [live] = until(lambda: [c for c in tap.supervisor.live() if c.state == "talking"])
    assert live.agent == "1001"
    caller.wait()
    agent.wait()
    [(call, folder)] = tap.recorded()

    assert (call.caller, call.called, call.agent) == ("13900000000", "88908890", "1001")
    assert live.call_id == call.call_id
    until(lambda: tap.supervisor.live() == [])
    assert (call.ended_by, call.end_reason) == (EndedBy.CALLER, EndReason.BYE)
    assert call.ringing_at is not None
    assert call.answered_at is not None
    rang = (agent.at("reacted") - agent.at("ringing")).total_seconds() * 1000
    assert call.ring_ms == pytest.approx(rang, abs=20 + lateness.worst_ms())

    assert call.recording is not None
    assert call.recording.complete
    path = folder / call.recording.path
    assert wav.inspect(path).duration_ms == pytest.approx(
        call.duration_ms, abs=100 + lateness.worst_ms()
    )
    for index, (channel, phone) in enumerate(
        {Channel.CALLER: caller, Channel.AGENT: agent}.items()
    ):
        lag = lag_ms(wav.read(path, index), wav.read(said[channel], 0))
        began = (phone.at("playing") - call.answered_at).total_seconds() * 1000
        assert lag == pytest.approx(began, abs=20 + lateness.worst_ms()), channel
    for hearer, speaker in ((Channel.AGENT, Channel.CALLER), (Channel.CALLER, Channel.AGENT)):
        got, sent = wav.read(heard[hearer], 0), wav.read(said[speaker], 0)
        assert np.abs(got).max() > 0.1
        assert abs(lag_ms(got, sent)) < 400
    assert {q.channel for q in call.quality} == set(Channel)
    assert all(q.packets > 250 and q.lost == 0 for q in call.quality)


@pytest.mark.parametrize(
    ("agent_does", "caller_does", "ended_by", "reason"),
    [
        ({"hang_up_ms": 700}, {}, EndedBy.AGENT, EndReason.BYE),
        ({}, {"hang_up_ms": 700}, EndedBy.CALLER, EndReason.BYE),
        ({"reaction": "busy"}, {}, EndedBy.AGENT, EndReason.BUSY),
        ({"reaction": "reject"}, {}, EndedBy.AGENT, EndReason.REJECTED),
        ({"reaction": "ignore"}, {"cancel_ms": 900}, EndedBy.CALLER, EndReason.CANCEL),
        ({"reaction": "ignore"}, {}, EndedBy.NETWORK, EndReason.NO_ANSWER),
    ],
)
def test_every_ending(
    tap_of: TapOf,
    phones: Phones,
    agent_does: dict[str, object],
    caller_does: dict[str, object],
    ended_by: EndedBy,
    reason: EndReason,
) -> None:
    tap = tap_of(ring_timeout_s=5)
    agent = phones(port=tap.agent_port, ring_ms=300, **agent_does)
    caller = phones(call=tap.uri, **caller_does)
    caller.wait()
    agent.wait()
    [(call, _)] = tap.recorded()
    assert (call.ended_by, call.end_reason) == (ended_by, reason)
    assert (call.recording is not None) == (reason is EndReason.BYE)
    assert (call.answered_at is not None) == (reason is EndReason.BYE)
    assert call.ringing_at is not None


def test_nobody_at_the_agents_address_ends_the_callers_call(tap_of: TapOf, phones: Phones) -> None:
    tap = tap_of(ring_timeout_s=5)
    caller = phones(call=tap.uri)
    caller.wait()
    [(call, _)] = tap.recorded()
    assert call.recording is None
    assert call.answered_at is None
    assert call.ended_by is EndedBy.NETWORK


def test_a_hold_is_silence_in_its_place_and_in_the_record(
    tap_of: TapOf, phones: Phones, speech: Speech, lateness: Lateness
) -> None:
    tap = tap_of(recording_coding="PCM_16")
    said = speech(3, 6)
    agent = phones(port=tap.agent_port, ring_ms=200, play=str(said), hold_ms=1500, resume_ms=3500)
    caller = phones(call=tap.uri, hang_up_ms=5500)
    caller.wait()
    agent.wait()
    [(call, folder)] = tap.recorded()
    [hold] = call.holds
    assert hold.by is Channel.AGENT
    assert hold.end_ms - hold.start_ms == pytest.approx(2000, abs=150 + lateness.worst_ms())
    assert call.recording is not None
    path = folder / call.recording.path
    assert wav.inspect(path).duration_ms == pytest.approx(
        call.duration_ms, abs=100 + lateness.worst_ms()
    )
    during = wav.read(path, 1, start_ms=hold.start_ms + 300, end_ms=hold.end_ms - 100)
    after = wav.read(path, 1, start_ms=hold.end_ms + 300)
    assert np.abs(during).max() < 0.01
    assert np.abs(after).max() > 0.1
    assert caller.told("held") or caller.told("ended")
