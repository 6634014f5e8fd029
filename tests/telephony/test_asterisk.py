"""The tap between a real Asterisk's trunk side and its agents, by Asterisk's own records.

caller's telephone → Asterisk → tap (bridge) → Asterisk → agent's telephone
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calls import wav
from calls.call import Call, Channel, EndedBy, EndReason
from telephony.settings import Destination
from tests.peers import asterisk
from tests.peers.asterisk import Asterisk, moment
from tests.telephony.conftest import Lateness, Phone, Tap, free_ports, until

pytestmark = [
    pytest.mark.pbx,
    pytest.mark.sip,
    pytest.mark.skipif(
        not asterisk.is_installed() and not os.environ.get("CI"),
        reason="needs Asterisk: make peers",
    ),
]

TapOf = Callable[..., Tap]
Phones = Callable[..., Phone]
Speech = Callable[[int, float], Path]
TOLERANCE_MS = 50


@dataclass
class Hotline:
    """An Asterisk, the tap that it sends its calls through, and the agents' ports."""

    pbx: Asterisk
    tap: Tap
    agents: dict[str, int]
    lateness: Lateness

    @property
    def tolerance_ms(self) -> float:
        """What two clockings may differ by: a busy machine lets both programs wait their turn."""
        return TOLERANCE_MS + 2 * self.lateness.worst_ms()

    def near(self, one: datetime | None, other: datetime) -> None:
        """Ours is Asterisk's, within the tolerance."""
        assert one is not None
        assert abs((one - other).total_seconds()) * 1000 <= self.tolerance_ms

    def uri(self, number: str = "88908890") -> str:
        return f"sip:{number}@127.0.0.1:{self.pbx.sip_port}"

    def record(self, dst: str = "1001") -> dict[str, str]:
        """Asterisk's record of the leg from the tap to the agent."""
        rows = until(lambda: [row for row in self.pbx.cdr() if row["dst"] == dst])
        return dict(rows[-1])


@pytest.fixture
def hotline(tap_of: TapOf, lateness: Lateness) -> Iterator[Hotline]:
    sip, ami, rtp, first, second = free_ports(5)
    agents = {"1001": first, "1002": second}
    tap = tap_of(
        recording_coding="PCM_16",
        ring_timeout_s=5,
        calls_a_child=1,
        destinations={
            "88908890": Destination(uri=f"sip:1001@127.0.0.1:{sip}", agent="1001"),
        },
    )
    with asterisk.running(
        sip_port=sip,
        ami_port=ami,
        rtp_port=min(rtp, 60_000),
        tap_port=tap.settings.port,
        phones=agents,
    ) as pbx:
        yield Hotline(pbx, tap, agents, lateness)


def answered_as_asterisk_says(call: Call, hotline: Hotline) -> None:
    """Ring, answer and end against Asterisk's own clockings of the agent's leg."""
    record = hotline.record()
    assert record["disposition"] == "ANSWERED"
    # A 180 that comes twice is told twice: it has rung since the first.
    ringing, *_ = hotline.pbx.named(
        "Newstate", Channel=f"^{record['dstchannel']}$", ChannelStateDesc="Ringing"
    )
    hotline.near(call.ringing_at, moment(ringing["Timestamp"]))
    hotline.near(call.answered_at, moment(record["answer"]))
    hotline.near(call.ended_at, moment(record["end"]))
    hotline.near(call.invited_at, moment(record["start"]))
    assert call.ring_ms == pytest.approx(
        (float(record["answer"]) - float(ringing["Timestamp"])) * 1000, abs=hotline.tolerance_ms
    )


