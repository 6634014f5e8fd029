"""What the reports say of people, with how surely: intervals, a minimum of calls, the line beside.

The one place where the warehouse's counts meet scoring's bootstrap.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, repeat
from typing import Any

import numpy as np

from scoring.fairness import Parity, Scored, busy_against_idle, mean_interval
from warehouse.query import Result
from warehouse.reports import Report

MINIMUM = 20
"""Calls (busy and idle, each) under which nothing is compared and no interval is given."""
_RESAMPLES = 400
"""Enough for a tenth of a point; two thousand take seconds for two hundred agents."""
_SEED = 20190315
"""Fixed, so that the same report on the same calls has the same intervals."""
_COUNTED = ("busy", "final_score", "mos", "calls")
_PARITY = (
    *("busy_calls", "idle_calls", "busy_score", "idle_score", "difference", "difference_low"),
    *("difference_high", "line_difference", "adjusted"),
)


def with_intervals(report: Report, found: Result) -> Result:
    """A report's rows with what fairness asks for; reports that compare nobody stay as they are."""
    if report is Report.BUSY_IDLE:
        return _parity(found)
    if report is Report.AGENTS:
        return _scores(found)
    return found


def _parity(found: Result) -> Result:
    """Busy against idle from counts of calls by load, score and line."""
    many = len(found.columns) - len(_COUNTED)
    groups: dict[str, tuple[Any, ...]] = {}
    counted: list[tuple[Scored, int]] = []
    for row in found.rows:
        # By place: rows come in the groups' order, and names sort otherwise than numbers.
        if not groups or next(reversed(groups.values())) != row[:many]:
            groups[f"{len(groups):09}"] = row[:many]
        busy, score, mos, calls = row[many:]
        one = Scored(agent=next(reversed(groups)), team="", busy=busy, score=score, mos=mos)
        counted.append((one, calls))
    calls_of = chain.from_iterable(repeat(one, calls) for one, calls in counted)
    told = busy_against_idle(
        calls_of, np.random.default_rng(_SEED), minimum=MINIMUM, resamples=_RESAMPLES
    )
    rows = [(*groups[one.name], *_told(one)) for one in told]
    return Result(columns=(*found.columns[:many], *_PARITY), rows=rows, truncated=found.truncated)


def _told(one: Parity) -> tuple[Any, ...]:
    return (
        one.busy,
        one.idle,
        _rounded(one.busy_mean if one.busy else None, 1),
        _rounded(one.idle_mean if one.idle else None, 1),
        _rounded(one.difference, 1),
        _rounded(one.low, 1),
        _rounded(one.high, 1),
        _rounded(one.mos_difference, 2),
        _rounded(one.adjusted, 1),
    )


def _scores(found: Result) -> Result:
    """Mean scores with their intervals, from how often each score was given."""
    place = found.columns.index("scores")
    rng = np.random.default_rng(_SEED)
    rows = []
    for row in found.rows:
        given = {float(score): int(calls) for score, calls in (row[place] or {}).items()}
        low, high = mean_interval(given, rng, minimum=MINIMUM, resamples=_RESAMPLES)
        rows.append(_spliced(row, place, (_rounded(low, 1), _rounded(high, 1))))
    columns = _spliced(found.columns, place, ("score_low", "score_high"))
    return replace(found, columns=columns, rows=rows)


def _spliced(row: Sequence[Any], place: int, those: Sequence[Any]) -> tuple[Any, ...]:
    return (*row[:place], *those, *row[place + 1 :])


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
