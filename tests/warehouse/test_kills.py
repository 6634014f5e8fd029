"""kill -9 and a full disk in the middle of an ingest, in real processes: nothing lost or twice."""

import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from calls.codec import read_record, write_record
from calls.errors import WarehouseError
from calls.handover import TRANSCRIPT_FILE, Spool, Stage
from calls.speech import Transcript
from tests.peers.hotline import hand_over, stories
from warehouse import ingest as room
from warehouse.store import Warehouse

# Kills itself right before or after one step of the second call's ingest; in bulk, of the second
# transaction, while the hands read the folders of the next and drop those of the first; its rows
# then go in as Arrow columns, as many rows do.
CHILD = """
import os, signal, sys
from pathlib import Path
from calls.handover import Spool, Stage
from warehouse import duck, ingest as room
from warehouse.duck import Cursor
from warehouse.store import Warehouse

root, step, when, bulk = Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4] == "bulk"
armed = False
room._AT_ONCE = 3
if bulk:
    duck._MANY = 1

def killing(what, matches=lambda *a: True):
    def replaced(*args, **kwargs):
        if armed and matches(*args) and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = what(*args, **kwargs)
        if armed and matches(*args) and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return replaced

if step == "archive":
    room._archive = killing(room._archive)
elif step == "insert":
    Cursor.insert = killing(Cursor.insert, lambda cursor, table, rows: table == "items")
elif step == "commit":
    Cursor.execute = killing(Cursor.execute, lambda cursor, sql, *rest: sql == "COMMIT")
elif step == "grave":
    room._remove = killing(room._remove)
elif step == "rmdir":
    Path.rmdir = killing(Path.rmdir)

warehouse = Warehouse.open(root / "s.duckdb")
if bulk:
    receive, taken = room._receive, 0

    def counted(*args):
        global armed, taken
        taken += 1
        armed = taken == 2
        return receive(*args)

    room._receive = counted
    warehouse.ingest_many(Spool(root / "spool").waiting(Stage.ANALYSED), root / "archive")
else:
    for place, folder in enumerate(Spool(root / "spool").claimed(Stage.ANALYSED)):
        armed = place == 1
        warehouse.ingest(folder, root / "archive")
"""

FULL = """
import resource, sys
from pathlib import Path
from calls.errors import WarehouseError
from warehouse.store import Warehouse

root = Path(sys.argv[1])
warehouse = Warehouse.open(root / "s.duckdb")
folders = sorted((root / "spool" / "analysed").glob("call-*"))
warehouse.ingest(folders[0], root / "archive")
wal = (root / "s.duckdb.wal").stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (wal + 2_000, resource.RLIM_INFINITY))
try:
    warehouse.ingest_many(folders[1:], root / "archive")
except WarehouseError as error:
    print(error)
assert warehouse.rows("SELECT count(*) AS n FROM calls") == [{"n": 1}]
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(sum(o.new for o in warehouse.ingest_many(folders[1:], root / "archive")))
warehouse.close()
"""

CALLS = 4
BULK = 8


def spool_of(root: Path, calls: int = CALLS) -> Spool:
    spool = Spool(root / "spool")
    for story in stories()[3 : 3 + calls]:
        hand_over(story, root / "spool" / "analysed")
    return spool


def everything(root: Path) -> list[dict[str, object]]:
    warehouse = Warehouse.open(root / "s.duckdb")
    try:
        return warehouse.rows(
            "SELECT call_id, (SELECT count(*) FROM items i WHERE i.call_id = c.call_id) AS items,"
            " (SELECT count(*) FROM utterances u WHERE u.call_id = c.call_id) AS utterances,"
            " (SELECT count(*) FROM verdicts v WHERE v.call_id = c.call_id) AS verdicts,"
            " (SELECT count(*) FROM records r WHERE r.call_id = c.call_id) AS records,"
            " recording FROM calls c ORDER BY call_id"
        )
    finally:
        warehouse.close()


