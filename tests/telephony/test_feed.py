"""The feed: what the PBX tells is joined to the recorded call it belongs to, or to none."""

import json
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from calls.call import (
    Call,
    Channel,
    EndedBy,
    EndReason,
    EventKind,
    Hold,
    LegEvent,
    Mode,
    Signalling,
)
from calls.codec import read_record
from calls.errors import TapError
from calls.handover import CALL_FILE, Spool, Stage
from telephony.feed.ami import AmiClient
from telephony.feed.asterisk import AsteriskReader
from telephony.feed.event import FeedEvent, FeedKind, PbxCall, read_event, tell
from telephony.feed.feed import Feed
from telephony.feed.file import MAX_LINE, FollowedFile
from telephony.feed.join import Outcome, join, same_number
from telephony.feed.settings import AmiSettings, FeedSettings, WebhookSettings
from telephony.feed.store import FeedStore
from telephony.feed.webhook import Webhook
from telephony.finish import finish_live
from telephony.health import TapHealth
from telephony.journal import Head, Journal
from telephony.settings import TapSettings
from telephony.siprec.settings import SiprecSettings
from telephony.supervisor import TapSupervisor
from tests.telephony.conftest import Phone, Tap, free_ports, until

START = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)
SETTINGS = FeedSettings()
CLIENT = Path(__file__).parents[1] / "peers" / "recording_client.py"


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


RECORDED = Call(
    call_id="a1",
    mode=Mode.SIPREC,
    caller="13900000000",
    called="8012",
    agent="8012",
    invited_at=at(0),
    answered_at=at(0.1),
    ended_at=at(60),
    signalling=Signalling.NONE,
    pbx_call_id="session-1",
)
"""A recording that began at 0.1 s and ended at 60 s."""


def told(*events: tuple[Any, ...], call_id: str = "p1", **known: Any) -> list[FeedEvent]:
    """Events of one call: kind, second, and perhaps who hung up or which leg."""
    known = {"caller": "+8613900000000", "called": "88908890", "agent": "8012"} | known
    made = []
    for kind, second, *more in events:
        extra = more[0] if more else {}
        made.append(FeedEvent(call_id=call_id, at=at(second), event=kind, **(known | extra)))
    return made


def pbx(events: list[FeedEvent]) -> PbxCall:
    call: PbxCall | None = None
    for event in events:
        call = tell(call, event)
    assert call is not None
    return call


RING = [(FeedKind.INVITED, -6.2), (FeedKind.RINGING, -6), (FeedKind.ANSWERED, 0)]
BY_AGENT, BY_CALLER = {"by": EndedBy.AGENT}, {"by": EndedBy.CALLER}
WHOLE = [*RING, (FeedKind.ENDED, 60.05, BY_AGENT)]


def test_a_call_gets_its_ring_and_who_hung_up() -> None:
    joined = join(RECORDED, ["p1"], [pbx(told(*WHOLE))], SETTINGS)
    assert joined.outcome is Outcome.JOINED
    call = joined.call
    assert call.ring_ms == 6000
    assert (call.ended_by, call.signalling) == (EndedBy.AGENT, Signalling.FEED)
    assert (call.called, call.pbx_call_id) == ("88908890", "p1")
    # The recording's times stay; the ring is put before its start.
    assert (call.answered_at, call.ended_at) == (RECORDED.answered_at, RECORDED.ended_at)
    assert call.invited_at == at(-6.1)