@pytest.mark.parametrize(
    ("who", "ended_by"), [("caller", EndedBy.CALLER), ("agent", EndedBy.AGENT)]
)
def test_an_answered_call_is_timed_as_asterisk_times_it(
    hotline: Hotline, phones: Phones, speech: Speech, who: str, ended_by: EndedBy
) -> None:
    ends: dict[str, dict[str, Any]] = {"caller": {}, "agent": {}}
    ends[who] = {"hang_up_ms": 3000}
    said = {"caller": speech(1, 3), "agent": speech(2, 3)}
    agent = phones(
        port=hotline.agents["1001"], ring_ms=1500, play=str(said["agent"]), **ends["agent"]
    )
    caller = phones(
        user="13900000000", call=hotline.uri(), play=str(said["caller"]), **ends["caller"]
    )
    caller.wait()
    agent.wait()
    [(call, folder)] = hotline.tap.recorded()
    answered_as_asterisk_says(call, hotline)
    assert (call.ended_by, call.end_reason) == (ended_by, EndReason.BYE)
    assert (call.caller, call.called, call.agent) == ("13900000000", "88908890", "1001")
    source = [row["extra"] for row in hotline.pbx.cel() if row["type"] == "HANGUP" and row["extra"]]
    assert source
    assert call.recording is not None
    path = folder / call.recording.path
    assert wav.inspect(path).duration_ms == pytest.approx(
        call.duration_ms, abs=100 + hotline.lateness.worst_ms()
    )
    for channel in (0, 1):
        assert np.abs(wav.read(path, channel)).max() > 0.1


@pytest.mark.parametrize(
    ("agent_does", "caller_does", "ended_by", "reason", "disposition"),
    [
        (
            {"reaction": "ignore"},
            {"cancel_ms": 1500},
            EndedBy.CALLER,
            EndReason.CANCEL,
            "NO ANSWER",
        ),
        ({"reaction": "busy"}, {}, EndedBy.AGENT, EndReason.BUSY, "BUSY"),
        ({"reaction": "ignore"}, {}, EndedBy.NETWORK, EndReason.NO_ANSWER, "NO ANSWER"),
    ],
)
def test_an_unanswered_call_ends_as_asterisk_says(
    hotline: Hotline,
    phones: Phones,
    agent_does: dict[str, Any],
    caller_does: dict[str, Any],
    ended_by: EndedBy,
    reason: EndReason,
    disposition: str,
) -> None:
    agent = phones(port=hotline.agents["1001"], ring_ms=800, **agent_does)
    caller = phones(call=hotline.uri(), **caller_does)
    caller.wait()
    agent.wait()
    [(call, _)] = hotline.tap.recorded()
    record = hotline.record()
    assert (call.ended_by, call.end_reason) == (ended_by, reason)
    assert record["disposition"] == disposition
    assert call.recording is None
    assert call.answered_at is None
    ringing, *_ = hotline.pbx.named(
        "Newstate", Channel=record["dstchannel"], ChannelStateDesc="Ringing"
    )
    hotline.near(call.ringing_at, moment(ringing["Timestamp"]))
    hotline.near(call.ended_at, moment(record["end"]))


def test_a_queue_with_music_rings_the_agent_later_than_the_caller_hears_an_answer(
    hotline: Hotline, phones: Phones, speech: Speech
) -> None:
    agent = phones(port=hotline.agents["1001"], ring_ms=2500, play=str(speech(2, 3)))
    caller = phones(call=hotline.uri("88908891"), hang_up_ms=5000)
    caller.wait()
    agent.wait()
    [(call, _)] = hotline.tap.recorded()
    answered_as_asterisk_says(call, hotline)
    # The caller was answered by the queue at once; the ring that counts is the agent's.
    assert call.ring_ms == pytest.approx(2500, abs=100 + hotline.tolerance_ms)
    assert call.answered_at is not None
    assert (call.answered_at - caller.at("confirmed")).total_seconds() > 2


def test_a_hold_with_music_is_recorded_as_the_agents_hold(
    hotline: Hotline, phones: Phones, speech: Speech
) -> None:
    agent = phones(
        port=hotline.agents["1001"],
        ring_ms=300,
        play=str(speech(2, 8)),
        hold_ms=1500,
        resume_ms=3500,
    )
    caller = phones(call=hotline.uri(), hang_up_ms=5500)
    caller.wait()
    agent.wait()
    [(call, folder)] = hotline.tap.recorded()
    answered_as_asterisk_says(call, hotline)
    [hold] = call.holds
    assert hold.by is Channel.AGENT
    [held] = hotline.pbx.named("Hold", Channel=hotline.record()["dstchannel"])
    [resumed] = hotline.pbx.named("Unhold", Channel=hotline.record()["dstchannel"])
    for ours, theirs in ((hold.start_ms, held), (hold.end_ms, resumed)):
        assert call.answered_at is not None
        truth = (moment(theirs["Timestamp"]) - call.answered_at).total_seconds() * 1000
        assert ours == pytest.approx(truth, abs=hotline.tolerance_ms)
    assert call.recording is not None
    during = wav.read(
        folder / call.recording.path, 1, start_ms=hold.start_ms + 300, end_ms=hold.end_ms - 100
    )
    assert np.abs(during).max() < 0.01


