"""The warehouse on a real DuckDB file: ingest once, whatever is killed; audit; second owner."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from calls.codec import write_record
from calls.errors import HandoverError, RecordingError, WarehouseError
from calls.handover import ANALYSIS_FILE, RECORDING_FILE, Spool
from tests.peers.hotline import hand_over, scorecard, stories
from warehouse.duck import Cursor
from warehouse.store import Warehouse, migrate, migrations


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    opened = Warehouse.open(tmp_path / "data" / "sansheng.duckdb")
    yield opened
    opened.close()


def folder_of(tmp_path: Path, place: int = 0) -> Path:
    return hand_over(stories()[place], tmp_path / "analysed")


def test_a_call_goes_in_whole_and_its_folder_goes(warehouse: Warehouse, tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    assert warehouse.ingest(folder, tmp_path / "archive") is True
    assert not folder.exists()
    stored = warehouse.stored("call-00")
    assert stored is not None
    assert stored.analysis.scorecard == scorecard(stories()[0])
    assert stored.transcript is not None
    assert len(stored.transcript.utterances) == 5
    assert stored.recording is not None
    assert stored.recording.read_bytes()[:4] == b"RIFF"
    row = warehouse.rows("SELECT * FROM v_calls")[0]
    assert (row["score"], row["fails"], row["veto"]) == (85.0, 1, True)
    assert row["invited_at"] == stories()[0].at
    assert (row["local_at"] - row["invited_at"]).total_seconds() == 8 * 3600


def test_the_same_call_again_changes_nothing(warehouse: Warehouse, tmp_path: Path) -> None:
    warehouse.ingest(folder_of(tmp_path), tmp_path / "archive")
    assert warehouse.ingest(folder_of(tmp_path), tmp_path / "archive") is False
    counts = warehouse.rows(
        "SELECT (SELECT count(*) FROM calls) AS calls, (SELECT count(*) FROM findings) AS findings"
    )
    assert counts == [{"calls": 1, "findings": 1}]


def test_a_kill_after_the_wav_moved_is_finished_next_time(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    folder, archive = folder_of(tmp_path), tmp_path / "archive"
    target = archive / "2026" / "11" / "24" / "call-00.wav"
    target.parent.mkdir(parents=True)
    (folder / RECORDING_FILE).rename(target)
    assert warehouse.ingest(folder, archive) is True
    stored = warehouse.stored("call-00")
    assert stored is not None
    assert stored.recording is not None


def test_a_missing_recording_is_told_and_nothing_goes_in(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    folder = folder_of(tmp_path)
    (folder / RECORDING_FILE).unlink()
    with pytest.raises(RecordingError, match="no recording"):
        warehouse.ingest(folder, tmp_path / "archive")
    assert folder.exists()
    assert warehouse.stored("call-00") is None


def test_a_broken_analysis_is_a_handover_error(warehouse: Warehouse, tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    (folder / ANALYSIS_FILE).write_text("{")
    with pytest.raises(HandoverError):
        warehouse.ingest(folder, tmp_path / "archive")
    write_record(folder / ANALYSIS_FILE, {"scorecard": 1})
    with pytest.raises(HandoverError):
        warehouse.ingest(folder, tmp_path / "archive")


def test_what_ingest_leaves_behind_after_a_kill_is_swept(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    grave = tmp_path / "spool" / "analysed" / ".call-00.1.gone"
    grave.mkdir()
    assert spool.sweep() == 1


def test_a_second_owner_is_refused_with_the_first_ones_process(
    warehouse: Warehouse,
) -> None:
    script = (
        "import sys; from pathlib import Path; from warehouse.store import Warehouse\n"
        "from calls.errors import WarehouseError\n"
        "try: Warehouse.open(Path(sys.argv[1]))\n"
        "except WarehouseError as error: print(error)\n"
    )
    second = subprocess.run(
        [sys.executable, "-c", script, str(warehouse.path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"is open in process {os.getpid()}" in second.stdout


def test_a_failed_write_leaves_nothing(warehouse: Warehouse) -> None:
    def half(cursor: object) -> None:
        cursor.execute("INSERT INTO agents VALUES ('1', 'a', 'b')")  # type: ignore[attr-defined]
        raise ValueError("half-way")

    with pytest.raises(ValueError, match="half-way"):
        warehouse.write(half)
    assert warehouse.rows("SELECT * FROM agents") == []


def test_the_audit_chain_shows_any_change(warehouse: Warehouse) -> None:
    for place in range(5):
        assert warehouse.audit("qa", "view_call", f"call-{place}", {"n": place}) == place + 1
    assert warehouse.audit_verify() is None
    warehouse.write(lambda c: c.execute("UPDATE audit SET actor = 'x' WHERE seq = 3"))
    assert warehouse.audit_verify() == 3


def test_the_audit_chain_shows_a_missing_entry(warehouse: Warehouse) -> None:
    for place in range(4):
        warehouse.audit("qa", "view_call", f"call-{place}")
    warehouse.write(lambda c: c.execute("DELETE FROM audit WHERE seq = 2"))
    assert warehouse.audit_verify() == 2


def test_opening_again_finds_everything(tmp_path: Path) -> None:
    path = tmp_path / "sansheng.duckdb"
    first = Warehouse.open(path)
    first.ingest(folder_of(tmp_path), tmp_path / "archive")
    first.close()
    second = Warehouse.open(path)
    stored = second.stored("call-00")
    second.close()
    assert stored is not None
    assert stored.recording is not None


def test_a_file_of_a_newer_sansheng_is_refused(warehouse: Warehouse) -> None:
    later = len(migrations()) + 1
    warehouse.write(
        lambda c: c.execute(f"INSERT INTO schema_version VALUES ({later}, '2026-01-01')")
    )
    with pytest.raises(WarehouseError, match=f"schema {later}"):
        migrate(warehouse._database)


@pytest.mark.parametrize("many", [1, 2, 99, 100, 101, 500])
def test_rows_go_in_as_they_are_few_or_many(tmp_path: Path, many: int) -> None:
    """Few rows travel as one text and many as a text a column: what arrives is the same."""
    at = datetime(2026, 11, 24, 6, 0, 0, 123_000, tzinfo=UTC)
    record = msgspec.Raw('{"text":"“您好”\\\\n","n":[1,null]}'.encode())
    rows = [
        (f"id '{place}", None if place % 2 else place, place / 3, place % 3 == 0, at, record)
        for place in range(many)
    ]
    warehouse = Warehouse.open(tmp_path / "s.duckdb")
    with warehouse._database.transaction() as cursor:
        cursor.execute(
            "CREATE TABLE things (id TEXT, n INTEGER, x DOUBLE, yes BOOLEAN, at_time TIMESTAMP,"
            " record_json TEXT)"
        )
        cursor.insert("things", rows)
        found = cursor.execute("SELECT * FROM things ORDER BY rowid").fetchall()
    warehouse.close()
    assert found == [(*row[:5], bytes(record).decode()) for row in rows]


@pytest.mark.parametrize("many", [1, 500])
def test_a_number_that_no_column_holds_is_told(warehouse: Warehouse, many: int) -> None:
    def write(cursor: Cursor) -> None:
        cursor.execute("CREATE TABLE things (n INTEGER)")
        cursor.insert("things", [(2**31,)] * many)

    with pytest.raises(WarehouseError):
        warehouse.write(write)
