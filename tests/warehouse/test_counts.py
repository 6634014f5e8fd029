"""Days counted beforehand never say anything else than their calls do, whatever happens to them."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calls.call import Call, Channel, EndedBy, EndReason, Mode, SideQuality
from calls.hit import Status
from calls.scorecard import Analysis, Item, Scorecard, Versions
from portal.states import keep
from portal.verdicts import Revised
from warehouse.duck import Cursor
from warehouse.reports import By, Report, report_sql
from warehouse.rows import call_rows, insert
from warehouse.settings import WarehouseSettings
from warehouse.store import Warehouse

FIRST, DAYS = date(2026, 11, 3), 5
LAST = FIRST + timedelta(days=DAYS - 1)
MIDNIGHT = datetime(2026, 11, 2, 16, tzinfo=UTC)
"""The first local day's beginning."""
LATER = datetime(2026, 12, 1, tzinfo=UTC)
AGENTS = ("1001", "1002", "2001")
NUMBERS = ("13800001111", "13800002222", "13800003333")
RULES = ("forbidden_phrase", "greeting", "three_rings")
TABLES = ("counted_days", "hour_counts", "agent_verdicts", "hour_verdicts")

statuses = st.sampled_from(Status)
scores = st.none() | st.integers(0, 1000).map(lambda tenths: tenths / 10)


@st.composite
def batches(draw: st.DrawFn) -> tuple[str, list[dict[str, Any]]]:
    """Calls that come in together, some at the very edges of a day."""
    edges = st.sampled_from([0, 1, 4 * 3600, 86_399]) | st.integers(0, 86_399)
    made = [
        {
            "agent": draw(st.sampled_from(AGENTS)),
            "caller": draw(st.sampled_from(NUMBERS)),
            "second": 86_400 * draw(st.integers(0, DAYS - 1)) + draw(edges),
            "ring_ms": draw(st.none() | st.sampled_from([1, 14_999, 15_000, 40_000])),
            "answered": draw(st.booleans()),
            "score": draw(scores),
            "mos": draw(st.none() | st.integers(100, 450).map(lambda m: m / 100)),
            "status": [draw(statuses) for _ in RULES],
        }
        for _ in range(draw(st.integers(1, 8)))
    ]
    return "ingest", made


steps = st.lists(
    st.one_of(
        batches(),
        batches(),
        st.tuples(st.just("rule"), st.integers(0, 99), scores, st.lists(statuses, min_size=3)),
        st.tuples(st.just("erase"), st.sampled_from(NUMBERS)),
        st.tuples(st.just("retain"), st.integers(0, DAYS)),
        st.tuples(st.just("roster"), st.sampled_from(AGENTS), st.sampled_from(["一班", "二班"])),
        st.tuples(st.just("count"), st.integers(1, DAYS)),
    ),
    min_size=4,
    max_size=10,
)


def handed_over(place: int, told: dict[str, Any]) -> tuple[Call, Analysis]:
    at = MIDNIGHT + timedelta(seconds=told["second"])
    call_id = f"call-{place:03}"
    items = tuple(
        Item(rule=rule, status=status, earned=5, weight=5, clause="守则12", veto=veto)
        for rule, status, veto in zip(RULES, told["status"], ("pending", None, None), strict=True)
    )
    call = Call(
        call_id=call_id,
        mode=Mode.IMPORT,
        agent=told["agent"],
        caller=told["caller"],
        called="12345",
        invited_at=at,
        answered_at=at + timedelta(seconds=6) if told["answered"] else None,
        ended_at=at + timedelta(seconds=90),
        ended_by=EndedBy.CALLER,
        end_reason=EndReason.BYE,
        quality=(SideQuality(channel=Channel.CALLER, mos=told["mos"]),),
    )
    versions = Versions(rules="1", phrasebook="1")
    card = Scorecard(
        call_id=call_id,
        score=told["score"],
        ring_ms=told["ring_ms"],
        rings=None,
        items=items,
        versions=versions,
    )
    return call, Analysis(scorecard=card)


