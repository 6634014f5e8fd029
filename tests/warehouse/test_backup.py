"""Backups of a real file: while calls come in, damaged, killed, on a full disk, and back again."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from calls.errors import WarehouseError
from tests.peers.hotline import hand_over, stories
from warehouse.backup import MANIFEST, restore, verify
from warehouse.store import Warehouse

CHILD = """
import os, resource, signal, sys
from pathlib import Path
from calls.errors import WarehouseError
from warehouse import backup as room
from warehouse.store import Warehouse

root, step = Path(sys.argv[1]), sys.argv[2]

def killing(what):
    def replaced(*args, **kwargs):
        what(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)
    return replaced

if step in ("_copy", "_bring", "_sha256"):
    setattr(room, step, killing(getattr(room, step)))
warehouse = Warehouse.open(root / "s.duckdb")
if step == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
try:
    warehouse.backup(root / "copy")
except WarehouseError as error:
    print(error)
"""


def fill(root: Path, first: int, last: int) -> None:
    warehouse = Warehouse.open(root / "s.duckdb")
    for story in stories()[first:last]:
        warehouse.ingest(hand_over(story, root / "analysed"), root / "recordings")
    warehouse.close()


def contents(path: Path) -> list[dict[str, object]]:
    warehouse = Warehouse.open(path)
    found = warehouse.rows("SELECT * FROM calls JOIN records USING (call_id) ORDER BY call_id")
    warehouse.close()
    return found


def test_a_backup_comes_back_whole(tmp_path: Path) -> None:
    fill(tmp_path, 0, 4)
    warehouse = Warehouse.open(tmp_path / "s.duckdb")
    warehouse.audit("root", "login", "")
    made = warehouse.backup(tmp_path / "copy")
    warehouse.close()
    assert (made.calls, made.recordings) == (4, 3)
    restore(tmp_path / "copy", tmp_path / "new" / "s.duckdb")
    assert contents(tmp_path / "new" / "s.duckdb") == contents(tmp_path / "s.duckdb")
    again = Warehouse.open(tmp_path / "new" / "s.duckdb")
    stored = again.stored("call-03")
    assert again.audit_verify() is None
    again.close()
    assert stored is not None
    assert stored.recording is not None
    old = next((tmp_path / "recordings").rglob("call-03.wav"))
    assert stored.recording.read_bytes() == old.read_bytes()


def test_while_calls_come_in_every_backup_is_one_moment(tmp_path: Path) -> None:
    warehouse = Warehouse.open(tmp_path / "s.duckdb")
    folders = [hand_over(story, tmp_path / "analysed") for story in stories()]

    def work() -> None:
        for folder in folders:
            warehouse.ingest(folder, tmp_path / "recordings")

    worker = threading.Thread(target=work)
    worker.start()
    seen = []
    while True:
        last = not worker.is_alive()
        made = warehouse.backup(tmp_path / "copy")
        seen.append(made.calls)
        copied = tmp_path / f"back-{len(seen)}" / "s.duckdb"
        restore(tmp_path / "copy", copied)
        back = Warehouse.open(copied)
        torn = back.rows(
            "SELECT call_id FROM calls WHERE call_id NOT IN (SELECT call_id FROM records)"
            " OR call_id NOT IN (SELECT call_id FROM items)"
        )
        count = back.rows("SELECT count(*) AS n FROM calls")[0]["n"]
        back.close()
        assert torn == []
        assert count == made.calls
        if last:
            break
    worker.join()
    warehouse.close()
    assert seen == sorted(seen)
    assert seen[-1] == len(folders)


def test_the_service_stays_the_one_owner_after_a_backup(tmp_path: Path) -> None:
    fill(tmp_path, 0, 2)
    warehouse = Warehouse.open(tmp_path / "s.duckdb")
    warehouse.backup(tmp_path / "copy")
    code = (
        "import sys; from pathlib import Path; from warehouse.store import Warehouse\n"
        "Warehouse.open(Path(sys.argv[1]))"
    )
    second = subprocess.run(
        [sys.executable, "-c", code, str(warehouse.path)], capture_output=True, check=False
    )
    warehouse.close()
    assert b"is open in process" in second.stderr


def test_the_same_folder_again_follows_the_warehouse(tmp_path: Path) -> None:
    fill(tmp_path, 3, 6)
    warehouse = Warehouse.open(tmp_path / "s.duckdb")
    warehouse.backup(tmp_path / "copy")
    warehouse.erase("13900001234", "root", "request 17")
    made = warehouse.backup(tmp_path / "copy")
    warehouse.close()
    assert (made.calls, made.recordings) == (0, 0)
    assert list((tmp_path / "copy").rglob("*.wav")) == []


@pytest.mark.parametrize("step", ["_copy", "_bring", "_sha256"])
def test_a_killed_backup_is_none_and_can_be_taken_again(tmp_path: Path, step: str) -> None:
    fill(tmp_path, 3, 6)
    killed = subprocess.run([sys.executable, "-c", CHILD, str(tmp_path), step], check=False)
    assert killed.returncode == -signal.SIGKILL
    with pytest.raises(WarehouseError, match="no whole backup"):
        verify(tmp_path / "copy")
    warehouse = Warehouse.open(tmp_path / "s.duckdb")
    assert warehouse.backup(tmp_path / "copy").recordings == 3
    warehouse.close()
    assert verify(tmp_path / "copy").calls == 3


def test_a_full_disk_is_told_and_the_warehouse_goes_on(tmp_path: Path) -> None:
    fill(tmp_path, 3, 6)
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path), "full"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "free space" in done.stdout
    assert not (tmp_path / "copy" / MANIFEST).exists()
    assert len(contents(tmp_path / "s.duckdb")) == 3


def test_a_damaged_or_missing_backup_is_not_restored(tmp_path: Path) -> None:
    fill(tmp_path, 0, 2)
    warehouse = Warehouse.open(tmp_path / "s.duckdb")
    warehouse.backup(tmp_path / "copy")
    warehouse.close()
    file = tmp_path / "copy" / "warehouse.duckdb"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(WarehouseError, match="damaged"):
        restore(tmp_path / "copy", tmp_path / "new.duckdb")
    with pytest.raises(WarehouseError, match="no whole backup"):
        restore(tmp_path / "nothing", tmp_path / "new.duckdb")
    with pytest.raises(WarehouseError, match="there already"):
        restore(tmp_path / "copy", tmp_path / "s.duckdb")
    assert not (tmp_path / "new.duckdb").exists()
