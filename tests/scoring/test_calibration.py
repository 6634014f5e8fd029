"""Agreement and error rates against figures computed by hand or known from the literature."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calls.hit import Status
from scoring.calibration import (
    Judged,
    cohen_kappa,
    most_overruled,
    reviewer_agreement,
    rule_quality,
    share,
)

P, F, R, N = Status.PASS, Status.FAIL, Status.REVIEW, Status.NA


def judged(
    automatic: Status, person: Status, count: int, rule: str = "greeting", phrase: str = ""
) -> list[Judged]:
    return [
        Judged(
            call_id=f"{rule}-{automatic}-{person}-{n}",
            rule=rule,
            automatic=automatic,
            person=person,
            reviewer="qa",
            phrase_id=phrase,
        )
        for n in range(count)
    ]


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    [
        # Known values of the Wilson interval at 95 %.
        (0, 10, 0.0, 0.2775),
        (5, 10, 0.2366, 0.7634),
        (10, 10, 0.7225, 1.0),
        (81, 263, 0.2553, 0.3662),
        (1, 1, 0.2065, 1.0),
    ],
)
def test_wilson_intervals(hits: int, count: int, low: float, high: float) -> None:
    made = share(hits, count)
    assert (made.low, made.high) == pytest.approx((low, high), abs=5e-5)
    assert made.value == hits / count


def test_nothing_counted_is_no_share() -> None:
    made = share(0, 0)
    assert (made.value, made.low, made.high) == (None, 0.0, 1.0)


@pytest.mark.parametrize(("hits", "count"), [(-1, 5), (6, 5), (1, 0)])
def test_more_than_all_is_refused(hits: int, count: int) -> None:
    with pytest.raises(ValueError, match="is no share"):
        share(hits, count)


@given(st.integers(0, 500), st.integers(0, 500))
def test_an_interval_holds_its_share(one: int, other: int) -> None:
    made = share(one, one + other)
    if made.value is not None:
        assert 0 <= made.low <= made.value <= made.high <= 1


def test_kappa_of_the_textbook_example() -> None:
    # 20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no: observed 0.7, expected 0.5, κ 0.4.
    pairs = [(P, P)] * 20 + [(P, F)] * 5 + [(F, P)] * 10 + [(F, F)] * 15
    assert cohen_kappa(pairs) == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("pairs", "kappa"),
    [([], None), ([(P, P)] * 5, None), ([(P, P), (F, F)], 1.0), ([(P, F), (F, P)], -1.0)],
)
def test_kappa_at_its_ends(pairs: list[tuple[Status, Status]], kappa: float | None) -> None:
    assert cohen_kappa(pairs) == kappa


@given(st.lists(st.tuples(st.sampled_from([P, F, N]), st.sampled_from([P, F, N]))))
def test_kappa_does_not_mind_who_is_first(pairs: list[tuple[Status, Status]]) -> None:
    one, other = cohen_kappa(pairs), cohen_kappa([(b, a) for a, b in pairs])
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        assert one == pytest.approx(other)
        assert -1 - 1e-9 <= one <= 1 + 1e-9


def test_agreement_pairs_the_same_rule_on_the_same_call() -> None:
    def said(call: str, reviewer: str, person: Status, rule: str = "greeting") -> Judged:
        return Judged(call_id=call, rule=rule, automatic=F, person=person, reviewer=reviewer)

    made = reviewer_agreement(
        [
            said("1", "a", P),
            said("1", "b", P),
            said("2", "a", F),
            said("2", "b", F),
            said("3", "a", F),
            said("4", "a", F, "farewell"),
            said("1", "b", F, "farewell"),
        ]
    )
    assert made == {"greeting": (1.0, 2)}


def test_precision_and_recall_of_a_rule() -> None:
    sample = (
        judged(F, F, 8)
        + judged(F, P, 2)
        + judged(R, F, 3)
        + judged(R, P, 1)
        + judged(P, F, 1)
        + judged(P, P, 20)
        + judged(N, F, 4)
        + judged(F, N, 4)
    )
    (made,) = rule_quality(sample)
    assert made.judged == 35
    assert (made.precision.hits, made.precision.count) == (8, 10)
    assert (made.recall.hits, made.recall.count) == (8, 12)
    assert (made.noticed.hits, made.noticed.count) == (11, 12)
    assert (made.review_yield.hits, made.review_yield.count) == (3, 4)


def test_what_people_overrule_most_is_not_the_single_mishap() -> None:
    sample = (
        judged(F, P, 1, "farewell")
        + judged(F, P, 6, "greeting")
        + judged(F, F, 2, "greeting")
        + judged(F, P, 5, "shirking")
        + judged(F, F, 15, "shirking")
        + judged(P, F, 9, "mandarin")
    )
    made = most_overruled(sample)
    assert [(o.name, o.share.hits, o.share.count) for o in made] == [
        ("greeting", 6, 8),
        ("shirking", 5, 20),
    ]


def test_phrases_can_be_asked_for_in_place_of_rules() -> None:
    sample = judged(F, P, 6, "forbidden_phrase", "F032") + judged(F, P, 6, "greeting")
    made = most_overruled(sample, by=lambda one: one.phrase_id)
    assert [o.name for o in made] == ["F032"]