@pytest.mark.parametrize(
    ("name", "ids", "calls", "ring_ms", "ended_by"),
    [
        ("nothing told", ["p1"], [], None, EndedBy.UNKNOWN),
        ("by numbers", [], [told(*WHOLE)], 6000, EndedBy.AGENT),
        (
            "another caller",
            [],
            [told(*WHOLE, caller="13911111111")],
            None,
            EndedBy.UNKNOWN,
        ),
        (
            "another agent",
            [],
            [told(*WHOLE, called="88908891", agent="8013")],
            None,
            EndedBy.UNKNOWN,
        ),
        ("anonymous", [], [told(*WHOLE, caller="anonymous")], None, EndedBy.UNKNOWN),
        (
            "two of one number at one time",
            [],
            [told(*WHOLE), told(*WHOLE, call_id="p2")],
            None,
            EndedBy.UNKNOWN,
        ),
        (
            "two of one number, one of them by id",
            ["p2"],
            [told(*WHOLE), told(*RING, (FeedKind.ENDED, 60, BY_CALLER), call_id="p2")],
            6000,
            EndedBy.CALLER,
        ),
        (
            "two of one number, one of them hours before",
            [],
            [
                told(*WHOLE),
                told((FeedKind.INVITED, -7206), (FeedKind.ANSWERED, -7200), call_id="p2"),
            ],
            6000,
            EndedBy.AGENT,
        ),
        (
            "an id used before",
            ["p1"],
            [told((FeedKind.RINGING, -90_006), (FeedKind.ANSWERED, -90_000))],
            None,
            EndedBy.UNKNOWN,
        ),
        (
            "two calls of one id at one time",
            ["x"],
            [told(*WHOLE, ids=("x",)), told(*WHOLE, call_id="p2", ids=("x",))],
            None,
            EndedBy.UNKNOWN,
        ),
        ("hang-up not told", ["p1"], [told(*RING)], 6000, EndedBy.UNKNOWN),
        (
            "hang-up without its side",
            ["p1"],
            [told(*RING, (FeedKind.ENDED, 60))],
            6000,
            EndedBy.UNKNOWN,
        ),
        (
            "sides that contradict each other",
            ["p1"],
            [told(*RING, (FeedKind.ENDED, 60, BY_AGENT), (FeedKind.ENDED, 60.1, BY_CALLER))],
            6000,
            EndedBy.UNKNOWN,
        ),
        (
            "a first agent who hung up after transferring",
            ["p1"],
            [
                told(
                    *RING,
                    (FeedKind.ENDED, 30, {"by": EndedBy.AGENT, "leg": "1"}),
                    (FeedKind.ENDED, 60, BY_CALLER),
                )
            ],
            6000,
            EndedBy.CALLER,
        ),
        (
            "ring not told",
            ["p1"],
            [told((FeedKind.ANSWERED, 0), (FeedKind.ENDED, 60, BY_AGENT))],
            None,
            EndedBy.AGENT,
        ),
        (
            "hang-up alone",
            ["p1"],
            [told((FeedKind.ENDED, 60, BY_AGENT))],
            None,
            EndedBy.AGENT,
        ),
        (
            "recorded from the queue's announcement on",
            ["p1"],
            [told((FeedKind.RINGING, 20), (FeedKind.ANSWERED, 25), (FeedKind.ENDED, 60, BY_AGENT))],
            None,
            EndedBy.AGENT,
        ),
        (
            "invited but not heard ringing",
            ["p1"],
            [told((FeedKind.INVITED, -6.2), (FeedKind.ANSWERED, 0))],
            6200,
            EndedBy.UNKNOWN,
        ),
        (
            "three agents rung, one came",
            ["p1"],
            [
                told(
                    (FeedKind.RINGING, -20, {"leg": "1", "agent": "8011"}),
                    (FeedKind.RINGING, -20, {"leg": "2", "agent": "8012"}),
                    (FeedKind.RINGING, -4, {"leg": "3", "agent": "8013"}),
                    (FeedKind.ANSWERED, 0, {"leg": "3", "agent": "8013"}),
                )
            ],
            4000,
            EndedBy.UNKNOWN,
        ),
        (
            "two legs answered at once",
            ["p1"],
            [
                told(
                    (FeedKind.RINGING, -20, {"leg": "1"}),
                    (FeedKind.ANSWERED, 0, {"leg": "1"}),
                    (FeedKind.RINGING, -4, {"leg": "2"}),
                    (FeedKind.ANSWERED, 0.2, {"leg": "2"}),
                )
            ],
            None,
            EndedBy.UNKNOWN,
        ),
        (
            "told twice and out of order",
            ["p1"],
            [
                told(
                    (FeedKind.ENDED, 60, BY_AGENT),
                    (FeedKind.ANSWERED, 0),
                    (FeedKind.RINGING, -5),
                    (FeedKind.RINGING, -6),
                    (FeedKind.ANSWERED, 0.3),
                )
            ],
            6000,
            EndedBy.AGENT,
        ),
        (
            "a ring after its answer",
            ["p1"],
            [told((FeedKind.RINGING, 2), (FeedKind.ANSWERED, 0), (FeedKind.ENDED, 60, BY_AGENT))],
            None,
            EndedBy.AGENT,
        ),
        (
            "numbers that fit, but an end that does not",
            [],
            [told(*RING, (FeedKind.ENDED, 40, BY_AGENT))],
            None,
            EndedBy.UNKNOWN,
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else "",
)
def test_the_join(
    name: str,
    ids: list[str],
    calls: list[list[FeedEvent]],
    ring_ms: int | None,
    ended_by: EndedBy,
) -> None:
    call = join(RECORDED, ids, map(pbx, calls), SETTINGS).call
    assert call.ring_ms == ring_ms
    assert call.ended_by is ended_by
    known = ring_ms is not None or ended_by is not EndedBy.UNKNOWN
    assert call.signalling_known is known
    if not known:
        assert call == RECORDED


def test_of_a_call_that_rang_hundreds_of_agents_the_last_ones_count() -> None:
    rung = [
        event
        for leg in range(300)
        for event in told(
            (FeedKind.RINGING, leg - 900, {"leg": str(leg)}),
            (FeedKind.ENDED, leg - 890, {"leg": str(leg)}),
        )
    ]
    call = pbx([*rung, *told(*WHOLE, leg="300")])
    assert len(call.legs) == len(call.ends) == 64
    joined = join(RECORDED, ["p1"], [call], SETTINGS).call
    assert (joined.ring_ms, joined.ended_by) == (6000, EndedBy.AGENT)


def test_clocks_that_are_apart_are_joined_by_the_offset_alone() -> None:
    behind = [replace(event, at=event.at - timedelta(seconds=70)) for event in told(*WHOLE)]
    assert join(RECORDED, ["p1"], [pbx(behind)], SETTINGS).outcome is Outcome.UNMATCHED
    apart = join(RECORDED, ["p1"], [pbx(behind)], SETTINGS).apart_ms
    assert apart == 70_100
    settings = FeedSettings(clock_offset_ms=70_000)
    joined = join(RECORDED, ["p1"], [pbx(behind)], settings)
    assert joined.call.ring_ms == 6000
    assert joined.call.ended_by is EndedBy.AGENT


def test_a_session_that_broke_is_not_said_to_be_hung_up() -> None:
    broken = replace(RECORDED, ended_by=EndedBy.NETWORK, end_reason=EndReason.LOST)
    call = join(broken, ["p1"], [pbx(told(*WHOLE))], SETTINGS).call
    assert (call.ended_by, call.ring_ms) == (EndedBy.NETWORK, 6000)


def test_holds_are_told_in_the_recordings_time() -> None:
    events = told(
        *RING,
        (FeedKind.HOLD, 10, BY_AGENT),
        (FeedKind.RESUME, 15, BY_AGENT),
        (FeedKind.HOLD, 50, BY_CALLER),
        (FeedKind.HOLD, 51),
    )
    call = join(RECORDED, ["p1"], [pbx(events)], SETTINGS).call
    assert call.holds == (
        Hold(start_ms=10_000, end_ms=15_000, by=Channel.AGENT),
        Hold(start_ms=50_000, end_ms=59_900, by=Channel.CALLER),
    )
    seen = replace(RECORDED, holds=call.holds[:1])
    assert join(seen, ["p1"], [pbx(events)], SETTINGS).call.holds == call.holds[:1]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("13900000000", "+8613900000000", True),
        ("013900000000", "13900000000", True),
        ("13900000000", "008613900000000", True),
        ("13900000000", "13900000001", False),
        ("8012", "8012", True),
        ("8012", "18012", False),
        ("8908890", "01088908890", True),
        ("8908890", "9901088908890", False),
        ("", "", False),
        ("anonymous", "anonymous", False),
    ],
)
def test_numbers(one: str, other: str, same: bool) -> None:
    assert same_number(one, other) is same
    assert same_number(other, one) is same