def test_a_callers_hold_at_the_pbx_is_recorded_as_the_callers(
    hotline: Hotline, phones: Phones, speech: Speech
) -> None:
    agent = phones(port=hotline.agents["1001"], ring_ms=300, play=str(speech(2, 8)))
    caller = phones(call=hotline.uri(), hold_ms=1000, resume_ms=2500, hang_up_ms=4000)
    caller.wait()
    agent.wait()
    [(call, folder)] = hotline.tap.recorded()
    answered_as_asterisk_says(call, hotline)
    [hold] = call.holds
    assert hold.by is Channel.CALLER
    assert hold.end_ms - hold.start_ms == pytest.approx(1500, abs=100 + hotline.tolerance_ms)
    assert call.recording is not None
    assert np.abs(wav.read(folder / call.recording.path, 1, start_ms=hold.end_ms)).max() > 0.1


@pytest.mark.parametrize("kind", ["blind", "attended"])
def test_a_transfer_within_asterisk_stays_one_recorded_call(
    hotline: Hotline, phones: Phones, speech: Speech, kind: str
) -> None:
    first = phones(port=hotline.agents["1001"], ring_ms=300, play=str(speech(2, 3)))
    second = phones(port=hotline.agents["1002"], ring_ms=500, play=str(speech(3, 6)))
    caller = phones(call=hotline.uri(), hang_up_ms=7000)
    until(lambda: first.told("confirmed") and caller.told("confirmed"))
    [leg] = hotline.pbx.named("DialBegin", DestCallerIDNum="1001") or hotline.pbx.named(
        "DialBegin", DialString="sip:1001"
    )
    action = "BlindTransfer" if kind == "blind" else "Atxfer"
    hotline.pbx.act(
        {
            "Action": action,
            "Channel": leg["DestChannel"],
            "Exten": "1002",
            "Context": "hotline",
        }
    )
    until(lambda: second.told("confirmed"))
    if kind == "attended":
        first.process.terminate()
    caller.wait()
    second.wait()
    first.wait()
    [(call, folder)] = hotline.tap.recorded()
    assert (call.ended_by, call.end_reason) == (EndedBy.CALLER, EndReason.BYE)
    # An attended transfer ends its own record when it is complete; the channels tell the end.
    hotline.near(
        call.ended_at, max(moment(r["time"]) for r in hotline.pbx.cel() if r["type"] == "HANGUP")
    )
    assert call.recording is not None
    path = folder / call.recording.path
    assert wav.inspect(path).duration_ms == pytest.approx(
        call.duration_ms, abs=100 + hotline.lateness.worst_ms()
    )
    assert np.abs(wav.read(path, 1, start_ms=call.duration_ms - 1500)).max() > 0.1


def test_a_tap_that_is_full_is_routed_around(hotline: Hotline, phones: Phones) -> None:
    first = phones(port=hotline.agents["1001"], ring_ms=200)
    second = phones(port=hotline.agents["1002"], ring_ms=200)
    recorded = phones(call=hotline.uri(), hang_up_ms=4000)
    until(lambda: first.told("confirmed") and recorded.told("confirmed"))
    phones(call=hotline.uri("88908892"), hang_up_ms=500).wait()
    for phone in (second, recorded, first):
        phone.wait()
    assert second.told("confirmed")
    assert hotline.record("1001")["disposition"] == "ANSWERED"
    [(call, _)] = hotline.tap.recorded()
    assert call.agent == "1001"
    assert call.duration_ms == pytest.approx(4000, abs=150 + hotline.tolerance_ms)


def test_a_tap_that_is_gone_is_routed_around(hotline: Hotline, phones: Phones) -> None:
    hotline.tap.supervisor.drain_and_stop()
    agent = phones(port=hotline.agents["1002"], ring_ms=200)
    caller = phones(call=hotline.uri("88908892"), hang_up_ms=500)
    caller.wait()
    agent.wait()
    assert agent.told("confirmed")