@pytest.mark.parametrize("way", ["single", "bulk"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["archive", "insert", "commit", "grave", "rmdir"])
def test_a_kill_at_any_step_loses_nothing_and_doubles_nothing(
    tmp_path: Path, step: str, when: str, way: str
) -> None:
    calls = BULK if way == "bulk" else CALLS
    untouched = tmp_path / "untouched"
    other = spool_of(untouched, calls)
    warehouse = Warehouse.open(untouched / "s.duckdb")
    for folder in other.claimed(Stage.ANALYSED):
        warehouse.ingest(folder, untouched / "archive")
    warehouse.close()

    root = tmp_path / "killed"
    spool = spool_of(root, calls)
    killed = subprocess.run([sys.executable, "-c", CHILD, str(root), step, when, way], check=False)
    assert killed.returncode == -signal.SIGKILL

    spool.sweep()
    warehouse = Warehouse.open(root / "s.duckdb")
    for folder in spool.claimed(Stage.ANALYSED):
        warehouse.ingest(folder, root / "archive")
    warehouse.close()
    assert everything(root) == everything(untouched)
    assert len(everything(root)) == calls
    assert list((root / "spool" / "analysed").iterdir()) == []
    assert len(list((root / "archive").rglob("*.wav"))) == calls


def test_a_full_disk_keeps_the_calls_for_another_try(tmp_path: Path) -> None:
    spool_of(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=True
    )
    first, second = done.stdout.splitlines()
    assert "free space" in first
    assert second == str(CALLS - 1)
    assert len(everything(tmp_path)) == CALLS


def test_a_call_that_is_in_is_known_in_a_later_transaction_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_AT_ONCE", 2)
    folders = spool_of(tmp_path, BULK).waiting(Stage.ANALYSED)
    twin = shutil.copytree(folders[0], folders[0].with_name("call-twin"))
    warehouse = Warehouse.open(tmp_path / "s.duckdb")
    outcomes = warehouse.ingest_many([*folders, twin], tmp_path / "archive")
    warehouse.close()
    assert [(o.folder, o.new) for o in outcomes] == [*((f, True) for f in folders), (twin, False)]
    assert len(everything(tmp_path)) == BULK
    assert list((tmp_path / "spool" / "analysed").iterdir()) == []
    assert len(list((tmp_path / "archive").rglob("*.wav"))) == BULK


def test_many_folders_go_in_as_one_and_a_broken_one_stays(tmp_path: Path) -> None:
    spool = spool_of(tmp_path)
    folders = spool.waiting(Stage.ANALYSED)
    (folders[1] / "analysis.json").write_text("{")
    (folders[2] / "recording.wav").unlink()
    warehouse = Warehouse.open(tmp_path / "s.duckdb")
    outcomes = warehouse.ingest_many(folders, tmp_path / "archive")
    again = warehouse.ingest_many(folders[1:2], tmp_path / "archive")
    warehouse.close()
    assert [o.new for o in outcomes] == [True, False, False, True]
    assert [o.error is None for o in outcomes] == [True, False, False, True]
    assert again[0].error is not None
    assert len(everything(tmp_path)) == CALLS - 2


def test_a_time_that_no_column_holds_spoils_only_its_own_call(tmp_path: Path) -> None:
    folders = spool_of(tmp_path).waiting(Stage.ANALYSED)
    told = read_record(folders[1] / TRANSCRIPT_FILE, Transcript)
    late = replace(told.utterances[0], start_ms=2**31)
    write_record(folders[1] / TRANSCRIPT_FILE, replace(told, utterances=(late,)))
    warehouse = Warehouse.open(tmp_path / "s.duckdb")
    outcomes = warehouse.ingest_many(folders, tmp_path / "archive")
    warehouse.close()
    assert [o.error is None for o in outcomes] == [True, False, True, True]
    assert (folders[1] / "recording.wav").is_file()
    assert len(everything(tmp_path)) == CALLS - 1


@pytest.mark.parametrize("damage", ["noise", "cut"])
def test_a_damaged_file_is_told_in_one_line(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "s.duckdb"
    Warehouse.open(path).close()
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if damage == "cut" else b"\x07" * len(whole))
    with pytest.raises(WarehouseError, match="restore a backup"):
        Warehouse.open(path)
