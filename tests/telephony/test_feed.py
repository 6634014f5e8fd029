"""The feed: events as lines, what is kept of them, a file, and the calls that wait."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from calls.call import (
    Call,
    Channel,
    EndedBy,
    EventKind,
    LegEvent,
    Mode,
    Signalling,
)
from calls.codec import read_record
from calls.errors import TapError
from calls.handover import CALL_FILE, Spool, Stage
from telephony.feed.event import FeedKind, read_event
from telephony.feed.feed import Feed
from telephony.feed.file import MAX_LINE, FollowedFile
from telephony.feed.settings import AmiSettings, FeedSettings, WebhookSettings
from telephony.feed.store import FeedStore
from telephony.finish import finish_live
from telephony.health import TapHealth
from telephony.journal import Head, Journal
from telephony.settings import TapSettings
from telephony.supervisor import TapSupervisor
from tests.telephony.test_feed_join import (
    BY_AGENT,
    BY_CALLER,
    RECORDED,
    RING,
    SETTINGS,
    WHOLE,
    at,
    told,
)


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
