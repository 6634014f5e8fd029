"""Figures: an agent's own page, the supervisor's overview, and the same in Excel."""

from datetime import date, timedelta
from typing import Annotated, Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from fastapi import Query, Request
from starlette.responses import Response

from calls.masks import mask_number
from portal.access import AGENTS, STAFF, Gate
from portal.desk import desk_of, page, person_of, words_of
from portal.errors import RefusalError
from portal.figures import LEAST_PARITY, MY_DAYS, Overview, mine, overview
from portal.pages.calls import Day, Text, wanted
from portal.records import Filter, calls_page, day_of, teams
from portal.words import Words
from portal.workbook import MEDIA_TYPE, Sheet, workbook
from warehouse.pdf import Section, document

_MOST_ROWS = 20_000
_LATEST = 8
PDF = "application/pdf"
Month = Annotated[str, Query(pattern=r"^\d{4}-\d{2}$")]
_LONGEST_PERIOD = timedelta(days=400)


def add(gate: Gate) -> None:
    """Add the routes of this module."""
    gate.add("GET", "/me", me, AGENTS)
    gate.add("GET", "/overview", overview_page, STAFF)
    gate.add("GET", "/overview.xlsx", overview_file, STAFF)
    gate.add("GET", "/monthly.xlsx", monthly_file, STAFF)
    gate.add("GET", "/monthly.pdf", monthly_pdf, STAFF)
    gate.add("GET", "/calls.xlsx", calls_file, STAFF)


def me(request: Request) -> Response:
    """An agent's trend, rules, what to practise, and latest calls."""
    desk, person = desk_of(request), person_of(request)
    zone = ZoneInfo(desk.settings.time_zone)
    found = mine(desk.store, person, zone, desk.clock())
    t = words_of(request)
    context = {
        "mine": found,
        "days": MY_DAYS,
        "found": calls_page(
            desk.store, person.reach, Filter(), zone, now=desk.clock(), many=_LATEST
        ),
        "own": True,
        "chart": {
            "trend": {
                "days": [row["day"].isoformat() for row in found.trend],
                "mine": [_rounded(row["mine"]) for row in found.trend],
                "team": [_rounded(row["team"]) for row in found.trend],
            },
            "rules": {
                "names": [t.name("rule", row["rule"]) for row in found.rules],
                "mine": [_rounded(row["mine"], 3) for row in found.rules],
                "team": [_rounded(row["team"], 3) for row in found.rules],
            },
            "words": {"mine": t("me.mine"), "team": t("me.team")},
        },
    }
    return page(request, "me.html", context)


def period(request: Request, since: str, until: str) -> tuple[date, date, ZoneInfo]:
    """The days asked for; by default the last seven."""
    desk = desk_of(request)
    zone = ZoneInfo(desk.settings.time_zone)
    last = day_of(until) or desk.clock().astimezone(zone).date()
    first = day_of(since) or last - timedelta(days=6)
    if first > last or last - first > _LONGEST_PERIOD:
        raise RefusalError(422, "bad_request")
    return first, last, zone


def overview_page(request: Request, since: Day = "", until: Day = "", team: Text = "") -> Response:
    """Three-ring rate, answers, violations, heat map, agents, busy against idle."""
    desk, person = desk_of(request), person_of(request)
    first, last, zone = period(request, since, until)
    found = desk.figures.get(
        (person.reach, first, last, team),
        lambda: overview(desk.store, person.reach, zone, first, last, team),
    )
    t = words_of(request)
    hours = sorted({row["hour"] for row in found.hours})
    context = {
        "since": first,
        "until": last,
        "team": team,
        "teams": teams(desk.store, person.reach),
        "view": found,
        "least": LEAST_PARITY,
        "month": f"{last:%Y-%m}",
        "team_query": quote(team),
        "query": f"since={first}&until={last}&team={quote(team)}",
        "chart": {
            "hours": {
                "names": [t("overview.hour", hour=hour) for hour in hours],
                "calls": [_of_hour(found, hour, "calls") for hour in hours],
                "rate": [_rate_of_hour(found, hour) for hour in hours],
            },
            "rules": {
                "names": [t.name("rule", r["rule"]) for r in found.rules if r["fails"]],
                "fails": [r["fails"] for r in found.rules if r["fails"]],
            },
            "heat": [
                [row["hour"], row["weekday"] - 1, _share(row), row["calls"]] for row in found.hours
            ],
            "weekdays": [t(f"overview.weekday{day}") for day in range(1, 8)],
            "words": {
                "calls": t("overview.calls"),
                "rate": t("overview.three"),
                "fails": t("overview.fails"),
                "target": t("overview.target"),
            },
        },
    }
    return page(request, "overview.html", context)


def overview_file(request: Request, since: Day = "", until: Day = "", team: Text = "") -> Response:
    """The overview as an Excel file; the download is in the audit log."""
    desk, person = desk_of(request), person_of(request)
    first, last, zone = period(request, since, until)
    found = overview(desk.store, person.reach, zone, first, last, team)
    body = workbook(_overview_sheets(found, words_of(request)), zone)
    desk.store.audit(person.user_id, "export", "overview", {"from": str(first), "to": str(last)})
    return _attachment(body, f"overview-{first}-{last}.xlsx")


def monthly_file(request: Request, month: Month, team: Text = "") -> Response:
    """A month's report as an Excel file: its figures beside the month's before, then the tables."""
    zone = ZoneInfo(desk_of(request).settings.time_zone)
    body = workbook(_monthly_sheets(request, month, team, zone), zone)
    return _attachment(body, f"monthly-{month}.xlsx")


