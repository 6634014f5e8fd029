"""What the reports say of people, with how surely: intervals, a minimum of calls, the line beside.

The one place where the warehouse's counts meet scoring's bootstrap.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from scoring.fairness import Lines, Load, Scores, mean_interval, parity
from warehouse.query import Result
from warehouse.reports import Report

MINIMUM = 20
"""Calls (busy and idle, each) under which nothing is compared and no interval is given."""
_COUNTED = ("busy", "scores", "lines")
_PARITY = (
    *("busy_calls", "idle_calls", "busy_score", "idle_score", "difference", "difference_low"),
    *("difference_high", "line_difference", "adjusted"),
)
_NONE = Load(scores=Scores(0, 0, 0, 0, 0), lines=Lines(0, 0, 0, 0, 0))


def with_intervals(report: Report, found: Result) -> Result:
    """A report's rows with what fairness asks for; reports that compare nobody stay as they are."""
    if report is Report.BUSY_IDLE:
        return _parity(found)
    if report is Report.AGENTS:
        return _scores(found)
    return found


def _parity(found: Result) -> Result:
    """Busy against idle: a row a group from its rows a load."""
    many = len(found.columns) - len(_COUNTED)
    groups: dict[tuple[Any, ...], dict[bool, Load]] = {}
    for row in found.rows:
        busy, scores, lines = row[many:]
        loads = groups.setdefault(tuple(row[:many]), {})
        loads[busy] = Load(scores=Scores(*scores), lines=Lines(*lines))
    rows = [
        (*group, *_told(loads.get(True, _NONE), loads.get(False, _NONE)))
        for group, loads in groups.items()
    ]
    return Result(columns=(*found.columns[:many], *_PARITY), rows=rows, truncated=found.truncated)


def _told(busy: Load, idle: Load) -> tuple[Any, ...]:
    one = parity(busy, idle, minimum=MINIMUM)
    return (
        busy.scores.many,
        idle.scores.many,
        _rounded(busy.scores.mean, 1),
        _rounded(idle.scores.mean, 1),
        _rounded(one.difference, 1),
        _rounded(one.low, 1),
        _rounded(one.high, 1),
        _rounded(one.mos_difference, 2),
        _rounded(one.adjusted, 1),
    )


def _scores(found: Result) -> Result:
    """Mean scores with their intervals."""
    place = found.columns.index("scores")
    rows = []
    for row in found.rows:
        low, high = mean_interval(Scores(*row[place]), minimum=MINIMUM)
        rows.append(_spliced(row, place, (_rounded(low, 1), _rounded(high, 1))))
    columns = _spliced(found.columns, place, ("score_low", "score_high"))
    return replace(found, columns=columns, rows=rows)


def _spliced(row: Sequence[Any], place: int, those: Sequence[Any]) -> tuple[Any, ...]:
    return (*row[:place], *those, *row[place + 1 :])


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
