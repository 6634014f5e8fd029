"""SQLite beside the warehouse is asked the same: it answers the same."""

import sqlite3
from collections import Counter
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

from sansheng.bench.beside import REPORTS, ask_sqlite, fill
from sansheng.bench.synthetic import insert_calls
from warehouse.reports import By, Report, report_sql
from warehouse.store import Warehouse

CALLS, DAYS = 3000, 10
START = datetime(2026, 10, 31, 16, tzinfo=UTC)
FIRST, LAST = date(2026, 11, 1), date(2026, 11, 10)
PERIOD = {
    "since": START.timestamp() + 8 * 3600,
    "until": START.timestamp() + 8 * 3600 + DAYS * 86_400,
}


def test_sqlite_answers_the_same(tmp_path: Path) -> None:
    store = Warehouse.open(tmp_path / "s.duckdb")
    store.write(lambda cursor: insert_calls(cursor, CALLS, START, DAYS))

    def ours(report: Report) -> list[tuple[object, ...]]:
        rows = store.rows(report_sql(report, By.AGENT, FIRST, LAST))
        return [tuple(row.values()) for row in rows]

    with closing(sqlite3.connect(tmp_path / "s.sqlite")) as database:
        assert fill(store, database) == CALLS
        theirs = {
            name: sorted(database.execute(sql, PERIOD).fetchall()) for name, sql in REPORTS.items()
        }
    rings = [(row[0], *row[2:4]) for row in ours(Report.THREE_RINGS)]
    assert [row[:3] for row in theirs["three-rings"]] == rings
    assert [row[:3] for row in theirs["agents"]] == [
        (row[0], *row[2:4]) for row in ours(Report.AGENTS)
    ]
    assert [row[:4] for row in theirs["noon-duty"]] == [
        (row[0], *row[2:5]) for row in ours(Report.NOON_DUTY)
    ]
    assert sum(row[2] for row in theirs["violations"]) == CALLS
    loads: Counter[bool] = Counter()
    for _, busy, scored, *_ in theirs["busy-idle"]:
        loads[bool(busy)] += scored
    assert sum(loads.values()) == CALLS
    assert loads[True] > 0
    figures = ask_sqlite(store, tmp_path / "b.sqlite", START, DAYS, 3, word="社保卡")
    store.close()
    assert set(figures["sqlite_reports_ms"]) == set(REPORTS)
