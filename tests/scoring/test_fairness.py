"""Busy against idle: found where it is, not found where it is not, and never from a handful."""

import math

import numpy as np
import pytest

from scoring.fairness import (
    Scored,
    bootstrap_difference,
    busy_against_idle,
    busy_hours,
)


def calls(
    agent: str,
    busy_mean: float,
    idle_mean: float,
    count: int,
    *,
    seed: int = 1,
    mos: tuple[float, float] | None = None,
) -> list[Scored]:
    """``count`` calls a side, spread by 5 around each mean."""
    rng = np.random.default_rng(seed)
    made = []
    for busy, mean, line in ((True, busy_mean, 0), (False, idle_mean, 1)):
        for score in rng.normal(mean, 5, count):
            quality = None if mos is None else float(mos[line] + rng.normal(0, 0.05))
            made.append(
                Scored(agent=agent, team=agent[0], busy=busy, score=float(score), mos=quality)
            )
    return made


def test_a_difference_is_found_with_its_interval() -> None:
    (made,) = busy_against_idle(calls("a1", 80, 90, 200), np.random.default_rng(5))
    assert made.difference is not None
    assert made.low is not None
    assert made.high is not None
    assert made.low < made.difference < made.high < 0
    assert made.low < -10 < made.high
    assert made.worse_when_busy
    # Two means of 200 with deviation 5 differ by 10 with standard error 0.5.
    assert made.high - made.low == pytest.approx(2 * 1.96 * 0.5, rel=0.2)


def test_no_difference_is_not_called_one() -> None:
    (made,) = busy_against_idle(calls("a1", 90, 90, 200), np.random.default_rng(5))
    assert not made.worse_when_busy


@pytest.mark.parametrize(("count", "told"), [(29, False), (30, True)])
def test_a_handful_of_calls_says_nothing(count: int, told: bool) -> None:
    (made,) = busy_against_idle(calls("a1", 50, 90, count), np.random.default_rng(5))
    assert (made.difference is not None) is told
    assert (made.low is not None) is told
    assert (made.busy, made.idle) == (count, count)
    assert not math.isnan(made.busy_mean)


def test_an_agent_without_idle_calls_is_listed_without_a_figure() -> None:
    only = [c for c in calls("a1", 80, 90, 40) if c.busy]
    (made,) = busy_against_idle(only, np.random.default_rng(5))
    assert (made.busy, made.idle, made.difference) == (40, 0, None)
    assert math.isnan(made.idle_mean)


def test_the_same_seed_gives_the_same_interval() -> None:
    those = calls("a1", 80, 82, 50)
    one = busy_against_idle(those, np.random.default_rng(9))
    assert busy_against_idle(those, np.random.default_rng(9)) == one
    assert busy_against_idle(those, np.random.default_rng(10)) != one


def test_agents_and_teams() -> None:
    those = calls("a1", 80, 90, 40) + calls("a2", 90, 90, 40) + calls("b1", 90, 90, 40)
    agents = busy_against_idle(those, np.random.default_rng(1))
    teams = busy_against_idle(those, np.random.default_rng(1), by=lambda c: c.team)
    assert [p.name for p in agents] == ["a1", "a2", "b1"]
    assert [(p.name, p.busy) for p in teams] == [("a", 80), ("b", 40)]


def test_a_bad_line_is_seen_beside_the_score() -> None:
    """Busy hours have worse lines, and the score follows the line alone."""
    rng = np.random.default_rng(3)
    made = []
    for busy, level in ((True, 3.0), (False, 4.0)):
        for mos in rng.normal(level, 0.5, 200):
            score = 50 + 10 * mos + rng.normal(0, 1)
            made.append(Scored(agent="a", team="t", busy=busy, score=score, mos=float(mos)))
    (parity,) = busy_against_idle(made, np.random.default_rng(1))
    assert parity.worse_when_busy
    assert parity.mos_difference == pytest.approx(-1.0, abs=0.15)
    assert parity.adjusted == pytest.approx(0.0, abs=0.5)


def test_lines_that_are_all_alike_or_unknown_adjust_nothing() -> None:
    same = [Scored(agent="a", team="t", busy=n % 2 == 0, score=n, mos=4.0) for n in range(100)]
    (alike,) = busy_against_idle(same, np.random.default_rng(1))
    assert (alike.mos_difference, alike.adjusted) == (0.0, None)
    (unknown,) = busy_against_idle(calls("a", 80, 90, 40), np.random.default_rng(1))
    assert (unknown.mos_difference, unknown.adjusted) == (None, None)


def test_a_large_sample_is_drawn_in_blocks() -> None:
    values = np.ones(1_500_000)
    low, high = bootstrap_difference(values, values[:10], np.random.default_rng(1), 3)
    assert (low, high) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("arrivals", "busy"),
    [
        ([], frozenset()),
        ([9] * 5 + [10] * 4 + [3], frozenset({9, 10, 3})),
        ([hour for hour in range(24) for _ in range(hour)], frozenset(range(18, 24))),
    ],
)
def test_busy_hours_are_those_with_the_most_calls(
    arrivals: list[int], busy: frozenset[int]
) -> None:
    assert busy_hours(arrivals) == busy
