"""四个一样: whether busy hours cost the caller service, by agent and by team, and how surely.

守则 9 wants busy and idle hours alike. A difference is reported with a bootstrap interval, only
from a minimum of calls, and with the line's quality beside it: a bad line must not pass for a bad
agent.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """One scored call."""

    agent: str
    team: str
    busy: bool
    score: float
    mos: float | None = None
    """The worse side's mean opinion score, where known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """Busy less idle for one agent or team; negative: worse when busy."""

    name: str
    busy: int
    idle: int
    busy_mean: float
    idle_mean: float
    difference: float | None
    """None with too few calls on either side."""
    low: float | None
    high: float | None
    """The 95 % bootstrap interval of the difference."""
    mos_difference: float | None
    """Busy less idle of the lines' quality, where known for enough calls."""
    adjusted: float | None
    """The difference that is left when line quality is held equal (least squares)."""

    @property
    def worse_when_busy(self) -> bool:
        """Whether the whole interval lies below 0."""
        return self.high is not None and self.high < 0


def busy_hours(arrivals: Iterable[int], *, share: float = 0.25) -> frozenset[int]:
    """The busiest hours of the day (0–23): the ``share`` of the hours with the most calls.

    ``arrivals`` has each call's local hour. Of equal hours the earlier is taken.
    """
    counts = Counter(arrivals)
    ranked = sorted(counts, key=lambda hour: (-counts[hour], hour))
    return frozenset(ranked[: max(1, round(share * 24))]) if ranked else frozenset()


def busy_against_idle(
    calls: Iterable[Scored],
    rng: np.random.Generator,
    *,
    by: Callable[[Scored], str] = lambda call: call.agent,
    minimum: int = 30,
    resamples: int = 2000,
) -> tuple[Parity, ...]:
    """Busy against idle for each group that ``by`` names, in order of name.

    A group needs ``minimum`` calls on both sides for a difference; ``rng`` is a seeded generator,
    which makes the interval repeatable.
    """
    groups: dict[str, list[Scored]] = defaultdict(list)
    for call in calls:
        groups[by(call)].append(call)
    return tuple(_parity(name, groups[name], rng, minimum, resamples) for name in sorted(groups))


def bootstrap_difference(
    first: Floats, second: Floats, rng: np.random.Generator, resamples: int
) -> tuple[float, float]:
    """The 95 % percentile interval of the difference of two means (B. Efron, 1979)."""
    means = _resampled(first, rng, resamples) - _resampled(second, rng, resamples)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def mean_interval(
    given: Mapping[float, int], rng: np.random.Generator, *, minimum: int, resamples: int = 2000
) -> tuple[float | None, float | None]:
    """The 95 % bootstrap interval of a mean score; ``given`` has how often each score was given.

    None under ``minimum`` scores.
    """
    scores = np.repeat(np.array(list(given), dtype=np.float64), list(given.values()))
    if len(scores) < max(1, minimum):
        return None, None
    low, high = np.percentile(_resampled(scores, rng, resamples), [2.5, 97.5])
    return float(low), float(high)


def _parity(
    name: str, calls: Sequence[Scored], rng: np.random.Generator, minimum: int, resamples: int
) -> Parity:
    busy = np.array([call.score for call in calls if call.busy], dtype=np.float64)
    idle = np.array([call.score for call in calls if not call.busy], dtype=np.float64)
    enough = min(len(busy), len(idle)) >= max(1, minimum)
    low, high = bootstrap_difference(busy, idle, rng, resamples) if enough else (None, None)
    mos_difference, adjusted = _line(calls, minimum) if enough else (None, None)
    return Parity(
        name=name,
        busy=len(busy),
        idle=len(idle),
        busy_mean=_mean(busy),
        idle_mean=_mean(idle),
        difference=_mean(busy) - _mean(idle) if enough else None,
        low=low,
        high=high,
        mos_difference=mos_difference,
        adjusted=adjusted,
    )


def _line(calls: Sequence[Scored], minimum: int) -> tuple[float | None, float | None]:
    """What the lines differ by, and the score's difference with the line held equal."""
    rows = [(call.mos, call.busy, call.score) for call in calls if call.mos is not None]
    mos = np.array([row[0] for row in rows], dtype=np.float64)
    busy = np.array([row[1] for row in rows], dtype=np.float64)
    score = np.array([row[2] for row in rows], dtype=np.float64)
    if min(busy.sum(), len(busy) - busy.sum()) < max(1, minimum):
        return None, None
    difference = float(mos[busy == 1].mean() - mos[busy == 0].mean())
    if np.ptp(mos) == 0:
        return difference, None
    columns = np.column_stack((np.ones_like(mos), busy, mos - mos.mean()))
    solution, _, rank, _ = np.linalg.lstsq(columns, score, rcond=None)
    return difference, float(solution[1]) if rank == columns.shape[1] else None


def _resampled(values: Floats, rng: np.random.Generator, resamples: int) -> Floats:
    """Means of samples drawn with replacement.

    How often each different value is drawn is multinomial: scores have a hundred values, however
    many calls there are.
    """
    different, counts = np.unique(values, return_counts=True)
    many = len(values)
    drawn = rng.multinomial(many, counts / many, size=resamples)
    means: Floats = drawn @ different / many
    return means


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else float("nan")
