"""The standard reports: SQL files with a period and a grouping."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from importlib.resources import files


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


_LOCAL = timedelta(hours=8)
"""China Standard Time, as ``local_at`` is: what is stored is UTC."""
_COLUMNS: Mapping[By, tuple[str, str]] = {
    By.TEAM: ("team", "team"),
    By.AGENT: ("agent, any_value(agent_name) AS agent_name", "agent"),
    By.HOUR: ("hour(local_at) AS hour", "hour(local_at)"),
    By.DAY: ("CAST(local_at AS DATE) AS day", "CAST(local_at AS DATE)"),
}


def report_sql(report: Report, by: By, since: date, until: date) -> str:
    """The SQL of a report over the local days from ``since`` to ``until``, both included."""
    text = files("warehouse").joinpath("reports", f"{report}.sql").read_text(encoding="utf-8")
    columns, group = _COLUMNS[by]
    first, after = (
        datetime.combine(day, time()) - _LOCAL for day in (since, until + timedelta(days=1))
    )
    period = f"invited_at >= TIMESTAMP '{first}' AND invited_at < TIMESTAMP '{after}'"
    return text.format(by=columns, group=group, name=by, period=period)
