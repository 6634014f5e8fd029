"""Retention, legal hold and erasure on a real file, killed and with a full disk."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from calls.errors import WarehouseError
from tests.peers.hotline import NOW, hand_over, stories
from warehouse.erasure import number_hash, plain_number
from warehouse.orders import give
from warehouse.removal import _TABLES
from warehouse.server import QueryServer
from warehouse.settings import WarehouseSettings
from warehouse.store import Warehouse

NUMBER = "139 0000 1234"
"""The caller of every call of the hotline; call-05 below gets another one."""
OTHER = "+8613711112222"

CHILD = """
import os, signal, sys
from pathlib import Path
from warehouse import removal
from warehouse.duck import Cursor
from warehouse.store import Warehouse

root, step, when = Path(sys.argv[1]), sys.argv[2], sys.argv[3]

def killing(what, matches=lambda *a: True):
    def replaced(*args, **kwargs):
        if when == "before" and matches(*args):
            os.kill(os.getpid(), signal.SIGKILL)
        result = what(*args, **kwargs)
        if when == "after" and matches(*args):
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return replaced

warehouse = Warehouse.open(root / "s.duckdb")
if step == "rows":
    removal.delete_recordings = killing(removal.delete_recordings)
elif step == "commit":
    Cursor.execute = killing(Cursor.execute, lambda cursor, sql, *rest: sql == "COMMIT")
elif step == "file":
    removal._unlinked = killing(removal._unlinked)
elif step == "doomed":
    Cursor.execute = killing(Cursor.execute, lambda c, sql, *r: "DELETE FROM doomed" in sql)
warehouse.erase("13900001234", "root", "request 17")
"""

FULL = """
import resource, sys
from pathlib import Path
from calls.errors import WarehouseError
from warehouse.store import Warehouse

root = Path(sys.argv[1])
warehouse = Warehouse.open(root / "s.duckdb")
warehouse.audit("root", "login", "")
wal = (root / "s.duckdb.wal").stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (wal + 100, resource.RLIM_INFINITY))
try:
    warehouse.erase("13900001234", "root", "request 17")
except WarehouseError as error:
    print(error)
