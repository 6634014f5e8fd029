"""Busy against idle: found where it is, not found where it is not, and never from a handful."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.fairness import Lines, Load, Parity, Scores, mean_interval, parity


@dataclass(frozen=True)
class Scored:
    """One call: its score, in tenths of a point, and its line's quality, in hundredths."""

    score: int
    mos: int | None = None


def sums(calls: list[Scored]) -> Load:
    lost = [1000 - call.score for call in calls]
    known = [(call.mos, 1000 - call.score) for call in calls if call.mos is not None]
    return Load(
        scores=Scores(len(calls), *(sum(x**power for x in lost) for power in (1, 2, 3, 4))),
        lines=Lines(
            len(known),
            sum(m for m, _ in known),
            sum(m * m for m, _ in known),
            sum(x for _, x in known),
            sum(m * x for m, x in known),
        ),
    )


def calls(mean: float, count: int, *, seed: int, mos: float | None = None) -> list[Scored]:
    """``count`` calls spread by 5 points around a mean, their lines by 0.05."""
    rng = np.random.default_rng(seed)
    return [
        Scored(
            round(10 * float(score)),
            None if mos is None else round(100 * (mos + float(rng.normal(0, 0.05)))),
        )
        for score in np.clip(rng.normal(mean, 5, count), 0, 100)
    ]


def compared(busy: list[Scored], idle: list[Scored], minimum: int = 30) -> Parity:
    return parity(sums(busy), sums(idle), minimum=minimum)


def test_a_difference_is_found_with_its_interval() -> None:
    made = compared(calls(70, 200, seed=1), calls(80, 200, seed=2))
    assert made.difference is not None
    assert made.low is not None
    assert made.high is not None
    assert made.low < made.difference < made.high < 0
    assert made.low < -10 < made.high
    # Two means of 200 with deviation 5 differ by 10 with standard error 0.5.
    assert made.high - made.low == pytest.approx(2 * 1.96 * 0.5, rel=0.2)


def test_no_difference_is_not_called_one() -> None:
    made = compared(calls(80, 200, seed=1), calls(80, 200, seed=2))
    assert made.low is not None
    assert made.high is not None
    assert made.low < 0 < made.high


@pytest.mark.parametrize(("count", "told"), [(29, False), (30, True)])
def test_a_handful_of_calls_says_nothing(count: int, told: bool) -> None:
    made = compared(calls(50, count, seed=1), calls(90, 200, seed=2))
    assert (made.difference is not None, made.low is not None) == (told, told)
    low, high = mean_interval(sums(calls(50, count, seed=1)).scores, minimum=30)
    assert (low is not None, high is not None) == (told, told)


def test_no_score_has_no_mean() -> None:
    assert sums([]).scores.mean is None
    assert sums([Scored(905), Scored(1000)]).scores.mean == 95.25


@st.composite
def samples(draw: st.DrawFn) -> list[int]:
    """Scores as calls have them: most of them full, a few that lost much, in tenths."""
    common = draw(st.lists(st.sampled_from([1000, 950, 925, 900, 833]), min_size=60, max_size=200))
    return common + draw(st.lists(st.integers(0, 1000), max_size=20))


@settings(max_examples=40)
@given(samples())
def test_an_interval_is_what_drawing_samples_comes_to(scores: list[int]) -> None:
    """Held against 10,000 samples drawn with replacement.

    Drawn means come in steps of what a single call weighs, which the interval goes between.
    """
    drawn = np.random.default_rng(7).choice(np.array(scores) / 10, (10_000, len(scores)))
    wanted = np.percentile(drawn.mean(axis=1), [2.5, 97.5])
    low, high = mean_interval(sums([Scored(score) for score in scores]).scores, minimum=20)
    assert low is not None
    assert high is not None
    step = (1000 - min(scores)) / 10 / len(scores)
    allowed = 0.04 * float(wanted[1] - wanted[0]) + step / 2
    assert [low, high] == pytest.approx(list(wanted), abs=allowed)


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=60))
def test_an_interval_lies_about_the_mean_within_the_scale(scores: list[int]) -> None:
    of = sums([Scored(score) for score in scores]).scores
    low, high = mean_interval(of, minimum=1)
    assert low is not None
    assert high is not None
    assert of.mean is not None
    assert 0 <= low <= of.mean + 1e-9
    assert of.mean - 1e-9 <= high <= 100


def test_years_of_like_scores_have_an_interval_of_no_width() -> None:
    made = mean_interval(sums([Scored(933)] * 100_000).scores, minimum=20)
    assert list(made) == pytest.approx([93.3, 93.3])


def test_a_bad_line_is_seen_beside_the_score() -> None:
    """Busy hours have worse lines, and the score follows the line alone."""
    rng = np.random.default_rng(3)
    busy, idle = (
        [
            Scored(round(10 * (50 + 10 * mos + float(rng.normal(0, 1)))), round(100 * mos))
            for mos in map(float, rng.normal(level, 0.3, 200))
        ]
        for level in (3.0, 4.0)
    )
    made = compared(busy, idle)
    assert made.high is not None
    assert made.high < 0
    assert made.mos_difference == pytest.approx(-1.0, abs=0.15)
    assert made.adjusted == pytest.approx(0.0, abs=0.5)


@given(st.integers(0, 2**32 - 1))
def test_the_adjusted_difference_is_that_of_least_squares(seed: int) -> None:
    rng = np.random.default_rng(seed)
    busy = [Scored(int(s), int(m)) for s, m in rng.integers((0, 100), (1001, 501), (40, 2))]
    idle = [Scored(int(s), int(m)) for s, m in rng.integers((0, 100), (1001, 501), (60, 2))]
    load = np.array([1.0] * 40 + [0.0] * 60)
    mos = np.array([call.mos for call in busy + idle], dtype=float) / 100
    score = np.array([call.score for call in busy + idle]) / 10
    columns = np.column_stack((np.ones(100), load, mos))
    wanted = np.linalg.lstsq(columns, score, rcond=None)[0][1]
    assert compared(busy, idle).adjusted == pytest.approx(wanted, abs=1e-6)


def test_lines_that_are_all_alike_or_unknown_adjust_nothing() -> None:
    same = [Scored(500 + n, 400) for n in range(100)]
    alike = compared(same, same)
    assert (alike.mos_difference, alike.adjusted) == (0.0, None)
    unknown = compared(calls(80, 40, seed=1), calls(90, 40, seed=2))
    assert unknown.difference is not None
    assert (unknown.mos_difference, unknown.adjusted) == (None, None)