class Hotline:
    """A warehouse, and what can happen to it."""

    def __init__(self, path: Path) -> None:
        self.warehouse = Warehouse.open(path)
        self.calls = 0
        self.clock = LATER

    def do(self, step: tuple[Any, ...]) -> None:
        getattr(self, step[0])(*step[1:])

    def ingest(self, batch: list[dict[str, Any]]) -> None:
        those = [handed_over(self.calls + n, told) for n, told in enumerate(batch)]
        self.calls += len(batch)
        rows = [call_rows(c, a, None, recording=None, now=LATER) for c, a in those]
        self.warehouse.write(lambda cursor: insert(cursor, rows))

    def rule(self, which: int, score: float | None, statuses: list[Status]) -> None:
        """Have people decide on a call, once more perhaps."""
        found = self.warehouse.rows("SELECT call_id FROM calls ORDER BY call_id")
        if not found:
            return
        call_id = found[which % len(found)]["call_id"]
        items = tuple(
            Item(rule=rule, status=status, earned=1, weight=5, clause="守则12")
            for rule, status in zip(RULES, statuses, strict=False)
        )
        revised = Revised(items=items, findings=(), score=score)
        self.clock += timedelta(minutes=1)

        def write(cursor: Cursor) -> None:
            cursor.execute(
                "INSERT INTO reviews (call_id, rule, reviewer, reviewed_at, decision, status,"
                " comment) VALUES ($id, 'greeting', 'qa', $now, 'overrule', 'pass', '')",
                {"id": call_id, "now": self.clock},
            )
            keep(cursor, call_id, "reviewed", revised, by="qa", now=self.clock)

        self.warehouse.write(write)

    def erase(self, number: str) -> None:
        self.warehouse.erase(number, "root", "request")

    def retain(self, days: int) -> None:
        periods = WarehouseSettings(scores_days=30)
        self.warehouse.retain(periods, MIDNIGHT + timedelta(days=30 + days, hours=5))

    def roster(self, agent: str, team: str) -> None:
        self.warehouse.write(
            lambda c: c.execute(
                "INSERT OR REPLACE INTO agents VALUES ($agent, $agent, $team)",
                {"agent": agent, "team": team},
            )
        )

    def count(self, days: int) -> None:
        self.warehouse.count_days(MIDNIGHT + timedelta(days=days, hours=1))


def answers(cursor: Cursor) -> dict[str, list[tuple[Any, ...]]]:
    """What every report says of all days, and of some of them."""
    periods = [(by, FIRST, LAST) for by in By]
    found = {}
    for report in Report:
        for by, first, last in [*periods, (By.AGENT, FIRST, FIRST + timedelta(days=1))]:
            cursor.execute(report_sql(report, by, first, last))
            found[f"{report} {by} {first} {last}"] = cursor.fetchall()
    return found


@contextmanager
def uncounted(warehouse: Warehouse) -> Iterator[Cursor]:
    """The warehouse as if no day were counted."""
    with warehouse.cursor() as cursor:
        cursor.execute("BEGIN")
        for table in TABLES:
            cursor.execute(f"DELETE FROM {table}")
        yield cursor
        cursor.execute("ROLLBACK")


def check(warehouse: Warehouse) -> None:
    """Counted and uncounted agree, and both agree with the views."""
    with warehouse.cursor() as cursor:
        counted = answers(cursor)
        agents_agree(cursor)
        verdicts_agree(cursor)
    with uncounted(warehouse) as cursor:
        assert counted == answers(cursor)


def agents_agree(cursor: Cursor) -> None:
    cursor.execute(
        "SELECT agent, count(*), count(answered_at), round(avg(final_score), 1),"
        " round(avg(score), 1), round(avg(mos), 2), sum(fails), sum(reviews),"
        " count(*) FILTER (veto) FROM v_calls GROUP BY agent ORDER BY agent"
    )
    wanted = cursor.fetchall()
    cursor.execute(report_sql(Report.AGENTS, By.AGENT, FIRST, LAST))
    kept = [i for i, name in enumerate(cursor.columns) if name not in ("agent_name", "scores")]
    found = [tuple(row[i] for i in kept) for row in cursor.fetchall()]
    # A mean that lies between two roundings may fall either way.
    near = [[pytest.approx(x, abs=0.101) if isinstance(x, float) else x for x in r] for r in wanted]
    assert [list(row) for row in found] == near
    cursor.execute(
        "SELECT agent, count(*), count(*) FILTER (in_time) FROM v_three_rings GROUP BY agent"
        " ORDER BY agent"
    )
    wanted = cursor.fetchall()
    cursor.execute(report_sql(Report.THREE_RINGS, By.AGENT, FIRST, LAST))
    assert [(row[0], *row[2:4]) for row in cursor.fetchall()] == wanted


def verdicts_agree(cursor: Cursor) -> None:
    for by, key in (("agent", "agent"), ("hour", "hour(local_at)")):
        cursor.execute(
            f"SELECT rule, {key}, count(*) FILTER (status = 'fail') AS fails,"
            " count(*) FILTER (status = 'review') AS reviews,"
            " count(*) FILTER (status IN ('pass', 'fail'))"
            " FROM v_items JOIN v_calls USING (call_id)"
            f" GROUP BY rule, {key} HAVING count(*) FILTER (status IN ('fail', 'review')) > 0"
        )
        wanted = set(cursor.fetchall())
        cursor.execute(report_sql(Report.VIOLATIONS, By(by), FIRST, LAST))
        names = ("rule", by, "fails", "reviews", "judged")
        kept = [cursor.columns.index(name) for name in names]
        assert {tuple(row[i] for i in kept) for row in cursor.fetchall()} == wanted


@settings(max_examples=10)
@given(steps)
def test_counted_days_say_what_their_calls_say(happens: list[tuple[Any, ...]]) -> None:
    with TemporaryDirectory() as root:
        hotline = Hotline(Path(root) / "s.duckdb")
        try:
            for place, step in enumerate(happens):
                hotline.do(step)
                if place % 2:
                    hotline.count(DAYS + 1)
            check(hotline.warehouse)
        finally:
            hotline.warehouse.close()


