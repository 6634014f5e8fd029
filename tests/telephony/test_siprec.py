"""SIPREC sessions: a real recording client of two labelled streams, and five vendors' offers."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calls import wav
from calls.call import Call, Channel, EndedBy, EndReason, EventKind, Mode, Signalling
from telephony.siprec.settings import SiprecSettings
from tests.telephony.conftest import Lateness, Phone, Tap, free_ports, lag_ms, until

pytestmark = pytest.mark.sip

TapOf = Callable[..., Tap]
Clients = Callable[..., Phone]
Speech = Callable[[int, float], Path]

DATA = Path(__file__).parent / "data" / "siprec"
CLIENT = Path(__file__).parents[1] / "peers" / "recording_client.py"
RULE = SiprecSettings(agent_domains=("agents.example",))
CALLER, AGENT = Channel.CALLER, Channel.AGENT
ALIGNED_MS = 40
"""The client's media clock may begin a stream some frames after it says that it plays."""
IN_IT_MS = 400
"""Near enough to tell that what was said is in a mix, whatever the jitter buffer did."""


@pytest.fixture
def clients(tmp_path: Path) -> Iterator[Clients]:
    started: list[Phone] = []

    def start(**script: Any) -> Phone:
        port, rtp = free_ports(2)
        path = tmp_path / f"client{len(started)}.json"
        path.write_text(json.dumps({"port": port, "rtp_port": min(rtp & ~1, 60_000)} | script))
        client = Phone(
            subprocess.Popen([sys.executable, str(CLIENT), str(path)], stdout=subprocess.PIPE)
        )
        started.append(client)
        until(lambda: client.told("ready"))
        return client

    yield start
    for client in started:
        if client.process.poll() is None:
            client.process.kill()
        client.process.wait()


def metadata(caller_label: str, agent_label: str, more: str = "", mode: str = "complete") -> str:
    """RFC 7865 metadata of one caller and one agent, the agent named first."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<rec:recording xmlns:rec="urn:ietf:params:xml:ns:recording:1"><rec:datamode>{mode}</rec:datamode>
<rec:participant participant_id="A"><rec:nameID aor="sip:8012@agents.example"/></rec:participant>
<rec:participant participant_id="C"><rec:nameID aor="13900000000@trunk.example"/></rec:participant>
<rec:stream stream_id="sa"><rec:label>{agent_label}</rec:label></rec:stream>
<rec:stream stream_id="sc"><rec:label>{caller_label}</rec:label></rec:stream>
<rec:participantstreamassoc participant_id="A"><rec:send>sa</rec:send></rec:participantstreamassoc>
<rec:participantstreamassoc participant_id="C"><rec:send>sc</rec:send></rec:participantstreamassoc>
{more}</rec:recording>"""


def session_ms(client: Phone) -> float:
    return (client.at("hanging up") - client.at("answer")).total_seconds() * 1000


@pytest.mark.parametrize(
    ("first", "second", "codecs", "tcp"),
    [
        (CALLER, AGENT, ("PCMA/8000/1", "PCMA/8000/1"), False),
        (AGENT, CALLER, ("PCMU/8000/1", "PCMA/8000/1"), True),
        (AGENT, CALLER, ("G722/16000/1", "PCMU/8000/1"), False),
    ],
)
def test_a_session_is_recorded_with_its_sides_as_the_metadata_says(
    tap_of: TapOf,
    clients: Clients,
    speech: Speech,
    lateness: Lateness,
    first: Channel,
    second: Channel,
    codecs: tuple[str, str],
    tcp: bool,
) -> None:
    tap = tap_of(recording_coding="PCM_16", siprec=RULE)
    said = {CALLER: speech(1, 4), AGENT: speech(2, 4)}
    labels = {first: "17", second: "18"}
    client = clients(
        call=tap.uri,
        tcp=tcp,
        streams=[
            {"label": "17", "play": str(said[first]), "codec": codecs[0]},
            {"label": "18", "play": str(said[second]), "codec": codecs[1]},
        ],
        metadata=metadata(labels[CALLER], labels[AGENT]),
        hang_up_ms=4500,
    )
    client.wait()
    [(call, folder)] = tap.recorded()

    answer = next(e["message"] for e in client.events if e["event"] == "answer")
    sdp = answer[answer.index("\nv=0") :]
    assert re.findall(r"a=label:(\d+)", sdp) == ["17", "18"]
    assert len(re.findall(r"a=recvonly", sdp)) == 2
    assert re.search(r"^Contact:.*;\+sip\.srs", answer, re.MULTILINE)
    assert re.search(r"^Supported:.*siprec", answer, re.MULTILINE)

    assert call.mode is Mode.SIPREC
    assert (call.caller, call.agent) == ("13900000000", "8012")
    assert (call.ended_by, call.end_reason) == (EndedBy.UNKNOWN, EndReason.BYE)
    assert call.signalling is Signalling.NONE
    assert call.ring_ms is None
    assert call.recording is not None
    assert call.recording.complete
    path = folder / call.recording.path
    assert wav.inspect(path).duration_ms == pytest.approx(
        session_ms(client), abs=100 + lateness.worst_ms()
    )
    for index, channel in enumerate((CALLER, AGENT)):
        recorded, played = wav.read(path, index), wav.read(said[channel], 0)
        assert call.answered_at is not None
        began = (client.at(f"playing {labels[channel]}") - call.answered_at).total_seconds()
        assert lag_ms(recorded, played) == pytest.approx(
            began * 1000, abs=ALIGNED_MS + lateness.worst_ms()
        ), channel
    assert {q.channel: q.codec for q in call.quality} == {
        first: codecs[0].split("/")[0],
        second: codecs[1].split("/")[0],
    }
    assert all(q.packets > 150 and q.lost == 0 for q in call.quality)
    assert "8012@agents.example" in (folder / "metadata-1.xml").read_text()


