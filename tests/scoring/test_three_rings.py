"""三声: boundaries to the millisecond, the stricter mode, unanswered calls, no signalling."""

from collections.abc import Callable
from pathlib import Path

import pytest

from calls.call import EndedBy, EndReason
from calls.hit import Status
from calls.scorecard import Scorecard
from scoring import rules as rules_file
from tests.scoring.scripted import Judge, make_call, make_transcript

EMPTY = make_transcript()


@pytest.mark.parametrize(
    ("ring", "rings", "status"),
    [
        (0.0, 1, Status.PASS),
        (4.999, 1, Status.PASS),
        (5.0, 2, Status.PASS),
        (10.0, 3, Status.PASS),
        (14.9, 3, Status.PASS),
        (14.999, 3, Status.PASS),
        (15.0, 4, Status.FAIL),
        (18.2, 4, Status.FAIL),
        (20.0, 5, Status.FAIL),
    ],
)
def test_rings_so_far_decide(
    card: Callable[..., Scorecard], ring: float, rings: int, status: Status
) -> None:
    made = card(make_call(ring=ring), EMPTY)
    assert made.rings == rings
    assert made.ring_ms == round(ring * 1000)
    assert made.items[0].status is status
    assert made.items[0].earned == (10 if status is Status.PASS else 0)


def test_the_sentence_is_built_from_the_evidence(judge: Judge) -> None:
    item = judge("three_rings", make_call(ring=18.2), EMPTY)
    assert item.explanation == "铃响 4 声（18.2 秒）后接听，超过三声。"
    assert item.clause == "守则12"


def test_a_time_just_under_the_limit_is_not_rounded_up_to_it(judge: Judge) -> None:
    assert "14.9 秒" in judge("three_rings", make_call(ring=14.999), EMPTY).explanation


@pytest.mark.parametrize(
    ("ring", "status"), [(11.0, Status.PASS), (11.001, Status.FAIL), (15.0, Status.FAIL)]
)
def test_the_stricter_mode_ends_with_the_third_ring(
    card: Callable[..., Scorecard],
    edited: Callable[..., Path],
    ring: float,
    status: Status,
) -> None:
    strict = rules_file.load(edited(("strict = false", "strict = true")))
    assert card(make_call(ring=ring), EMPTY, rules=strict).items[0].status is status


def test_another_cadence_is_a_setting(
    card: Callable[..., Scorecard], edited: Callable[..., Path]
) -> None:
    quick = rules_file.load(edited(("cadence_ms = 5000", "cadence_ms = 3000")))
    made = card(make_call(ring=9.0), EMPTY, rules=quick)
    assert (made.rings, made.items[0].status) == (4, Status.FAIL)


@pytest.mark.parametrize(
    ("ring", "reason", "status"),
    [
        (15.0, EndReason.CANCEL, Status.FAIL),
        (14.999, EndReason.CANCEL, Status.NA),
        (40.0, EndReason.NO_ANSWER, Status.FAIL),
        (0.5, EndReason.BUSY, Status.NA),
        (2.0, EndReason.REJECTED, Status.NA),
        (16.0, EndReason.LOST, Status.FAIL),
    ],
)
def test_an_unanswered_call_fails_once_it_rang_too_long(
    judge: Judge, ring: float, reason: EndReason, status: Status
) -> None:
    call = make_call(ring=ring, answered=False, end_reason=reason, ended_by=EndedBy.CALLER)
    assert judge("three_rings", call).status is status


def test_without_signalling_it_is_na(card: Callable[..., Scorecard]) -> None:
    made = card(make_call(ring=None), EMPTY)
    assert made.items[0].status is Status.NA
    assert made.rings is None


def test_an_unanswered_call_has_no_other_verdict(card: Callable[..., Scorecard]) -> None:
    call = make_call(ring=30, answered=False, end_reason=EndReason.NO_ANSWER)
    made = card(call)
    assert {item.status for item in made.items[1:]} == {Status.NA}
    assert made.score == 0.0
    assert made.findings == ()