def test_an_event_is_a_json_line() -> None:
    line = json.dumps(
        {
            "call_id": "p1",
            "at": "2026-11-24T09:00:00.250+08:00",
            "event": "ringing",
            "caller": "13900000000",
            "ids": ["abc@pbx"],
            "something": "else",
        }
    )
    event = read_event(line.encode())
    assert (event.at, event.event, event.ids) == (at(0.25), FeedKind.RINGING, ("abc@pbx",))


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"call_id":"p","at":"2026-11-24T09:00:00","event":"ringing"}',
        b'{"call_id":"p","at":"0001-01-01T00:00:00Z","event":"ringing"}',
        b'{"call_id":"p","at":"2026-11-24T09:00:00Z","event":"rung"}',
        b'{"call_id":"","at":"2026-11-24T09:00:00Z","event":"ringing"}',
        b'{"call_id":"%s","at":"2026-11-24T09:00:00Z","event":"ringing"}' % (b"9" * 300),
    ],
)
def test_a_line_that_is_no_event_is_refused_without_its_content(line: bytes) -> None:
    with pytest.raises(TapError) as caught:
        read_event(line)
    assert "999" not in str(caught.value)


def test_an_id_used_again_is_another_call() -> None:
    store = FeedStore(SETTINGS)
    earlier = [replace(event, at=event.at - timedelta(hours=1)) for event in told(*WHOLE)]
    for event in [*earlier, *told(*RING), *told((FeedKind.ENDED, 60, BY_CALLER))]:
        store.take(event)
    call = store.complete(RECORDED, ["p1"])
    assert (call.ring_ms, call.ended_by) == (6000, EndedBy.CALLER)
    hour = timedelta(hours=1)
    before = replace(
        RECORDED,
        call_id="a0",
        answered_at=at(0.1) - hour,
        invited_at=at(0) - hour,
        ended_at=at(60) - hour,
    )
    call = store.complete(before, ["p1"])
    assert (call.ring_ms, call.ended_by, call.pbx_call_id) == (6000, EndedBy.AGENT, "p1")