print(warehouse.rows("SELECT count(*) AS n FROM calls")[0]["n"])
print(len(list((root / "archive").rglob("*.wav"))))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(warehouse.erase("13900001234", "root", "request 17").calls)
warehouse.close()
"""


def fill(root: Path) -> Warehouse:
    """Six calls, five from one number; one of the five nobody answered."""
    warehouse = Warehouse.open(root / "s.duckdb")
    for story in stories()[:6]:
        warehouse.ingest(hand_over(story, root / "analysed"), root / "archive")
    warehouse.write(
        lambda c: c.execute(
            "UPDATE calls SET caller = $other WHERE call_id = 'call-05'", {"other": OTHER}
        )
    )
    return warehouse


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    opened = fill(tmp_path)
    yield opened
    opened.close()


def wavs(root: Path) -> set[str]:
    return {file.stem for file in (root / "archive").rglob("*.wav")}


def rows_of(warehouse: Warehouse, call_id: str) -> int:
    return sum(
        warehouse.rows(f"SELECT count(*) AS n FROM {t} WHERE call_id = '{call_id}'")[0]["n"]
        for t in _TABLES
    )


def test_an_erasure_leaves_the_proof_and_nothing_else(warehouse: Warehouse, tmp_path: Path) -> None:
    done = warehouse.erase(NUMBER, "root", "request 17")
    assert (done.calls, done.recordings, done.held, done.left) == (5, 4, 0, 0)
    assert done.number_hash == number_hash("13900001234", done.salt)
    assert [rows_of(warehouse, f"call-0{n}") for n in range(5)] == [0] * 5
    assert rows_of(warehouse, "call-05") > 0
    assert wavs(tmp_path) == {"call-05"}
    entry = warehouse.rows("SELECT * FROM audit")[0]
    assert (entry["seq"], entry["subject"]) == (done.audit_seq, done.number_hash)
    assert json.loads(entry["detail"])["calls"] == 5
    assert warehouse.audit_verify() is None
    assert "13900001234" not in json.dumps(warehouse.rows("SELECT * FROM erasures"), default=str)
    assert [proof["calls"] for proof in warehouse.proofs("+86 139 0000 1234")] == [5]
    assert warehouse.proofs("13900001235") == []


def test_every_table_with_calls_is_erased(warehouse: Warehouse) -> None:
    found = {
        row["table_name"]
        for row in warehouse.rows(
            "SELECT table_name FROM duckdb_columns() WHERE column_name = 'call_id'"
            " AND table_name NOT LIKE 'v\\_%' ESCAPE '\\'"
        )
    }
    assert found == {*_TABLES, "holds"}


def test_a_held_call_stays_until_it_is_released(warehouse: Warehouse, tmp_path: Path) -> None:
    warehouse.hold("call-03", "root", "case 4")
    with pytest.raises(WarehouseError, match="already"):
        warehouse.hold("call-03", "root", "case 5")
    done = warehouse.erase(NUMBER, "root", "request 17")
    assert (done.calls, done.held) == (4, 1)
    assert wavs(tmp_path) == {"call-03", "call-05"}
    short = WarehouseSettings(recordings_days=1, transcripts_days=1, scores_days=1)
    kept = warehouse.retain(short, NOW + timedelta(days=9))
    assert (kept.calls, kept.held) == (1, 1)
    warehouse.release("call-03", "root")
    assert warehouse.retain(short, NOW + timedelta(days=9)).calls == 1
    assert wavs(tmp_path) == set()
    with pytest.raises(WarehouseError, match="not under hold"):
        warehouse.release("call-03", "root")
    with pytest.raises(WarehouseError, match="no call"):
        warehouse.hold("call-99", "root", "case 4")
    assert warehouse.audit_verify() is None


@pytest.mark.parametrize(
    ("settings", "left"),
    [
        ({"recordings_days": 5}, (6, 5, 0)),
        ({"transcripts_days": 5}, (6, 0, 5)),
        ({"scores_days": 5}, (0, 0, 0)),
        ({}, (6, 5, 5)),
        ({"recordings_days": 20, "transcripts_days": 20, "scores_days": 20}, (6, 5, 5)),
    ],
)
def test_each_thing_has_its_own_period(
    warehouse: Warehouse, tmp_path: Path, settings: dict[str, int], left: tuple[int, int, int]
) -> None:
    warehouse.retain(WarehouseSettings.model_validate(settings), NOW + timedelta(days=10))
    found = warehouse.rows(
        "SELECT count(*) AS calls, count(transcript_json) AS transcripts"
        " FROM calls JOIN records USING (call_id)"
    )[0]
    assert (found["calls"], found["transcripts"], len(wavs(tmp_path))) == left


def test_without_words_the_verdicts_still_stand(warehouse: Warehouse) -> None:
    before = warehouse.stored("call-00")
    warehouse.retain(WarehouseSettings(transcripts_days=1), NOW + timedelta(days=9))
    after = warehouse.stored("call-00")
    assert before is not None
    assert after is not None
    assert after.transcript is None
    old, new = before.analysis.scorecard, after.analysis.scorecard
    assert [(i.rule, i.status, i.earned) for i in new.items] == [
        (i.rule, i.status, i.earned) for i in old.items
    ]
    assert any(f.heard for f in old.findings)
    assert not any(f.heard for f in new.findings)
    assert not any(e.text for i in new.items for e in i.evidence)
    assert warehouse.rows("SELECT * FROM utterances") == []
    assert warehouse.rows("SELECT * FROM findings WHERE heard <> ''") == []


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["rows", "commit", "file", "doomed"])
def test_a_kill_at_any_step_is_finished_or_undone(tmp_path: Path, step: str, when: str) -> None:
    fill(tmp_path).close()
    killed = subprocess.run([sys.executable, "-c", CHILD, str(tmp_path), step, when], check=False)
    assert killed.returncode == -signal.SIGKILL
    warehouse = Warehouse.open(tmp_path / "s.duckdb")
    proofs = warehouse.proofs(NUMBER)
    calls = warehouse.rows("SELECT count(*) AS n FROM calls")[0]["n"]
    doomed = warehouse.rows("SELECT * FROM doomed")
    assert doomed == []
    undone = step == "rows" or (step, when) == ("commit", "before")
    assert (len(proofs), calls, len(wavs(tmp_path))) == ((0, 6, 5) if undone else (1, 1, 1))
    if undone:
        assert warehouse.erase(NUMBER, "root", "request 17").calls == 5
    assert warehouse.audit_verify() is None
    warehouse.close()


def test_a_full_disk_erases_nothing_and_says_so(tmp_path: Path) -> None:
    fill(tmp_path).close()
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=True
    )
    told, calls, files, then = done.stdout.splitlines()
    assert "free space" in told
    assert (calls, files, then) == ("6", "5", "5")
    assert wavs(tmp_path) == {"call-05"}


def test_a_recording_that_cannot_go_is_tried_again(warehouse: Warehouse, tmp_path: Path) -> None:
    path = next((tmp_path / "archive").rglob("call-03.wav"))
    path.unlink()
    path.mkdir()
    assert warehouse.erase(NUMBER, "root", "request 17").left == 1
    path.rmdir()
    assert warehouse.retain(WarehouseSettings()).left == 0
    assert warehouse.rows("SELECT * FROM doomed") == []


@pytest.mark.parametrize("number", ["", "12", "abc", "0086"])
def test_a_number_that_is_none_erases_nothing(warehouse: Warehouse, number: str) -> None:
    with pytest.raises(WarehouseError, match="no citizen's number"):
        warehouse.erase(number, "root", "request 17")
    with pytest.raises(WarehouseError, match="reason"):
        warehouse.erase(NUMBER, "root", " ")
    assert warehouse.rows("SELECT * FROM erasures") == []


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("+86 138-0000-1234", "13800001234"),
        ("008613800001234", "13800001234"),
        ("022-23456789", "02223456789"),
        ("8623456789", "8623456789"),
    ],
)
def test_one_number_however_it_is_written(written: str, plain: str) -> None:
    assert plain_number(written) == plain


def test_the_running_service_takes_the_orders(warehouse: Warehouse, tmp_path: Path) -> None:
    path, socket = tmp_path / "s.duckdb", tmp_path / "q.sock"
    server = QueryServer(warehouse, socket)
    server.start()
    try:
        where = {"path": path, "socket": socket}
        hold = {"call_id": "call-01", "actor": "root", "reason": "case 4"}
        assert give("hold", hold, **where) == {}
        with pytest.raises(WarehouseError, match="under hold already"):
            give("hold", hold, **where)
        done = give("erase", {"number": NUMBER, "actor": "root", "reason": "r"}, **where)
        assert (done["calls"], done["held"]) == (4, 1)
        assert give("proofs", {"number": NUMBER}, **where)["erasures"][0]["calls"] == 4
        with pytest.raises(WarehouseError, match="not understood"):
            give("dance", {}, **where)
    finally:
        server.stop()


def test_a_stopped_service_is_no_hindrance(tmp_path: Path) -> None:
    fill(tmp_path).close()
    what = {"number": NUMBER, "actor": "root", "reason": "request 17"}
    done = give("erase", what, path=tmp_path / "s.duckdb", socket=tmp_path / "q.sock")
    assert done["calls"] == 5
    with pytest.raises(WarehouseError, match="no warehouse"):
        give("erase", what, path=tmp_path / "none.duckdb", socket=None)
