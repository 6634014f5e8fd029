"""Days counted beforehand, so that a report over years adds up hours and not calls.

What a counted day holds is SQL of the migrations (``fresh_hours`` and its like); here is when a day
is counted, and that it no longer is once a call of it changes. Reports then read its calls.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Protocol

from warehouse.duck import Database

LOCAL = timedelta(hours=8)
"""China Standard Time, as ``local_at`` is: what is stored is UTC."""
_TABLES = (
    ("hour_counts", "fresh_hours"),
    ("agent_verdicts", "fresh_agent_verdicts"),
    ("hour_verdicts", "fresh_hour_verdicts"),
)
"""A table of counts, and what fills it."""
_DAYS = 7
"""Days counted in one transaction: bounds how long writers wait."""
_OLDEST = timedelta(days=3653)
"""Days before ten years ago stay uncounted: a wrong clock must not make a million days to count."""


class Statements(Protocol):
    """A cursor inside a transaction, as the portal knows it too."""

    def execute(self, sql: str, params: Mapping[str, object] | None = None) -> Any:
        """Run a statement with ``$name`` parameters."""
        ...

    def fetchall(self) -> list[tuple[Any, ...]]:
        """The rows of the last statement."""
        ...


def count_days(database: Database, now: datetime) -> int:
    """Count the earliest days before today that are not counted, up to a week of them.

    Returns how many were counted: none when nothing is left to do. One transaction: a kill leaves
    all of them counted or none.
    """
    today = _local_day(now)
    with database.transaction() as cursor:
        cursor.execute(
            "SELECT day FROM uncounted((SELECT CASE WHEN min(invited_at) IS NOT NULL THEN"
            " greatest((min(invited_at) + INTERVAL 8 HOUR)::DATE, $oldest::DATE) END FROM calls),"
            " $last::DATE) ORDER BY day",
            {"oldest": today - _OLDEST, "last": today - timedelta(days=1)},
        )
        days = [day for (day,) in cursor.fetchall()]
        week = [day for day in days if day - days[0] < timedelta(days=_DAYS)]
        if week:
            period = f"DATE '{week[0]}', DATE '{week[-1]}'"
            for table, source in _TABLES:
                cursor.execute(f"INSERT INTO {table} SELECT * FROM {source}({period})")
            cursor.execute(f"INSERT INTO counted_days SELECT day FROM uncounted({period})")
    return len(week)


def uncount_moments(cursor: Statements, moments: Iterable[datetime]) -> None:
    """Drop the counts of the days of these moments: call it with whatever adds a call.

    Within the caller's transaction, as are all of these.
    """
    _uncount(cursor, {_local_day(moment) for moment in moments})


def uncount_calls(cursor: Statements, call_ids: Collection[str]) -> None:
    """Drop the counts of these calls' days: call it with whatever changes or takes a call."""
    if not call_ids:
        return
    # Only a list of values in the statement itself is looked up in the index.
    listed = ", ".join("'" + call_id.replace("'", "''") + "'" for call_id in call_ids)
    cursor.execute(
        "SELECT DISTINCT (invited_at + INTERVAL 8 HOUR)::DATE FROM calls"
        f" WHERE call_id IN ({listed})"
    )
    _uncount(cursor, {day for (day,) in cursor.fetchall()})


def _uncount(cursor: Statements, days: Collection[date]) -> None:
    if not days:
        return
    listed = ", ".join(f"DATE '{day}'" for day in sorted(days))
    cursor.execute(f"DELETE FROM counted_days WHERE day IN ({listed}) RETURNING day")
    if cursor.fetchall():
        for table, _ in _TABLES:
            cursor.execute(f"DELETE FROM {table} WHERE day IN ({listed})")


def _local_day(moment: datetime) -> date:
    """The local day of an aware moment."""
    return (moment.astimezone(UTC) + LOCAL).date()
