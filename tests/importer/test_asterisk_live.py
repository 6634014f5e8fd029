"""A real Asterisk records two dozen calls; what is imported is what the telephones did."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calls import wav
from calls.call import Call, Channel, EndedBy, EndReason, Signalling
from calls.codec import read_record
from calls.handover import CALL_FILE, Spool, Stage
from tests.importer import pbx
from tests.peers import asterisk
from tests.telephony.conftest import Lateness, Phone, free_ports, lag_ms, until

pytestmark = [
    pytest.mark.pbx,
    pytest.mark.sip,
    pytest.mark.skipif(
        not asterisk.is_installed() and not os.environ.get("CI"),
        reason="needs Asterisk: make peers",
    ),
]

TOLERANCE_MS, AUDIO_MS = 50, 60
"""What docs/import.md promises with CEL: of a time, and of where a sound is in the recording."""
RATE = 8_000
TALK = timedelta(seconds=1)
"""What every side says at least before anything happens to the call."""
CHANNEL = 9
"""The column of a CEL row that names the channel."""
EXTENSIONS = [str(number) for number in range(1001, 1031)]


@dataclass(kw_only=True)
class Story:
    """One call: the number's form and way, what each telephone does, and what is to come of it."""

    name: str
    number: str
    agent: dict[str, Any] = field(default_factory=dict)
    """Of the telephone that takes the call; its extension is the number's last digits."""
    caller: dict[str, Any] = field(default_factory=dict)
    first: dict[str, Any] | None = None
    """Of a telephone at the number's extension, when the one after it takes the call."""
    move: str = ""
    """A manager action that moves the call to the extension after the agent's."""
    ended_by: EndedBy = EndedBy.CALLER
    reason: EndReason = EndReason.BYE
    mixed: bool = False
    gone: bool = False
    """Nobody has the agent's telephone."""
    phones: dict[str, Phone] = field(default_factory=dict)

    @property
    def extension(self) -> str:
        return str(int(self.number[-4:]) + (self.first is not None))

    @property
    def after(self) -> str:
        return str(int(self.extension) + 1)


BYE = {"hang_up_ms": 3_000}
WAVES = [
    [
        Story(name="caller", number="111001", caller=BYE),
        Story(name="agent", number="111002", agent=BYE, ended_by=EndedBy.AGENT),
        Story(name="mono", number="211003", caller=BYE, mixed=True),
        Story(name="gsm", number="311004", agent=BYE, ended_by=EndedBy.AGENT, mixed=True),
        Story(name="alaw-pair", number="411005", caller=BYE),
        Story(name="pair-by-path", number="511006", agent=BYE, ended_by=EndedBy.AGENT),
        Story(name="early-media", number="111007", caller=BYE, agent={"early_media": True}),
        Story(name="keys", number="111008", caller=BYE | {"dtmf": "129"}),
        Story(name="agent-holds", number="111009", caller={"hang_up_ms": 5_000},
              agent={"hold_ms": 1_000, "resume_ms": 3_000}),
        Story(name="caller-holds", number="111010",
              caller={"hang_up_ms": 5_000, "hold_ms": 1_000, "resume_ms": 3_000}),
        Story(name="busy", number="111011", agent={"reaction": "busy"},
              ended_by=EndedBy.AGENT, reason=EndReason.BUSY),
        Story(name="no-answer", number="111012", agent={"reaction": "ignore"},
              ended_by=EndedBy.NETWORK, reason=EndReason.NO_ANSWER),
        Story(name="cancel", number="111013", agent={"reaction": "ignore"},
              caller={"cancel_ms": 1_500}, reason=EndReason.CANCEL),
        Story(name="reject", number="111014", agent={"reaction": "reject"},
              ended_by=EndedBy.AGENT, reason=EndReason.REJECTED),
    ],
    [
        Story(name="queue", number="121001", caller={"hang_up_ms": 4_000}),
        Story(name="queue-agent", number="121002", agent=BYE, ended_by=EndedBy.AGENT),
        Story(name="queue-local", number="131003", caller={"hang_up_ms": 4_000}),
        Story(name="queue-second", number="141004", caller={"hang_up_ms": 8_000},
              first={"reaction": "ignore"}),
        Story(name="abandoned", number="121006", agent={"reaction": "ignore"},
              caller={"hang_up_ms": 2_000}, reason=EndReason.CANCEL),
        Story(name="queue-timeout", number="121030", gone=True,
              ended_by=EndedBy.NETWORK, reason=EndReason.NO_ANSWER),
        Story(name="forked", number="151007", caller=BYE, first={"reaction": "ignore"}),
        Story(name="announced", number="161009", caller={"hang_up_ms": 4_000}),
        Story(name="blind", number="111010", move="BlindTransfer", caller={"hang_up_ms": 12_000}),
        Story(name="attended", number="121012", move="Atxfer", caller={"hang_up_ms": 16_000}),
    ],
]  # fmt: skip
STORIES = [story for wave in WAVES for story in wave]
TALKS = [story for story in STORIES if story.reason is EndReason.BYE]


