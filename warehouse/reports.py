"""The standard reports: SQL files with a period and a grouping."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from importlib.resources import files

from warehouse.counts import LOCAL


class Report(StrEnum):
    """A standard report; its SQL is ``warehouse/reports/NAME.sql``."""

    THREE_RINGS = "three-rings"
    VIOLATIONS = "violations"
    AGENTS = "agents"
    BUSY_IDLE = "busy-idle"
    NOON_DUTY = "noon-duty"
    CALIBRATION = "calibration"


class By(StrEnum):
    """What a report has a row for."""

    TEAM = "team"
    AGENT = "agent"
    HOUR = "hour"
    DAY = "day"


_COLUMNS: Mapping[By, tuple[str, str]] = {
    By.TEAM: ("team", "team"),
    By.AGENT: ("agent, any_value(agent_name) AS agent_name", "agent"),
    By.HOUR: ("hour(local_at) AS hour", "hour(local_at)"),
    By.DAY: ("CAST(local_at AS DATE) AS day", "CAST(local_at AS DATE)"),
}


_AGENTS_DAYS = (
    "(SELECT v.*, v.day::TIMESTAMP AS local_at, a.name AS agent_name, a.team"
    " FROM agent_verdicts v LEFT JOIN agents a USING (agent) WHERE day BETWEEN {first} AND {last})"
)
_HOURS = "(SELECT * FROM hour_verdicts WHERE day BETWEEN {first} AND {last})"


def report_sql(report: Report, by: By, since: date, until: date) -> str:
    """The SQL of a report over the local days from ``since`` to ``until``, both included."""
    text = files("warehouse").joinpath("reports", f"{report}.sql").read_text(encoding="utf-8")
    columns, group = _COLUMNS[by]
    begin, end = (
        datetime.combine(day, time()) - LOCAL for day in (since, until + timedelta(days=1))
    )
    first, last = f"DATE '{since}'", f"DATE '{until}'"
    return text.format(
        by=columns,
        group=group,
        name=by,
        days=f"{first}, {last}",
        counted=(_HOURS if by is By.HOUR else _AGENTS_DAYS).format(first=first, last=last),
        period=f"invited_at >= TIMESTAMP '{begin}' AND invited_at < TIMESTAMP '{end}'",
    )
