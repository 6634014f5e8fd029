"""The daily queue: nothing pressing is left out, the draw is fair and can be repeated."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calls.hit import Severity, Status
from calls.scorecard import Item, Scorecard
from scoring.sampling import Candidate, Plan, Why, assign, daily_queue
from tests.scoring.scripted import VERSIONS, make_call, make_hit, make_transcript

PLAN = Plan()


def plain(call_id: str, agent: str = "1001", stratum: str = "") -> Candidate:
    item = Item(rule="greeting", status=Status.PASS, earned=10, weight=10, clause="c")
    card = Scorecard(
        call_id=call_id, score=100, ring_ms=1, rings=1, items=(item,), versions=VERSIONS
    )
    return Candidate(agent=agent, scorecard=card, stratum=stratum)


@pytest.fixture
def pressing(card: Any) -> Any:
    def make(call_id: str, severity: Severity, status: Status, confidence: float) -> Candidate:
        hit = make_hit("L", 5, 6, "闭嘴", severity=severity, status=status, confidence=confidence)
        made = card(make_call(), make_transcript(((hit.candidate.channel), 0.5, 2, "您好")), hit)
        return Candidate(agent="1001", scorecard=replace(made, call_id=call_id))

    return make


def test_vetoes_then_reviews_the_least_sure_first_then_chance(pressing: Any) -> None:
    calls = [
        plain("p"),
        pressing("r-sure", Severity.MAJOR, Status.REVIEW, 0.8),
        pressing("r-unsure", Severity.MAJOR, Status.REVIEW, 0.3),
        pressing("veto", Severity.CRITICAL, Status.FAIL, 0.97),
        pressing("minor", Severity.MINOR, Status.REVIEW, 0.5),
    ]
    queue = daily_queue(calls, PLAN, seed=7)
    assert [(e.call_id, e.why) for e in queue] == [
        ("veto", Why.VETO),
        ("r-unsure", Why.REVIEW),
        ("minor", Why.REVIEW),
        ("r-sure", Why.REVIEW),
        ("p", Why.RANDOM),
    ]
    assert queue[0].rules == ("forbidden_phrase",)
    assert queue[2].rules == ("forbidden_phrase",)
    assert queue[1].confidence == 0.3


@pytest.mark.parametrize(("calls", "drawn"), [(1, 1), (49, 1), (100, 2), (300, 6), (0, 0)])
def test_every_agent_gives_a_share(calls: int, drawn: int) -> None:
    those = [plain(f"a{n}", "1001") for n in range(calls)] + [plain("b", "1002")]
    queue = daily_queue(those, PLAN, seed=1)
    assert sum(e.agent == "1001" for e in queue) == drawn
    assert sum(e.agent == "1002" for e in queue) == 1


def test_the_share_is_spread_over_the_strata() -> None:
    those = [plain(f"i{n}", stratum="idle") for n in range(90)]
    those += [plain(f"b{n}", stratum="busy") for n in range(5)]
    queue = daily_queue(those, Plan(share=0.05), seed=3)
    assert sum(e.call_id.startswith("b") for e in queue) in (2, 3)


@given(st.permutations([f"c{n}" for n in range(12)]), st.integers(0, 5))
def test_a_seed_draws_the_same_whatever_the_order(order: list[str], seed: int) -> None:
    plan = Plan(share=0.3)
    first = daily_queue([plain(c) for c in sorted(order)], plan, seed=seed)
    assert daily_queue([plain(c) for c in order], plan, seed=seed) == first
    assert len({e.call_id for e in first}) == len(first) == 4


def test_another_seed_draws_others() -> None:
    those = [plain(f"c{n}") for n in range(200)]
    draws = {daily_queue(those, Plan(share=0.05), seed=seed) for seed in range(5)}
    assert len(draws) > 1


@given(
    st.integers(0, 40),
    st.lists(st.sampled_from("abcde"), unique=True, max_size=5),
    st.floats(0, 1),
)
def test_reviewers_take_turns_and_a_share_is_heard_twice(
    calls: int, reviewers: list[str], twice: float
) -> None:
    queue = daily_queue([plain(f"c{n}") for n in range(calls)], Plan(share=1.0), seed=1)
    assigned = assign(queue, reviewers, Plan(twice=twice), seed=1)
    assert [e.call_id for e in assigned] == [e.call_id for e in queue]
    assert all(len(set(e.reviewers)) == len(e.reviewers) for e in assigned)
    if not reviewers:
        assert all(e.reviewers == () for e in assigned)
        return
    doubled = sum(len(e.reviewers) == 2 for e in assigned)
    assert doubled == (round(twice * len(queue)) if len(reviewers) > 1 else 0)
    load = [sum(name in e.reviewers for e in assigned) for name in reviewers]
    assert max(load) - min(load) <= 1