@dataclass
class Exchange:
    """The Asterisk, its telephones, and what was imported in the end."""

    folder: Path
    pbx: asterisk.Asterisk
    ports: dict[str, int]
    turn: datetime = field(default_factory=lambda: datetime.now(UTC))
    """Between the waves: extension 1001 then passes to another person."""
    calls: dict[str, Call] = field(default_factory=dict)
    """By the caller's number."""
    recordings: dict[str, Path] = field(default_factory=dict)
    quarantined: str = ""
    late_ms: float = 0.0
    seeds: int = 0

    def sound(self, who: str) -> Path:
        return self.folder / f"{who}.wav"

    def phone(self, who: str, **script: Any) -> Phone:
        """Start a telephone that says what nobody else says."""
        self.seeds += 1
        random = np.random.default_rng(self.seeds)
        gate = np.r_[1, random.integers(0, 2, 49)]
        noise = random.normal(0, 0.15, RATE * 10) * np.repeat(gate, RATE // 5)
        wav.write(self.sound(who), np.clip(noise, -0.9, 0.9).astype(np.float32), RATE)
        port, rtp = free_ports(2)
        script = {"port": port, "rtp_port": rtp & ~1, "give_up_ms": 120_000, **script}
        path = self.folder / f"{who}.json"
        path.write_text(json.dumps(script | {"play": str(self.sound(who))}))
        phone = Phone(
            subprocess.Popen(
                [sys.executable, "-m", "telephony.phone", str(path)], stdout=subprocess.PIPE
            )
        )
        until(lambda: phone.told("ready"))
        return phone

    def begin(self, story: Story) -> None:
        """Let a story's telephones be there, and the caller call."""

        def at(who: str, extension: str, **script: Any) -> None:
            story.phones[who] = self.phone(
                f"{story.name}-{who}", port=self.ports[extension], user=extension, **script
            )

        if story.first is not None:
            at("first", story.number[-4:], **story.first)
        if not story.gone:
            at("agent", story.extension, **({"ring_ms": 900} | story.agent))
        if story.move:
            at("second", story.after, ring_ms=500)
        story.phones["caller"] = self.phone(
            f"{story.name}-caller",
            user=number_of(story),
            call=f"sip:{story.number}@127.0.0.1:{self.pbx.sip_port}",
            **story.caller,
        )

    def move(self, story: Story) -> None:
        """Transfer a story's call as its agent would; an attended one when the second answered."""
        agent, second = story.phones["agent"], story.phones["second"]
        until(lambda: agent.told("playing"))
        until(lambda: datetime.now(UTC) - agent.at("playing") > TALK)
        begun = until(lambda: self.pbx.named("DialBegin", DestChannel=f"/{story.extension}-"))
        self.pbx.act(
            {
                "Action": story.move,
                "Channel": begun[-1]["DestChannel"],
                "Exten": story.after,
                "Context": "agents",
            }
        )
        until(lambda: second.told("confirmed"))
        if story.move == "Atxfer":
            agent.process.terminate()

    def bring_in(self) -> None:
        """Run ``sansheng import asterisk`` on what this Asterisk wrote."""
        data, config = self.folder / "data", self.folder / "sansheng.toml"
        turn = self.turn.isoformat()
        (self.folder / "roster.csv").write_text(
            f"extension,agent,from,to\n1001,A7,2020-01-01,{turn}\n1001,B3,{turn},\n"
        )
        config.write_text(
            f'data_dir = "{data}"\n[importer]\nroster = "{self.folder / "roster.csv"}"\n'
        )
        command = [sys.executable, "-m", "sansheng.cli", "import", "asterisk"]
        command += [str(self.pbx.home / "log"), "--recordings", str(self.pbx.home / "spool")]
        done = subprocess.run(
            [*command, "-c", str(config)], capture_output=True, text=True, timeout=120, check=True
        )
        self.quarantined = done.stdout
        for folder in Spool(data / "spool").waiting(Stage.RECORDED):
            call = read_record(folder / CALL_FILE, Call)
            assert call.caller not in self.calls, "a call came in twice"
            self.calls[call.caller] = call
            if call.recording is not None:
                self.recordings[call.caller] = folder / call.recording.path


def number_of(story: Story) -> str:
    return f"1390000{STORIES.index(story):04d}"


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """All the calls, a wave at a time, then the import."""
    sip, ami, rtp, *ports = free_ports(3 + len(EXTENSIONS))
    agents = dict(zip(EXTENSIONS, ports, strict=True))
    watch = Lateness()
    with asterisk.running_with(
        pbx.configuration(sip, agents), pbx.MODULES, sip_port=sip, ami_port=ami, rtp_port=rtp
    ) as server:  # fmt: skip
        exchange = Exchange(tmp_path_factory.mktemp("calls"), server, agents)
        try:
            for wave in WAVES:
                exchange.turn = datetime.now(UTC)
                for story in wave:
                    exchange.begin(story)
                for story in wave:
                    if story.move:
                        exchange.move(story)
                for story in wave:
                    story.phones["caller"].wait()
            log = server.home / "log/cel-custom/Master.csv"
            until(lambda: hung_up(log) == len(STORIES))
            watch.stop()
            exchange.late_ms = watch.worst_ms()
            exchange.bring_in()
            yield exchange
        finally:
            for story in STORIES:
                for phone in story.phones.values():
                    phone.process.kill()
                    phone.process.wait()


def hung_up(log: Path) -> int:
    """Callers' channels that have ended; a row that is still being written is none yet."""
    with log.open(newline="") as lines:
        rows = [row for row in csv.reader(lines) if len(row) > CHANNEL]
    return sum(row[0] == "HANGUP" and "/anonymous-" in row[CHANNEL] for row in rows)


def near(one: datetime | None, other: datetime, exchange: Exchange) -> None:
    assert one is not None
    assert abs((one - other).total_seconds()) * 1000 <= TOLERANCE_MS + 2 * exchange.late_ms


def test_every_call_came_in_once_and_none_was_refused(exchange: Exchange) -> None:
    assert exchange.quarantined == ""
    assert set(exchange.calls) == {number_of(story) for story in STORIES}


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_a_record_is_what_the_telephones_did(exchange: Exchange, story: Story) -> None:
    call = exchange.calls[number_of(story)]
    caller, agent = story.phones["caller"], story.phones.get("agent")
    assert (call.ended_by, call.end_reason) == (story.ended_by, story.reason)
    assert call.called == story.number
    assert call.signalling is Signalling.FEED
    near(call.invited_at, caller.at("calling"), exchange)
    near(call.ended_at, min(caller.at("ended"), *ends(caller)), exchange)
    if agent is None:
        assert call.answered_at is None
        return
    near(call.ringing_at, agent.at("ringing"), exchange)
    people = [story.extension, *([story.after] if story.move else [])]
    named = {"caller": "A7", "queue": "B3"}.get(story.name, story.extension)
    assert [call.agent, *call.transfers] == [named, *people[1:]]
    if story.reason is EndReason.BYE:
        near(call.answered_at, agent.at("reacted"), exchange)
    else:
        assert (call.answered_at, call.recording) == (None, None)


def ends(phone: Phone) -> list[datetime]:
    names = ("bye received", "hung up", "cancelled")
    return [phone.at(name) for name in names if phone.told(name)] or [phone.at("ended")]


@pytest.mark.parametrize("story", TALKS, ids=lambda story: story.name)
def test_each_side_is_heard_in_its_channel_in_its_place(exchange: Exchange, story: Story) -> None:
    call, path = exchange.calls[number_of(story)], exchange.recordings[number_of(story)]
    assert call.recording is not None
    assert call.answered_at is not None
    assert call.recording.channels == (() if story.mixed else (Channel.CALLER, Channel.AGENT))
    for who, phone in story.phones.items():
        if who == "first":
            continue
        channel = 0 if story.mixed or who == "caller" else 1
        begun = (phone.at("playing") - call.answered_at).total_seconds() * 1000
        said = wav.read(exchange.sound(f"{story.name}-{who}"), 0)
        # Who was answered by a queue has spoken before the agent hears anything.
        missed = max(0, round(-begun) * RATE // 1000)
        found = lag_ms(wav.read(path, channel), said[missed : missed + RATE])
        late = found - max(0.0, begun)
        assert abs(late) <= AUDIO_MS + 2 * exchange.late_ms


@pytest.mark.parametrize(
    ("name", "who", "by"),
    [("agent-holds", "agent", Channel.AGENT), ("caller-holds", "caller", Channel.CALLER)],
)
def test_a_hold_with_music_is_whose_it_was(
    exchange: Exchange, name: str, who: str, by: Channel
) -> None:
    story = next(story for story in STORIES if story.name == name)
    call, phone = exchange.calls[number_of(story)], story.phones[who]
    assert call.answered_at is not None
    (hold,) = call.holds
    assert hold.by is by
    for ours, told in ((hold.start_ms, "holding"), (hold.end_ms, "resuming")):
        near(call.answered_at + timedelta(milliseconds=ours), phone.at(told), exchange)


def test_the_others_were_held_by_nobody_but_who_consulted(exchange: Exchange) -> None:
    held = {call.caller: {hold.by for hold in call.holds} for call in exchange.calls.values()}
    names = {story.name for story in STORIES if held[number_of(story)]}
    assert names == {"agent-holds", "caller-holds", "attended"}
    attended = next(story for story in STORIES if story.name == "attended")
    assert held[number_of(attended)] == {Channel.AGENT}