def test_a_hold_of_one_side_and_a_pause_of_both_are_silence_in_their_place(
    tap_of: TapOf, clients: Clients, speech: Speech, lateness: Lateness
) -> None:
    tap = tap_of(recording_coding="PCM_16", siprec=RULE)
    known = metadata("1", "2")
    client = clients(
        call=tap.uri,
        streams=[
            {"label": "1", "play": str(speech(1, 12))},
            {"label": "2", "play": str(speech(2, 12))},
        ],
        metadata=known,
        steps=[
            {"at_ms": 1500, "inactive": ["1"], "metadata": known},
            {"at_ms": 3000, "metadata": known},
            {"at_ms": 4500, "inactive": ["1", "2"]},
            {"at_ms": 5500},
        ],
        hang_up_ms=7500,
    )
    client.wait()
    [(call, folder)] = tap.recorded()
    # The caller's stream paused alone: the agent's side holds. Of both paused nobody can say it.
    [hold] = call.holds
    assert hold.by is AGENT
    assert hold.end_ms - hold.start_ms == pytest.approx(1500, abs=150 + lateness.worst_ms())
    assert [e.kind for e in call.events if e.detail == "unknown"] == (
        [EventKind.HOLD] * 2 + [EventKind.RESUME] * 2
    )
    assert call.recording is not None
    path = folder / call.recording.path
    assert wav.inspect(path).duration_ms == pytest.approx(
        session_ms(client), abs=100 + lateness.worst_ms()
    )

    def loudest(channel: int, start_ms: int, end_ms: int) -> float:
        return float(np.abs(wav.read(path, channel, start_ms=start_ms, end_ms=end_ms)).max())

    assert loudest(0, hold.start_ms + 300, hold.end_ms - 100) < 0.01
    assert loudest(1, hold.start_ms + 300, hold.end_ms - 100) > 0.1
    for channel in (0, 1):
        assert loudest(channel, 4900, 5500) < 0.01
        assert loudest(channel, 6200, 7400) > 0.1


