"""The feed: what the PBX tells is joined to the recorded call it belongs to, or to none."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from calls.call import (
    Call,
    Channel,
    EndedBy,
    EndReason,
    Hold,
    Mode,
    Signalling,
)
from telephony.feed.event import FeedEvent, FeedKind, PbxCall, tell
from telephony.feed.join import Outcome, join, same_number
from telephony.feed.settings import FeedSettings

START = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)
SETTINGS = FeedSettings()


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
