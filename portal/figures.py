"""Figures for agents and supervisors: plain rows that pages and files share."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from portal.access import Person, Reach
from portal.ports import Store
from portal.records import days
from portal.sql import statement

LEAST_PARITY = 20
"""Calls, busy and idle each, under which the two are not compared."""
MY_DAYS = 30
_PRACTISE = 3
_MOST = 5_000
Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """A supervisor's figures of a period."""

    totals: dict[str, Any]
    hours: Rows
    rules: Rows
    agents: Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Mine:
    """An agent's own figures, beside the team's middle."""

    totals: dict[str, Any]
    trend: Rows
    rules: Rows
    practise: list[dict[str, Any]]
    """Rules that lost most points, each with a call where it failed and one where it did not."""


def overview(
    store: Store, reach: Reach, zone: ZoneInfo, since: date, until: date, team: str = ""
) -> Overview:
    """The figures of the days from ``since`` to ``until``, both included."""
    params: Mapping[str, object] = {
        "reach_team": reach.team,
        "team": team or None,
        **days(since, until, zone),
    }
    local = {**params, "offset": _offset(since, zone)}
    return Overview(
        totals=store.rows(statement("overview_totals"), local)[0],
        hours=store.rows(statement("overview_hours"), local),
        rules=store.rows(statement("overview_rules"), params),
        agents=store.rows(statement("overview_agents"), params, max_rows=_MOST),
    )


def mine(store: Store, person: Person, zone: ZoneInfo, now: datetime) -> Mine:
    """The last days of the agent that this person is."""
    since = (now - timedelta(days=MY_DAYS)).astimezone(zone).date()
    start = days(since, since, zone)["since"]
    own: dict[str, object] = {"agent": person.agent, "since": start}
    team = {**own, "team": person.team}
    rules = store.rows(statement("me_rules"), team)
    examples = {
        (row["rule"], row["status"]): row for row in store.rows(statement("me_examples"), own)
    }
    worst = [row for row in rules if row["lost"] > 0][:_PRACTISE]
    return Mine(
        totals=store.rows(statement("me_figures"), team)[0],
        trend=store.rows(statement("me_trend"), {**team, "offset": _offset(since, zone)}),
        rules=rules,
        practise=[
            {
                **row,
                "worst": examples.get((row["rule"], "fail")),
                "best": examples.get((row["rule"], "pass")),
            }
            for row in worst
        ],
    )


def _offset(day: date, zone: ZoneInfo) -> int:
    """Minutes that the zone is ahead of UTC on a day: the warehouse groups by local hour."""
    offset = datetime(day.year, day.month, day.day, 12, tzinfo=zone).utcoffset() or timedelta()
    return int(offset.total_seconds() // 60)
