"""What passes through the bridge: keys, early media, a caller's hold."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from calls import wav
from calls.call import Channel, EndedBy, EndReason, EventKind
from tests.telephony.conftest import Lateness, Phone, Tap, lag_ms

pytestmark = pytest.mark.sip

TapOf = Callable[..., Tap]
Phones = Callable[..., Phone]
Speech = Callable[[int, float], Path]


def keys(phone: Phone) -> str:
    return "".join(event["key"] for event in phone.events if event["event"] == "key")


def test_keys_go_through_either_way_and_are_not_kept(tap_of: TapOf, phones: Phones) -> None:
    tap = tap_of()
    agent = phones(port=tap.agent_port, ring_ms=100, dtmf="7*")
    caller = phones(call=tap.uri, dtmf="14#", hang_up_ms=2500)
    for phone in (caller, agent):
        phone.wait()
    assert (keys(agent), keys(caller)) == ("14#", "7*")
    [(call, _)] = tap.recorded()
    pressed = [(e.leg, e.detail) for e in call.events if e.kind is EventKind.DTMF]
    assert sorted(pressed) == [(Channel.AGENT, "")] * 2 + [(Channel.CALLER, "")] * 3


def test_early_media_reaches_the_caller_and_only_the_answer_is_recorded(
    tap_of: TapOf, phones: Phones, speech: Speech, lateness: Lateness, tmp_path: Path
) -> None:
    tap = tap_of(recording_coding="PCM_16")
    said, heard = speech(4, 4), tmp_path / "heard.wav"
    agent = phones(port=tap.agent_port, ring_ms=1500, early_media=True, play=str(said))
    caller = phones(call=tap.uri, record=str(heard), hang_up_ms=1500)
    for phone in (caller, agent):
        phone.wait()
    early = [e["code"] for e in caller.events if e["event"] == "early"]
    assert early[0] == 183
    [(call, folder)] = tap.recorded()
    about = 150 + lateness.worst_ms()
    assert call.ring_ms == pytest.approx(1500, abs=about)
    assert call.recording is not None
    assert wav.inspect(folder / call.recording.path).duration_ms == pytest.approx(1500, abs=about)
    # The caller heard it from its beginning on; the recording begins 1.5 s into it.
    assert abs(lag_ms(wav.read(heard, 0), wav.read(said, 0))) < 2 * about
    late = lag_ms(wav.read(folder / call.recording.path, 1), wav.read(said, 0))
    assert late == pytest.approx(-1500, abs=about)


def test_a_callers_hold_is_the_callers_and_is_over_when_it_is(
    tap_of: TapOf, phones: Phones, speech: Speech, lateness: Lateness
) -> None:
    tap = tap_of(recording_coding="PCM_16")
    agent = phones(port=tap.agent_port, ring_ms=100)
    caller = phones(
        call=tap.uri, play=str(speech(3, 6)), hold_ms=1000, resume_ms=2500, hang_up_ms=4000
    )
    for phone in (caller, agent):
        phone.wait()
    [(call, folder)] = tap.recorded()
    [hold] = call.holds
    assert hold.by is Channel.CALLER
    assert hold.end_ms - hold.start_ms == pytest.approx(1500, abs=150 + lateness.worst_ms())
    assert call.recording is not None
    path = folder / call.recording.path
    during = wav.read(path, 0, start_ms=hold.start_ms + 300, end_ms=hold.end_ms - 100)
    after = wav.read(path, 0, start_ms=hold.end_ms + 300)
    assert np.abs(during).max() < 0.01
    assert np.abs(after).max() > 0.1
    assert (call.ended_by, call.end_reason) == (EndedBy.CALLER, EndReason.BYE)