TOLD = {"agent": "1001", "caller": NUMBERS[0], "ring_ms": 5000, "answered": True, "mos": 4.1}


def days_of_calls(path: Path) -> Hotline:
    """A call a day, none counted yet."""
    hotline = Hotline(path)
    hotline.ingest(
        [
            {**TOLD, "second": 86_400 * day + 40_000, "score": 90.0, "status": [Status.FAIL] * 3}
            for day in range(DAYS)
        ]
    )
    return hotline


def counted(warehouse: Warehouse) -> list[date]:
    return [row["day"] for row in warehouse.rows("SELECT day FROM counted_days ORDER BY day")]


NEW = {**TOLD, "second": 86_400 + 5, "score": 50.0, "status": [Status.REVIEW] * 3}


@pytest.mark.parametrize(
    ("step", "left"),
    [
        (("ingest", [NEW]), [0, 2, 3]),
        (("rule", 1, 50.0, [Status.PASS] * 3), [0, 2, 3]),
        (("retain", 1), [1, 2, 3]),
        (("erase", NUMBERS[0]), []),
        (("roster", "1001", "二班"), [0, 1, 2, 3]),
    ],
)
def test_a_change_takes_the_days_of_its_calls_out(
    tmp_path: Path, step: tuple[Any, ...], left: list[int]
) -> None:
    hotline = days_of_calls(tmp_path / "s.duckdb")
    hotline.count(DAYS - 1)
    assert counted(hotline.warehouse) == [FIRST + timedelta(days=day) for day in range(DAYS - 1)]
    hotline.do(step)
    days = [FIRST + timedelta(days=day) for day in left]
    assert counted(hotline.warehouse) == days
    for table in TABLES[1:]:
        found = hotline.warehouse.rows(f"SELECT DISTINCT day FROM {table} ORDER BY day")
        assert [row["day"] for row in found] == days
    check(hotline.warehouse)
    hotline.warehouse.close()


def test_an_empty_warehouse_has_no_day_to_count(tmp_path: Path) -> None:
    warehouse = Warehouse.open(tmp_path / "s.duckdb")
    assert warehouse.count_days(LATER) == 0
    warehouse.close()


def test_a_call_of_a_wrong_clock_is_read_and_not_counted(tmp_path: Path) -> None:
    hotline = days_of_calls(tmp_path / "s.duckdb")
    hotline.ingest([{**NEW, "second": -86_400 * 20_000}])
    hotline.count(DAYS)
    assert counted(hotline.warehouse)[0] == date(2016, 11, 7)
    long_ago = FIRST - timedelta(days=20_000)
    sql = report_sql(Report.AGENTS, By.AGENT, long_ago, LAST)
    assert [row["calls"] for row in hotline.warehouse.rows(sql)] == [DAYS + 1]
    hotline.warehouse.close()


def test_a_long_time_is_counted_in_several_turns(tmp_path: Path) -> None:
    hotline = days_of_calls(tmp_path / "s.duckdb")
    turns = []
    while done := hotline.warehouse.count_days(LATER):
        turns.append(done)
    assert turns == [7, 7, 7, 7]
    assert counted(hotline.warehouse)[-1] == date(2026, 11, 30)
    hotline.warehouse.close()


CHILD = """
import os, signal, sys
from datetime import datetime
from pathlib import Path
from warehouse.duck import Cursor
from warehouse.store import Warehouse

warehouse = Warehouse.open(Path(sys.argv[1]))
step, when = sys.argv[2], sys.argv[3]
execute = Cursor.execute

def killing(cursor, sql, params=None):
    if step in sql and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    done = execute(cursor, sql, params)
    if step in sql and when == "after":
        os.kill(os.getpid(), signal.SIGKILL)
    return done

Cursor.execute = killing
warehouse.count_days(datetime.fromisoformat(sys.argv[4]))
"""


@pytest.mark.parametrize(
    ("step", "when", "kept"),
    [
        ("INSERT INTO agent_verdicts", "before", 0),
        ("INSERT INTO counted_days", "before", 0),
        ("INSERT INTO counted_days", "after", 0),
        ("COMMIT", "before", 0),
        ("COMMIT", "after", DAYS),
    ],
)
def test_a_kill_leaves_days_counted_or_not(tmp_path: Path, step: str, when: str, kept: int) -> None:
    path = tmp_path / "s.duckdb"
    days_of_calls(path).warehouse.close()
    now = (MIDNIGHT + timedelta(days=DAYS)).isoformat()
    killed = subprocess.run([sys.executable, "-c", CHILD, str(path), step, when, now], check=False)
    assert killed.returncode == -signal.SIGKILL
    hotline = Hotline(path)
    assert len(counted(hotline.warehouse)) == kept
    check(hotline.warehouse)
    hotline.count(DAYS)
    assert len(counted(hotline.warehouse)) == DAYS
    check(hotline.warehouse)
    hotline.warehouse.close()
