"""Probe calls over SIP: timed as a citizen meets them, filed as any call."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

import voices
from calls import wav
from calls.call import Call, Channel, EndedBy, EndReason, Mode, Signalling
from calls.codec import read_record
from calls.errors import TapError
from calls.handover import CALL_FILE, Spool, Stage
from telephony.probe.round import Probe, Sayings
from telephony.probe.settings import ProbeSettings
from tests.peers import asterisk
from tests.peers.asterisk_files import SECRET
from tests.telephony.conftest import Lateness, Phone, Tap, free_ports, lag_ms, until

pytestmark = pytest.mark.sip

Phones = Callable[..., Phone]
Speech = Callable[[int, float], Path]
SANSHENG = (sys.executable, "-m", "sansheng")


class Site:
    """A hotline of one telephone, and the settings of a probe that may call it."""

    def __init__(self, tmp_path: Path) -> None:
        self.agent_port, own, rtp = free_ports(3)
        self.target = f"sip:88908890@127.0.0.1:{self.agent_port}"
        self.folder = tmp_path / "data"
        self.spool = Spool(self.folder / "spool")
        self.settings = ProbeSettings(
            targets=(self.target,),
            port=own,
            rtp_port=min(rtp & ~1, 60_000),
            ring_s=5,
            greeting_s=1,
            listen_s=2,
            quiet_s=1,
            interval_s=1,
        )

    def call(
        self, sayings: Sayings | None = None, tell: Callable[[str], None] | None = None
    ) -> Call:
        probe = Probe(self.settings, self.spool, "PCM_16")
        return probe.call(self.target, sayings or Sayings(), tell or (lambda _: None), agent="1001")

    def config(self, tmp_path: Path) -> Path:
        path = tmp_path / "sansheng.toml"
        lines = [f"{k} = {json.dumps(v)}" for k, v in self.settings.model_dump().items()]
        path.write_text(
            f"data_dir = {json.dumps(str(self.folder))}\n[telephony.probe]\n" + "\n".join(lines)
        )
        return path

    def filed(self) -> tuple[Call, Path]:
        [folder] = self.spool.waiting(Stage.RECORDED)
        return read_record(folder / CALL_FILE, Call), folder


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_a_call_is_timed_asks_listens_and_is_filed(
    site: Site, phones: Phones, speech: Speech, lateness: Lateness
) -> None:
    # Speaks in the first 0.2 s, at 1.4 s, and until 2 s.
    said, question = speech(5, 2), speech(1, 2)
    site.settings = site.settings.model_copy(update={"greeting_s": 2, "listen_s": 5})
    agent = phones(port=site.agent_port, ring_ms=1500, play=str(said))
    turns: list[str] = []
    call = site.call(Sayings(question=str(question), goodbye=str(question)), turns.append)
    agent.wait()
    assert turns == [*("ringing", "answered", "asking", "listening", "parting", "last", "done")]
    filed, folder = site.filed()
    assert (filed.mode, filed.source) == (Mode.PROBE, "probe")
    assert filed.signalling is Signalling.OBSERVED
    assert (filed.caller, filed.called, filed.agent) == ("probe", "88908890", "1001")
    assert (filed.ended_by, filed.end_reason) == (EndedBy.CALLER, EndReason.BYE)
    truth = (agent.at("answered") - agent.at("ringing")).total_seconds() * 1000
    assert call.ring_ms == filed.ring_ms == pytest.approx(truth, abs=30 + lateness.worst_ms())
    assert filed.recording is not None
    assert filed.recording.complete
    assert [q.channel for q in filed.quality] == list(Channel)
    # The question is on the caller's side, after the greeting is over; the agent's side is heard.
    asked = wav.read(folder / filed.recording.path, 0)
    heard = wav.read(folder / filed.recording.path, 1)
    assert lag_ms(asked, wav.read(question, 0)) == pytest.approx(3200, abs=400)
    assert lag_ms(heard, wav.read(said, 0)) == pytest.approx(0, abs=150 + lateness.worst_ms())


@pytest.mark.parametrize(
    ("agent_does", "ended_by", "reason"),
    [
        ({"reaction": "busy"}, EndedBy.AGENT, EndReason.BUSY),
        ({"reaction": "ignore"}, EndedBy.CALLER, EndReason.CANCEL),
        ({"hang_up_ms": 800}, EndedBy.AGENT, EndReason.BYE),
    ],
    ids=["busy", "nobody comes", "the agent hangs up"],
)
def test_how_else_it_may_end(
    site: Site, phones: Phones, agent_does: dict[str, Any], ended_by: EndedBy, reason: EndReason
) -> None:
    agent = phones(port=site.agent_port, ring_ms=500, **agent_does)
    site.call()
    agent.wait()
    filed, _ = site.filed()
    assert (filed.ended_by, filed.end_reason) == (ended_by, reason)
    assert (filed.recording is not None) is (reason is EndReason.BYE)
    if reason is EndReason.CANCEL:
        assert filed.ring_ms == pytest.approx(5000, abs=1000)


def test_a_running_tap_on_the_same_spool_takes_the_call_over(
    site: Site, phones: Phones, tap_of: Callable[..., Tap]
) -> None:
    tap = tap_of()
    site.spool = tap.spool
    agent = phones(port=site.agent_port, ring_ms=200, hang_up_ms=500)
    call = site.call()
    agent.wait()
    [(filed, _)] = tap.recorded()
    assert filed.call_id == call.call_id
    assert filed.ended_by is EndedBy.AGENT


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Callable[..., "subprocess.Popen[bytes]"]]:
    started: list[subprocess.Popen[bytes]] = []

    def start(site: Site, *arguments: str) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [*SANSHENG, "probe", site.target, *arguments, "--json", "-c", site.config(tmp_path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


Command = Callable[..., "subprocess.Popen[bytes]"]


def test_ctrl_c_hangs_up_files_the_call_and_prints_the_summary(
    site: Site, phones: Phones, command: Command
) -> None:
    agent = phones(port=site.agent_port, ring_ms=300)
    site.settings = site.settings.model_copy(update={"greeting_s": 60, "listen_s": 600})
    process = command(site, "--times", "3", "--every", "5m")
    until(lambda: agent.told("confirmed"))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    agent.wait()
    assert process.returncode == 130, err
    summary = json.loads(out)
    assert (summary["placed"], summary["answered"]) == (1, 1)
    filed, _ = site.filed()
    assert filed.call_id == summary["calls"][0]["call_id"]
    assert (filed.ended_by, filed.end_reason) == (EndedBy.CALLER, EndReason.BYE)


def test_calls_follow_each_other_and_a_refusal_is_one_line(
    site: Site, phones: Phones, command: Command
) -> None:
    agents = phones(port=site.agent_port, reaction="busy", ring_ms=100)
    process = command(site, "--times", "2", "--every", "2s")
    agents.wait()
    again = phones(port=site.agent_port, ring_ms=300)
    out, err = process.communicate(timeout=60)
    again.wait()
    assert process.returncode == 0, err
    summary = json.loads(out)
    assert [call["end_reason"] for call in summary["calls"]] == ["busy", "bye"]
    assert summary["ring_ms_median"] == summary["calls"][1]["ring_ms"]
    site.settings = site.settings.model_copy(update={"targets": ()})
    refused = command(site)
    out, err = refused.communicate(timeout=30)
    assert (refused.returncode, out) == (2, b"")
    assert err.decode().count("\n") == 1
    assert "[telephony.probe] targets" in err.decode()


def test_a_killed_call_is_filed_as_lost(site: Site, phones: Phones) -> None:
    phones(port=site.agent_port, ring_ms=200)

    def kill(turn: str) -> None:
        if turn == "listening":
            [child] = [
                child
                for child in psutil.Process().children()
                if "telephony.probe.call" in child.cmdline()
            ]
            os.kill(child.pid, signal.SIGKILL)

    with pytest.raises(TapError, match="died"):
        site.call(tell=kill)
    filed, _ = site.filed()
    assert (filed.ended_by, filed.end_reason) == (EndedBy.NETWORK, EndReason.LOST)
    assert filed.recording is not None
    assert not filed.recording.complete


@pytest.mark.model
def test_what_is_filed_is_analysed_as_any_call(site: Site, phones: Phones) -> None:
    said = Path(voices.__file__).with_name("demo") / "good" / "agent.wav"
    site.settings = site.settings.model_copy(update={"listen_s": 6, "quiet_s": 5})
    agent = phones(port=site.agent_port, ring_ms=300, play=str(said))
    site.call()
    agent.wait()
    filed, folder = site.filed()
    assert filed.recording is not None
    analysed = subprocess.run(
        [
            *SANSHENG,
            "analyze",
            folder / filed.recording.path,
            "--call",
            folder / CALL_FILE,
            "--json",
        ],
        capture_output=True,
        check=True,
    )
    found = json.loads(analysed.stdout)
    assert found["call_id"] == filed.call_id
    rings = next(item for item in found["items"] if item["rule"] == "three_rings")
    assert rings["status"] == "pass"
    assert any(said["channel"] == "agent" for said in found["transcript"])


@pytest.mark.pbx
@pytest.mark.skipif(
    not asterisk.is_installed() and not os.environ.get("CI"), reason="needs Asterisk: make peers"
)
def test_a_pbx_that_asks_for_a_password_is_probed(
    site: Site, phones: Phones, monkeypatch: pytest.MonkeyPatch, lateness: Lateness
) -> None:
    sip, ami, rtp = free_ports(3)
    site.target = f"sip:88908895@127.0.0.1:{sip}"
    site.settings = site.settings.model_copy(
        update={"targets": (site.target,), "number": "8800", "password_env": "PROBE_PASSWORD"}
    )
    with asterisk.running(
        sip_port=sip,
        ami_port=ami,
        rtp_port=min(rtp, 60_000),
        tap_port=9,
        phones={"1001": site.agent_port},
    ) as pbx:
        monkeypatch.setenv("PROBE_PASSWORD", "another")
        refused = site.call()
        assert (refused.answered_at, refused.end_reason) == (None, EndReason.REJECTED)
        monkeypatch.setenv("PROBE_PASSWORD", SECRET)
        agent = phones(port=site.agent_port, ring_ms=1500, hang_up_ms=1000)
        call = site.call()
        agent.wait()
        [channel] = pbx.named("Newchannel", CallerIDNum="8800", Exten="88908895")
        [answer] = pbx.named("Newstate", Uniqueid=channel["Uniqueid"], ChannelStateDesc="Up")
    assert (call.ended_by, call.end_reason) == (EndedBy.AGENT, EndReason.BYE)
    assert call.ring_ms == pytest.approx(1500, abs=50 + 2 * lateness.worst_ms())
    assert call.answered_at is not None
    late = (call.answered_at - asterisk.moment(answer["Timestamp"])).total_seconds() * 1000
    assert abs(late) <= 50 + 2 * lateness.worst_ms()
