"""Files of every earlier schema come up to date, and a kill in the middle changes nothing."""

from pathlib import Path

import pytest

from tests.peers.hotline import hand_over, stories
from warehouse.duck import Database
from warehouse.rows import insert
from warehouse.store import Warehouse, migrate, migrations


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
            " '2026-11-01')"
        )
        cursor.execute(
            "INSERT INTO items VALUES ('old', 'three_rings', 'pass', 10, 10, '守则12', NULL),"
            " ('old', 'greeting', 'fail', 0, 10, '守则10', NULL)"
        )
    database.close()


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