def test_a_stream_added_after_a_transfer_goes_to_its_side_at_its_time(
    tap_of: TapOf, clients: Clients, speech: Speech, lateness: Lateness
) -> None:
    tap = tap_of(recording_coding="PCM_16", siprec=RULE)
    second_agent = speech(3, 2)
    client = clients(
        call=tap.uri,
        lines=2,
        streams=[
            {"label": "1", "play": str(speech(1, 1))},
            {"label": "2", "play": str(speech(2, 1))},
            {"label": "3", "play": str(second_agent)},
        ],
        metadata=metadata("1", "2"),
        steps=[
            {
                "at_ms": 1500,
                "lines": 3,
                "metadata": metadata(
                    "1",
                    "2",
                    """<rec:participant participant_id="B"><rec:nameID aor="8099@agents.example"/>
</rec:participant><rec:stream stream_id="sb"><rec:label>3</rec:label></rec:stream>
<rec:participantstreamassoc participant_id="B"><rec:send>sb</rec:send></rec:participantstreamassoc>
""",
                    mode="partial",
                ),
            }
        ],
        hang_up_ms=4500,
    )
    client.wait()
    [(call, folder)] = tap.recorded()
    assert (call.agent, call.transfers) == ("8012", ("8099",))
    assert call.recording is not None
    assert call.recording.channels == (CALLER, AGENT)
    assert call.answered_at is not None
    began = (client.at("playing 3") - call.answered_at).total_seconds() * 1000
    recorded = wav.read(folder / call.recording.path, 1)
    assert lag_ms(recorded, wav.read(second_agent, 0)) == pytest.approx(
        began, abs=60 + lateness.worst_ms()
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"metadata": ""},
        {"metadata": "<broken"},
        {"metadata": metadata("1", "2"), "siprec": SiprecSettings()},
        {"metadata": metadata("7", "8")},
        {"streams": 1, "metadata": metadata("1", "1")},
    ],
)
def test_sides_that_cannot_be_told_are_kept_as_a_mix_of_no_side(
    tap_of: TapOf, clients: Clients, speech: Speech, lateness: Lateness, changes: dict[str, Any]
) -> None:
    tap = tap_of(recording_coding="PCM_16", siprec=changes.get("siprec", RULE))
    said = [speech(1, 2), speech(2, 2)]
    count = changes.get("streams", 2)
    client = clients(
        call=tap.uri,
        streams=[{"label": str(i + 1), "play": str(said[i])} for i in range(count)],
        metadata=changes["metadata"],
        require=bool(changes["metadata"]),
        hang_up_ms=2500,
    )
    client.wait()
    [(call, folder)] = tap.recorded()
    assert call.mode is Mode.SIPREC
    assert call.recording is not None
    assert call.recording.channels == ()
    info = wav.inspect(folder / call.recording.path)
    assert info.channels == 1
    assert info.duration_ms == pytest.approx(session_ms(client), abs=150 + lateness.worst_ms())
    mixed = wav.read(folder / call.recording.path, 0)
    assert call.answered_at is not None
    for index, each in enumerate(said[:count]):
        began = (client.at(f"playing {index + 1}") - call.answered_at).total_seconds() * 1000
        assert lag_ms(mixed, wav.read(each, 0)) == pytest.approx(began, abs=IN_IT_MS)
    assert not list(folder.glob("stream-*.wav"))


def test_siprec_can_be_switched_off(tap_of: TapOf, clients: Clients, speech: Speech) -> None:
    tap = tap_of(siprec=SiprecSettings(enabled=False))
    client = clients(
        call=tap.uri,
        require=False,
        streams=[{"label": "1", "play": str(speech(1, 1))}],
        metadata=metadata("1", "2"),
    )
    client.wait()
    assert [e["code"] for e in client.events if e["event"] == "ended"] == [403]


def test_a_killed_session_is_closed_with_what_was_recorded(
    tap_of: TapOf, clients: Clients, speech: Speech
) -> None:
    tap = tap_of(recording_coding="PCM_16", siprec=RULE)
    client = clients(
        call=tap.uri,
        streams=[
            {"label": "1", "play": str(speech(1, 30))},
            {"label": "2", "play": str(speech(2, 30))},
        ],
        metadata=metadata("1", "2"),
        steps=[{"at_ms": 2000}],
        hang_up_ms=20_000,
    )
    until(lambda: client.told("reinvited"))
    [pid] = tap.supervisor.pids()
    os.kill(pid, signal.SIGKILL)
    [(call, folder)] = tap.recorded()
    assert (call.ended_by, call.end_reason) == (EndedBy.NETWORK, EndReason.LOST)
    assert call.recording is not None
    assert not call.recording.complete
    assert call.recording.channels == (CALLER, AGENT)
    assert wav.inspect(folder / call.recording.path).duration_ms > 1000


def test_a_call_that_is_no_siprec_is_bridged_as_ever(
    tap_of: TapOf, phones: Callable[..., Phone]
) -> None:
    tap = tap_of()
    agent = phones(port=tap.agent_port, ring_ms=100)
    caller = phones(call=tap.uri, hang_up_ms=300)
    caller.wait()
    agent.wait()
    [(call, _)] = tap.recorded()
    assert isinstance(call, Call)
    assert call.mode is Mode.BRIDGE
