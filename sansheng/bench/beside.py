"""SQLite filled with the rows of a warehouse and asked the same, for ``sansheng bench warehouse``.

It has what it wants for that: tables with only the columns that are asked for, times as numbers,
and an index on time. The reports read its calls: it has no days counted beforehand.
"""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from warehouse.store import Warehouse

_AT_ONCE = 100_000
"""Rows copied at once."""
_CACHE_KB = 1_000_000
_LOCAL_S = 8 * 3600
_PERIOD = "local_at >= :since AND local_at < :until"
REPORTS = {
    "three-rings": "SELECT agent, count(*), sum(answered_at IS NOT NULL AND ring_ms < 15000),"
    " avg(answered_at IS NOT NULL AND ring_ms < 15000), avg(ring_ms) FROM calls"
    f" WHERE {_PERIOD} AND ring_ms IS NOT NULL AND (answered_at IS NOT NULL OR ring_ms >= 15000)"
    " GROUP BY agent",
    "agents": "SELECT agent, count(*), count(answered_at), avg(score), sum(score * score),"
    f" avg(mos), sum(fails), sum(reviews), sum(veto) FROM calls WHERE {_PERIOD} GROUP BY agent",
    "busy-idle": "WITH slots AS (SELECT local_at / 3600 AS slot, count(*) AS many FROM calls"
    f" WHERE {_PERIOD} GROUP BY slot), edge AS (SELECT many FROM slots ORDER BY many"
    " LIMIT 1 OFFSET (SELECT count(*) * 3 / 4 FROM slots))"
    " SELECT agent, many >= (SELECT many FROM edge) AS busy, count(score), sum(score),"
    " sum(score * score), sum(mos), sum(mos * mos), sum(mos * score) FROM calls"
    f" JOIN slots ON slot = local_at / 3600 WHERE {_PERIOD} GROUP BY agent, busy",
    "noon-duty": "SELECT agent, CASE WHEN hour IN (12, 13) THEN 'noon' WHEN hour < 7 OR hour >= 20"
    " THEN 'night' ELSE 'rest' END AS part, count(*), count(answered_at) FROM"
    f" (SELECT *, local_at / 3600 % 24 AS hour FROM calls WHERE {_PERIOD}) GROUP BY agent, part",
    "violations": "SELECT agent, pattern, count(*) FROM calls JOIN verdicts USING (call_id)"
    f" WHERE {_PERIOD} GROUP BY agent, pattern",
}
"""The standard reports in SQLite's words; ``calibration`` reads few calls and is left out."""
TABLES = {
    "calls": (
        "(call_id TEXT PRIMARY KEY, agent TEXT, answered_at INTEGER, ring_ms INTEGER, score REAL,"
        " fails INTEGER, reviews INTEGER, veto INTEGER, mos REAL, local_at INTEGER)",
        "SELECT call_id, agent, epoch(answered_at)::BIGINT, ring_ms, score, fails, reviews, veto,"
        " mos, epoch(local_at)::BIGINT FROM v_calls",
    ),
    "verdicts": (
        "(call_id TEXT PRIMARY KEY, pattern INTEGER) WITHOUT ROWID",
        "SELECT call_id, pattern FROM verdicts",
    ),
    "utterances": (
        "(call_id TEXT, place INTEGER, channel TEXT, start_ms INTEGER, end_ms INTEGER, text TEXT,"
        " PRIMARY KEY (call_id, place)) WITHOUT ROWID",
        "SELECT * FROM utterances",
    ),
}


def ask_sqlite(
    store: Warehouse, copy: Path, start: datetime, days: int, month: int, *, word: str
) -> dict[str, Any]:
    """Fill ``copy`` and ask it; milliseconds, the reports of the last ``month`` days and of all."""
    with closing(sqlite3.connect(copy)) as database:
        began = time.perf_counter()
        calls = fill(store, database)
        filled = time.perf_counter() - began
        end = int((start + timedelta(days=days)).timestamp()) + _LOCAL_S

        def reports(back: int) -> dict[str, float]:
            period = {"since": end - back * 86_400, "until": end}
            return {
                name: _timed(lambda sql=sql: database.execute(sql, period).fetchall())  # type: ignore[misc]
                for name, sql in REPORTS.items()
            }

        (middle,) = database.execute(
            "SELECT call_id FROM calls ORDER BY local_at LIMIT 1 OFFSET ?", (calls // 2,)
        ).fetchone()

        def page() -> None:
            for table in TABLES:
                database.execute(f"SELECT * FROM {table} WHERE call_id = ?", (middle,)).fetchall()

        found = (
            "SELECT * FROM utterances JOIN calls USING (call_id) WHERE instr(text, ?)"
            " ORDER BY local_at DESC LIMIT 100"
        )
        return {
            "sqlite_fill_calls_per_s": round(calls / filled),
            "sqlite_file_mb": round(copy.stat().st_size / 1e6, 1),
            "sqlite_reports_ms": reports(month),
            "sqlite_reports_year_ms": reports(days),
            "sqlite_call_page_ms": _timed(page),
            "sqlite_search_ms": _timed(lambda: database.execute(found, (word,)).fetchall()),
        }


def fill(store: Warehouse, database: sqlite3.Connection) -> int:
    """Copy the rows in bulk, nothing made safe on the way; returns how many calls."""
    database.execute("PRAGMA journal_mode = OFF")
    database.execute("PRAGMA synchronous = OFF")
    database.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
    for table, (columns, rows) in TABLES.items():
        database.execute(f"CREATE TABLE {table} {columns}")
        with store.cursor() as cursor:
            cursor.execute(rows)
            while some := cursor.fetchmany(_AT_ONCE):
                marks = ", ".join("?" * len(some[0]))
                database.executemany(f"INSERT INTO {table} VALUES ({marks})", some)
    database.execute("CREATE INDEX calls_time ON calls (local_at)")
    database.commit()
    (calls,) = database.execute("SELECT count(*) FROM calls").fetchone()
    return int(calls)


def _timed(work: Callable[[], object]) -> float:
    """Warm: the second time counts."""
    work()
    began = time.perf_counter()
    work()
    return round((time.perf_counter() - began) * 1000, 1)