def test_one_call_of_the_pbx_is_given_by_numbers_once() -> None:
    store = FeedStore(SETTINGS)
    for event in told(*WHOLE):
        store.take(event)
    assert store.complete(RECORDED, []).ring_ms == 6000
    assert store.complete(replace(RECORDED, call_id="a2"), []).ring_ms is None
    # A recording whose folder could not be written is asked for again.
    assert store.complete(RECORDED, []).ring_ms == 6000


def test_an_event_after_the_hand_over_is_counted_and_lost() -> None:
    store = FeedStore(SETTINGS)
    for event in told(*RING):
        store.take(event)
    assert store.complete(RECORDED, ["p1"]).ended_by is EndedBy.UNKNOWN
    assert store.health().late == 0
    for event in told((FeedKind.KNOWN, 1), (FeedKind.ENDED, 60, BY_AGENT), (FeedKind.KNOWN, 61)):
        store.take(event)
    assert store.health().late == 1
    for event in told(*WHOLE, call_id="p9", caller="13922222222"):
        store.take(event)
    assert store.health().late == 1


def test_memory_is_bounded_and_the_oldest_goes_first() -> None:
    store = FeedStore(FeedSettings(most_calls=100))
    for number in range(1000):
        for event in told(*WHOLE, call_id=f"p{number}", caller=f"139{number:08}"):
            store.take(event)
    health = store.health()
    assert (health.calls, health.forgotten) == (100, 900)
    assert len(store._by_key) == 200
    for number in range(1500):
        store.complete(replace(RECORDED, call_id=f"a{number}", caller=f"138{number:08}"), [])
    assert len(store._handed) == len(store._handed_by_key) == 1000


