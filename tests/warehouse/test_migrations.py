"""Files of every earlier schema come up to date, and a kill in the middle changes nothing."""

import signal
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from tests.peers.hotline import hand_over, stories
from warehouse.duck import Database
from warehouse.reports import By, Report, report_sql
from warehouse.rows import insert
from warehouse.store import Warehouse, migrate, migrations

LONG_AFTER = datetime(2026, 12, 1, tzinfo=UTC)
WITH_LINE = 5
"""The schema whose calls have the quality of their line."""
# Kills itself in one of the steps that bring a file of schema 1 up to date, before or after it.
CHILD = """
import os, signal, sys
from pathlib import Path
from warehouse.duck import Cursor
from warehouse.store import Warehouse

path, step, when, which = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
execute, seen = Cursor.execute, 0

def killing(cursor, sql, params=None):
    global seen
    seen += step in sql
    if seen == which and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    done = execute(cursor, sql, params)
    if seen == which and when == "after":
        os.kill(os.getpid(), signal.SIGKILL)
    return done

Cursor.execute = killing
Warehouse.open(path)
"""


def older(path: Path, version: int) -> None:
    """A file as the Sansheng of ``version`` left it, with one call of its time."""
    database = Database(path)
    with database.transaction() as cursor:
        cursor.execute(
            "CREATE TABLE schema_version"
            " (version INTEGER PRIMARY KEY, applied_at TIMESTAMP NOT NULL)"
        )
        for number, sql in enumerate(migrations()[:version], start=1):
            cursor.execute(sql)
            cursor.execute(
                "INSERT INTO schema_version VALUES ($version, '2026-11-01')", {"version": number}
            )
        cursor.execute(
            "INSERT INTO calls VALUES ('old', 'import', '1001', '', '', '2026-11-01', NULL, NULL,"
            " '2026-11-01', 'caller', 'bye', 1, 1, 1, 50, 1, 0, false, NULL, '1', '1', '', '',"
            f" '2026-11-01'{', NULL' if version >= WITH_LINE else ''})"
        )
        cursor.execute(
            "INSERT INTO items VALUES ('old', 'three_rings', 'pass', 10, 10, '守则12', NULL),"
            " ('old', 'greeting', 'fail', 0, 10, '守则10', NULL)"
        )
    database.close()


def every_report(warehouse: Warehouse) -> list[list[dict[str, object]]]:
    """What each report says of the time of these calls."""
    first, last = date(2026, 11, 1), date(2026, 11, 30)
    return [warehouse.rows(report_sql(report, By.AGENT, first, last)) for report in Report]


@pytest.mark.parametrize("version", range(1, len(migrations()) + 1))
def test_an_older_file_comes_up_to_date_with_its_calls(tmp_path: Path, version: int) -> None:
    path = tmp_path / "s.duckdb"
    older(path, version)
    warehouse = Warehouse.open(path)
    try:
        assert warehouse.rows("SELECT max(version) AS v FROM schema_version") == [
            {"v": len(migrations())}
        ]
        assert warehouse.rows("SELECT count(*) AS n FROM v_calls") == [{"n": 1}]
        if version == 1:
            assert warehouse.rows(
                "SELECT rule, status FROM v_verdicts JOIN v_patterns USING (pattern) ORDER BY rule"
            ) == [
                {"rule": "greeting", "status": "fail"},
                {"rule": "three_rings", "status": "pass"},
            ]
        warehouse.ingest(hand_over(stories()[0], tmp_path / "analysed"), tmp_path / "archive")
        assert warehouse.rows("SELECT count(*) AS n FROM v_calls") == [{"n": 2}]
        by_the_call = every_report(warehouse)
        while warehouse.count_days(LONG_AFTER):
            pass
        assert warehouse.rows("SELECT sum(calls) AS n FROM hour_counts") == [{"n": 2}]
        assert every_report(warehouse) == by_the_call
    finally:
        warehouse.close()


def test_a_migration_that_fails_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s.duckdb"
    older(path, 1)
    broken = [*migrations()[:1], "CREATE TABLE half (a INTEGER); INSERT INTO nowhere VALUES (1)"]
    database = Database(path)
    try:
        with monkeypatch.context() as patched:
            patched.setattr("warehouse.store.migrations", lambda: broken)
            with pytest.raises(Exception, match="nowhere"):
                migrate(database)
        with database.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'half'")
            assert cursor.fetchall() == [(0,)]
        assert migrate(database) == len(migrations())
        with database.transaction() as cursor:
            insert(cursor, [])
    finally:
        database.close()


@pytest.mark.parametrize(
    ("step", "when", "which"),
    [
        ("CREATE TABLE", "before", 2),
        ("CREATE TABLE", "after", 2),
        ("INSERT INTO schema_version", "before", 1),
        ("INSERT INTO schema_version", "after", 2),
        ("COMMIT", "before", 2),
        *(("COMMIT", "after", which) for which in range(1, len(migrations()) + 1)),
    ],
)
def test_a_kill_in_a_migration_is_finished_by_the_next_start(
    tmp_path: Path, step: str, when: str, which: int
) -> None:
    path = tmp_path / "s.duckdb"
    older(path, 1)
    killed = subprocess.run(
        [sys.executable, "-c", CHILD, str(path), step, when, str(which)], check=False
    )
    assert killed.returncode == -signal.SIGKILL
    warehouse = Warehouse.open(path)
    try:
        versions = warehouse.rows("SELECT version FROM schema_version ORDER BY version")
        assert [row["version"] for row in versions] == list(range(1, len(migrations()) + 1))
        assert warehouse.rows("SELECT call_id, pattern FROM verdicts") == [
            {"call_id": "old", "pattern": 1}
        ]
        warehouse.ingest(hand_over(stories()[0], tmp_path / "analysed"), tmp_path / "archive")
        assert warehouse.rows("SELECT count(*) AS n FROM v_calls") == [{"n": 2}]
    finally:
        warehouse.close()