def monthly_pdf(request: Request, month: Month, team: Text = "") -> Response:
    """The same as a PDF, to print and to hand on."""
    zone = ZoneInfo(desk_of(request).settings.time_zone)
    sections = [
        Section(title=title, columns=heads, rows=[list(row) for row in rows])
        for title, heads, rows in _monthly_sheets(request, month, team, zone)
    ]
    title = words_of(request)("overview.monthly")
    first = month_of(month)
    period = f"{first} – {next_month(first) - timedelta(days=1)}" + (f" · {team}" if team else "")
    return _attachment(document(title, period, sections), f"monthly-{month}.pdf", PDF)


def _monthly_sheets(request: Request, month: str, team: str, zone: ZoneInfo) -> list[Sheet]:
    """The tables of a month; taking them is in the audit log."""
    desk, person, t = desk_of(request), person_of(request), words_of(request)
    first = month_of(month)
    last = next_month(first) - timedelta(days=1)
    before = (first - timedelta(days=1)).replace(day=1)
    now = overview(desk.store, person.reach, zone, first, last, team)
    then = overview(desk.store, person.reach, zone, before, first - timedelta(days=1), team)
    _, *tables = _overview_sheets(now, t)
    heads = [t("overview.monthly"), f"{first:%Y-%m}", f"{before:%Y-%m}"]
    figures = [
        (name, value, earlier)
        for (name, value), (_, earlier) in zip(_totals(now, t), _totals(then, t), strict=True)
    ]
    desk.store.audit(person.user_id, "export", "monthly", {"month": month})
    return [(t("overview.monthly"), heads, figures), *tables]


def month_of(text: str) -> date:
    """The first day of a month written ``YYYY-MM``; anything else is refused (422)."""
    first = day_of(f"{text}-01")
    if first is None:
        raise RefusalError(422, "bad_request")
    return first


def next_month(first: date) -> date:
    """The first day of the month after."""
    return (first + timedelta(days=31)).replace(day=1)


def calls_file(
    request: Request,
    agent: Text = "",
    team: Text = "",
    rule: Text = "",
    show: Text = "",
    since: Day = "",
    until: Day = "",
) -> Response:
    """The filtered list of calls as an Excel file; too many rows are refused, not cut off."""
    desk, person = desk_of(request), person_of(request)
    zone = ZoneInfo(desk.settings.time_zone)
    asked = wanted(agent, team, rule, show, since, until)
    found = calls_page(desk.store, person.reach, asked, zone, now=desk.clock(), many=_MOST_ROWS)
    if found.next:
        raise RefusalError(422, "too_many_rows", rows=str(_MOST_ROWS))
    t = words_of(request)
    heads = [t(f"calls.{k}") for k in ("when", "agent", "team", "caller", "rings", "score")]
    heads += [t("call.automatic"), t("overview.fails"), t("status.review"), "call_id"]
    rows = [
        (
            row["invited_at"],
            row["agent_name"] or row["agent"],
            row["team"],
            mask_number(row["caller"]),
            row["ring_ms"] / 1000 if row["ring_ms"] is not None else None,
            row["final_score"],
            row["score"],
            row["fails"],
            row["reviews"],
            row["call_id"],
        )
        for row in found.rows
    ]
    body = workbook([(t("calls.title"), heads, rows)], zone)
    desk.store.audit(person.user_id, "export", "calls", {"rows": len(rows)})
    return _attachment(body, "calls.xlsx")


def _attachment(body: bytes, name: str, media_type: str = MEDIA_TYPE) -> Response:
    return Response(
        body,
        media_type=media_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _totals(found: Overview, t: Words) -> list[tuple[str, Any]]:
    keys = ("calls", "answered", "three", "answer", "score", "fails", "vetoes", "noon", "rest")
    columns = {"three": "three_rings", "answer": "answer_rate"}
    return [(t(f"overview.{key}"), found.totals[columns.get(key, key)]) for key in keys]


def _overview_sheets(found: Overview, t: Words) -> list[Sheet]:
    agent_heads = [t("overview.by_agent"), t("overview.by_team")]
    agent_heads += [t(f"overview.{k}") for k in ("calls", "three", "score", "fails", "vetoes")]
    agent_heads += [t("overview.busy"), t("overview.idle")]
    agent_keys = ("calls", "three_rings", "score", "fails", "vetoes", "busy_score", "idle_score")
    return [
        (t("overview.title"), [t("overview.title"), ""], _totals(found, t)),
        (
            t("overview.by_agent"),
            agent_heads,
            [
                (r["agent_name"] or r["agent"], r["team"], *(r[k] for k in agent_keys))
                for r in found.agents
            ],
        ),
        (
            t("overview.violations"),
            [t("call.rule"), t("overview.fails"), t("status.review"), t("overview.calls")],
            [
                (t.name("rule", r["rule"]), r["fails"], r["reviews"], r["judged"])
                for r in found.rules
            ],
        ),
        (
            t("overview.by_hour"),
            ["", "", t("overview.calls"), t("overview.answered"), t("overview.three")],
            [
                (
                    t(f"overview.weekday{r['weekday']}"),
                    r["hour"],
                    r["calls"],
                    r["answered"],
                    _share(r),
                )
                for r in found.hours
            ],
        ),
    ]


def _of_hour(found: Overview, hour: int, key: str) -> int:
    return sum(row[key] for row in found.hours if row["hour"] == hour)


def _rate_of_hour(found: Overview, hour: int) -> float | None:
    judged = _of_hour(found, hour, "judged")
    return round(_of_hour(found, hour, "in_time") / judged, 4) if judged else None


def _share(row: dict[str, Any]) -> float | None:
    return round(row["in_time"] / row["judged"], 4) if row["judged"] else None


def _rounded(value: float | None, places: int = 1) -> float | None:
    return None if value is None else round(value, places)