def test_a_feed_without_events_is_deaf_and_one_event_ends_that() -> None:
    now = [at(-60)]
    store = FeedStore(SETTINGS, lambda: now[0])
    # Heard before any of these calls began.
    store.take(told(*WHOLE, caller="13922222222")[0])
    for number in range(3):
        assert not store.health().deaf
        store.complete(replace(RECORDED, call_id=f"a{number}"), [])
    health = store.health()
    assert health.deaf
    assert not TapHealth((), {}, 2**40, health).well
    store.take(told(*WHOLE)[0], live=False)
    assert store.health().deaf
    now[0] = at(30)
    store.take(told(*WHOLE)[0])
    assert store.health().last_event == at(30).isoformat()
    # Calls that it heard something in the time of say nothing against it, however many.
    for number in range(5):
        store.complete(replace(RECORDED, call_id=f"b{number}"), [])
    assert not store.health().deaf
    assert TapHealth((), {}, 2**40, store.health()).well


def test_a_file_is_followed_through_rotation_and_to_its_last_whole_line(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    followed = FollowedFile(path)
    assert followed.lines() == []
    path.write_bytes(b"one\ntw")
    assert followed.lines() == [b"one"]
    with path.open("ab") as writer:
        writer.write(b"o\nthree")
        writer.flush()
        assert followed.lines() == [b"two"]
        path.rename(tmp_path / "events.jsonl.1")
        assert followed.lines() == []
        path.write_bytes(b"five\n")
        assert followed.lines() == [b"five"]
        # Its writer has not noticed yet.
        writer.write(b"\nfour\n")
        writer.flush()
        assert followed.lines() == [b"three", b"four"]
    # Cut, and written from its start.
    path.write_bytes(b"six\n")
    assert followed.lines() == [b"six"]
    path.write_bytes(b"")
    assert followed.lines() == []
    path.write_bytes(b"seven\n")
    assert followed.lines() == [b"seven"]
    path.write_bytes(b"x" * 2 * MAX_LINE)
    assert followed.lines() == []
    with path.open("ab") as writer:
        writer.write(b"x\neight\n")
    assert followed.lines() == [b"eight"]
    followed.close()


def test_of_a_file_that_is_there_the_tail_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("telephony.feed.file.TAIL_BYTES", 20)
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"".join(b"line %d\n" % n for n in range(100)))
    followed = FollowedFile(path)
    assert followed.lines() == [b"line 98", b"line 99"]
    followed.close()


def test_what_a_file_holds_at_the_start_is_known_but_bad_lines_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    lines = []
    for event in told(*WHOLE):
        line = {"call_id": event.call_id, "at": event.at.isoformat(), "event": event.event}
        lines.append(json.dumps(line | {"by": event.by, "caller": "1", "agent": "8012"}))
    path.write_text("\n".join([*lines, "no event", "", '{"torn']))
    feed = Feed(FeedSettings(file=str(path)))
    feed.look(live=False)
    health = feed.health()
    assert (health.calls, health.bad, health.events) == (1, 1, 0)
    feed.stop()
    assert feed.store.complete(RECORDED, ["p1"]).ring_ms == 6000


def left_live(spool: Spool, mode: Mode) -> None:
    """A call that its process has closed."""
    head = Head(
        call_id=mode.value,
        mode=mode,
        caller="13900000000",
        called="8012",
        agent="8012",
        invited_at=at(0),
        call_ids=("p1",),
    )
    journal = Journal(spool.begin(mode.value), head)
    for kind in (EventKind.ANSWERED, EventKind.BYE, EventKind.CLOSED):
        moment = RECORDED.answered_at if kind is EventKind.ANSWERED else RECORDED.ended_at
        assert moment is not None
        journal.event(LegEvent(at=moment, monotonic_ms=0, leg=Channel.AGENT, kind=kind))
    journal.close()


def test_a_siprec_call_waits_for_its_events_and_no_other_one_does(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    left_live(spool, Mode.SIPREC)
    left_live(spool, Mode.BRIDGE)
    now = [100.0]
    feed = Feed(SETTINGS, lambda: now[0])
    assert finish_live(spool, "ALAW", feed) == ["bridge"]
    assert feed.waiting == 1
    for event in told(*WHOLE):
        feed.store.take(event)
    now[0] += SETTINGS.wait_s - 0.01
    assert finish_live(spool, "ALAW", feed) == []
    now[0] += 0.02
    assert finish_live(spool, "ALAW", feed) == ["siprec"]
    assert feed.waiting == 0
    call = read_record(spool.folder(Stage.RECORDED, "siprec") / CALL_FILE, Call)
    assert (call.ring_ms, call.ended_by) == (6000, EndedBy.AGENT)
    bridged = read_record(spool.folder(Stage.RECORDED, "bridge") / CALL_FILE, Call)
    assert bridged.signalling is Signalling.OBSERVED


def test_a_stop_waits_for_the_calls_that_wait(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    left_live(spool, Mode.SIPREC)
    events = FeedSettings(file=str(tmp_path / "events.jsonl"), wait_s=0.3)
    supervisor = TapSupervisor(TapSettings(feed=events), spool)
    assert supervisor.finish() == []
    assert supervisor.feed is not None
    for event in told(*WHOLE):
        supervisor.feed.store.take(event)
    supervisor.drain_and_stop()
    call = read_record(spool.folder(Stage.RECORDED, "siprec") / CALL_FILE, Call)
    assert call.ring_ms == 6000


@pytest.fixture
def webhook() -> Iterator[tuple[Webhook, list[bytes]]]:
    heard: list[bytes] = []

    def hear(lines: list[bytes]) -> int:
        heard.extend(lines)
        return len(lines)

    hook = Webhook(WebhookSettings(), "the-token", hear)
    yield hook, heard
    hook.close()


def post(port: int, body: bytes, token: str = "the-token", path: str = "/events") -> int:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", body, {"Authorization": f"Bearer {token}"}
    )
    try:
        with urllib.request.urlopen(request) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_a_webhook_takes_lines_with_its_token(webhook: tuple[Webhook, list[bytes]]) -> None:
    hook, heard = webhook
    assert post(hook.port, b"one\n\ntwo\n") == 200
    assert heard == [b"one", b"two"]
    assert post(hook.port, b"three", token="another") == 401
    assert post(hook.port, b"three", path="/other") == 404
    assert heard == [b"one", b"two"]


@pytest.mark.parametrize(
    ("length", "code"), [(b"", b"411"), (b"Content-Length: 2000000\r\n", b"413")]
)
def test_a_webhook_reads_no_more_than_it_is_to(
    webhook: tuple[Webhook, list[bytes]], length: bytes, code: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", webhook[0].port), timeout=10) as client:
        client.sendall(
            b"POST /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer the-token\r\n"
            + length
            + b"\r\n"
        )
        assert client.recv(1000).split()[1] == code


def test_a_webhook_refuses_strangers() -> None:
    hook = Webhook(WebhookSettings(peers=("10.0.0.0/8",)), "the-token", len)
    try:
        with pytest.raises(OSError, match=r"closed|reset|[Bb]roken"):
            post(hook.port, b"one")
    finally:
        hook.close()


@pytest.mark.parametrize("settings", [AmiSettings, WebhookSettings])
def test_a_secret_comes_from_its_file_or_its_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    monkeypatch.setenv("FEED_SECRET", "from the variable")
    assert settings(password_env="FEED_SECRET").secret().password() == "from the variable"
    path = tmp_path / "secret"
    path.write_text("from the file\n")
    assert settings(password_file=str(path)).secret().password() == "from the file"
    monkeypatch.delenv("FEED_SECRET")
    hook, manager = {"port": 1}, {"host": "127.0.0.1"}
    without = {"password_env": "FEED_SECRET"}
    for feed in ({"webhook": hook | without}, {"ami": manager | without}):
        with pytest.raises(TapError, match="FEED_SECRET"):
            Feed(FeedSettings.model_validate(feed)).start()


CEL = (Path(__file__).parent / "data" / "cel-sample.csv").read_bytes().splitlines()
"""Rows of a real Asterisk 16: a call that the caller ends, one from a queue that the agent ends."""


def test_asterisks_rows_tell_the_agents_leg_and_the_side_that_hung_up() -> None:
    reader = AsteriskReader()
    calls: dict[str, PbxCall] = {}
    for line in CEL:
        event = reader.read_cel(line)
        if event is not None:
            calls[event.call_id] = tell(calls.get(event.call_id), event)
    direct, queued = calls.values()
    assert (direct.caller, direct.called) == ("13900000000", "7000")
    assert direct.ids == (direct.call_id, "c8f45449-7152-4617-8a50-f349119675e4")
    for call, by in ((direct, EndedBy.CALLER), (queued, EndedBy.AGENT)):
        [leg] = call.legs
        assert leg.agent == "phone"
        assert leg.invited is not None
        assert leg.answered is not None
        # The queue answered its caller before it rang anybody.
        assert (leg.answered - leg.invited).total_seconds() == pytest.approx(0.806, abs=0.01)
        assert {side for _, side in call.ends} - {EndedBy.UNKNOWN} == {by}
        assert call.ended is not None


@pytest.mark.parametrize(
    "line",
    [b"", b"ANSWER,1795533154.1", CEL[0].replace(b"1795533293", b"2026-11-24 09:"), b'"torn'],
)
def test_a_row_of_another_form_is_refused(line: bytes) -> None:
    with pytest.raises(TapError):
        AsteriskReader().read_cel(line)


def manager_event(
    name: str, channel: str, unique: str, second: float, **more: str
) -> dict[str, str]:
    return {
        "Event": name,
        "Timestamp": f"{at(second).timestamp():.6f}",
        "Channel": channel,
        "Uniqueid": unique,
        "Linkedid": "1.0",
        "CallerIDNum": "13900000000",
        "Exten": "88908890",
    } | more


TRUNK, DESK, LOCAL = "PJSIP/trunk-00000001", "PJSIP/8012-00000002", "Local/8012@agents-00000001;1"
MANAGER = [
    manager_event("Newchannel", TRUNK, "1.0", -8, ChanVariable="SIPCALLID=abc@trunk"),
    manager_event("Newstate", TRUNK, "1.0", -7.9, ChannelStateDesc="Up"),
    manager_event("Newchannel", LOCAL, "1.1", -7),
    manager_event("Newstate", LOCAL, "1.1", -6.9, ChannelStateDesc="Ringing"),
    manager_event("Newchannel", DESK, "1.2", -6.2),
    manager_event("Newstate", DESK, "1.2", -6, ChannelStateDesc="Ringing"),
    manager_event("Newstate", DESK, "1.2", 0, ChannelStateDesc="Up"),
    manager_event("Hold", DESK, "1.2", 10),
    manager_event("Unhold", DESK, "1.2", 12),
    manager_event("HangupRequest", DESK, "1.2", 60),
    manager_event("HangupRequest", LOCAL, "1.1", 60),
    manager_event("SoftHangupRequest", TRUNK, "1.0", 60),
    manager_event("Hangup", DESK, "1.2", 60),
    manager_event("Hangup", TRUNK, "1.0", 60),
    {"Event": "RTCPSent"},
]


def test_the_managers_events_tell_ring_holds_and_the_side_that_hung_up() -> None:
    reader, store = AsteriskReader(), FeedStore(SETTINGS)
    for message in MANAGER:
        if (event := reader.read_manager(message)) is not None:
            store.take(event)
    call = store.complete(RECORDED, ["abc@trunk"])
    assert (call.ring_ms, call.ended_by) == (6000, EndedBy.AGENT)
    assert call.holds == (Hold(start_ms=10_000, end_ms=12_000, by=Channel.AGENT),)
    assert call.called == "88908890"
    with pytest.raises(TapError, match="timestampevents"):
        reader.read_manager(MANAGER[0] | {"Timestamp": ""})


class Manager:
    """A manager interface that lets one secret in and says what it is told to."""

    def __init__(self) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.logins: list[str] = []
        self.connections: list[socket.socket] = []
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            self.connections.append(connection)
            connection.sendall(b"Asterisk Call Manager/5.0.2\r\n")
            login = connection.recv(4096).decode()
            self.logins.append(login)
            good = "Secret: right\r\n" in login
            said = "Success" if good else "Error"
            connection.sendall(f"Response: {said}\r\nMessage: Authentication\r\n\r\n".encode())

    def say(self, text: bytes) -> None:
        self.connections[-1].sendall(text)

    def hang_up(self) -> None:
        self.connections[-1].shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()
        self.thread.join()
        for connection in self.connections:
            connection.close()


@pytest.fixture
def manager() -> Iterator[Manager]:
    served = Manager()
    yield served
    served.close()


def client_of(manager: Manager, secret: str, hear: Callable[[Any], None]) -> AmiClient:
    return AmiClient(AmiSettings(host="127.0.0.1", port=manager.port), secret, hear)


def test_the_manager_is_heard_and_connected_again(manager: Manager) -> None:
    heard: list[dict[str, str]] = []
    client = client_of(manager, "right", heard.append)
    try:
        until(lambda: client.connected)
        manager.say(b"Event: Newstate\r\nChanVariable: a=1\r\nChanVariable: b=2\r\n\r\nEvent: Ho")
        until(lambda: heard)
        assert heard == [{"Event": "Newstate", "ChanVariable": "a=1\nb=2"}]
        manager.say(b"ld\r\n\r\n")
        until(lambda: len(heard) == 2)
        manager.hang_up()
        until(lambda: len(manager.logins) == 2 and client.connected)
        manager.say(b"Event: Unhold\r\n\r\n")
        until(lambda: len(heard) == 3)
    finally:
        client.close()


def test_a_refused_secret_is_told_without_it(
    manager: Manager, capsys: pytest.CaptureFixture[str]
) -> None:
    client = client_of(manager, "wrong-secret\r\nAction: Originate", lambda _: None)
    try:
        until(lambda: manager.logins)
        until(lambda: "refuses our user or secret" in capsys.readouterr().out, 10)
    finally:
        client.close()
    assert not client.connected
    assert "\r\nAction: Originate" not in manager.logins[0]


METADATA = """<recording xmlns="urn:ietf:params:xml:ns:recording:1">
<participant participant_id="A"><nameID aor="sip:8012@agents.example"/></participant>
<participant participant_id="C"><nameID aor="sip:anonymous@trunk.example"/></participant>
<stream stream_id="sa"><label>1</label></stream><stream stream_id="sc"><label>2</label></stream>
<participantstreamassoc participant_id="A"><send>sa</send></participantstreamassoc>
<participantstreamassoc participant_id="C"><send>sc</send></participantstreamassoc>
</recording>"""


@pytest.mark.sip
def test_a_session_is_completed_by_what_is_posted_under_the_id_of_its_header(
    tap_of: Callable[..., Tap],
    speech: Callable[[int, float], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SANSHENG_FEED_TOKEN", "the-token")
    hook, port, rtp = free_ports(3)
    tap = tap_of(
        siprec=SiprecSettings(agent_domains=("agents.example",), id_headers=("X-Call-ID",)),
        feed=FeedSettings(webhook=WebhookSettings(port=hook), wait_s=3),
    )
    talk = str(speech(1, 3))
    script = tmp_path / "client.json"
    script.write_text(
        json.dumps(
            {
                "port": port,
                "rtp_port": min(rtp & ~1, 60_000),
                "call": tap.uri,
                "streams": [{"label": "1", "play": talk}, {"label": "2", "play": talk}],
                "metadata": METADATA,
                "headers": {"X-Call-ID": "4711;leg=1"},
                "hang_up_ms": 1500,
            }
        )
    )
    client = Phone(
        subprocess.Popen([sys.executable, str(CLIENT), str(script)], stdout=subprocess.PIPE)
    )

    def tell_hook(event: str, moment: datetime, **more: str) -> None:
        line = {"call_id": "4711", "at": moment.isoformat(), "event": event, **more}
        assert post(hook, json.dumps(line).encode()) == 200

    client.wait()
    answered, ended = client.at("answer"), client.at("hanging up")
    tell_hook("ringing", answered - timedelta(seconds=17), called="88908890")
    tell_hook("answered", answered)
    tell_hook("ended", ended, by="agent")
    [(call, _)] = tap.recorded()
    assert (call.mode, call.signalling) == (Mode.SIPREC, Signalling.FEED)
    assert (call.ring_ms, call.ended_by) == (17_000, EndedBy.AGENT)
    assert (call.called, call.agent, call.pbx_call_id) == ("88908890", "8012", "4711")
    tell_hook("hold", answered + timedelta(seconds=0.5), by="agent")
    health = tap.supervisor.feed_health()
    assert health is not None
    assert (health.events, health.joined, health.late) == (4, 1, 1)
