"""Read-only SQL, with and without the service, the same answers and the same limits."""

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from calls.errors import WarehouseError
from tests.peers.hotline import hand_over, stories
from warehouse.calls import load_call
from warehouse.query import Result, run
from warehouse.server import QueryServer
from warehouse.store import Warehouse


@pytest.fixture(scope="module")
def filled() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        warehouse = Warehouse.open(root / "s.duckdb")
        for story in stories():
            warehouse.ingest(hand_over(story, root / "analysed"), root / "archive")
        warehouse.close()
        yield root


@pytest.fixture(scope="module", params=["service", "file"])
def asked(request: pytest.FixtureRequest, filled: Path) -> Iterator[Path]:
    if request.param == "file":
        yield filled
        return
    warehouse = Warehouse.open(filled / "s.duckdb")
    server = QueryServer(warehouse, filled / "q.sock")
    server.start()
    yield filled
    server.stop()
    warehouse.close()


def ask(root: Path, sql: str, **limits: float) -> Result:
    return run(sql, path=root / "s.duckdb", socket=root / "q.sock", **limits)  # type: ignore[arg-type]


def test_both_ways_give_the_same(asked: Path) -> None:
    found = ask(asked, "SELECT call_id, score, local_at FROM v_calls ORDER BY 1 LIMIT 2")
    assert found.columns == ("call_id", "score", "local_at")
    assert found.rows == [
        ("call-00", 85.0, "2026-11-24 13:00:00"),
        ("call-01", 88.2, "2026-11-24 12:55:00"),
    ]
    assert not found.truncated


def test_rows_are_limited_and_that_is_told(asked: Path) -> None:
    found = ask(asked, "SELECT * FROM v_calls", max_rows=5)
    assert (len(found.rows), found.truncated) == (5, True)


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM calls",
        "COPY calls TO 'out.csv'",
        "SELECT 1; SELECT 2",
        "ATTACH 'other.duckdb'",
        "SET enable_external_access = true",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELEC",
        "",
    ],
)
def test_anything_but_one_read_is_refused(asked: Path, sql: str) -> None:
    with pytest.raises(WarehouseError):
        ask(asked, sql)
    assert ask(asked, "SELECT count(*) FROM calls").rows == [(12,)]


def test_a_query_that_takes_too_long_is_cut_off(asked: Path) -> None:
    endless = "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range * b.range = 7"
    with pytest.raises(WarehouseError, match="cut off"):
        ask(asked, endless, timeout_s=0.3)


def test_a_call_is_found_by_the_start_of_its_id(asked: Path) -> None:
    paths = {"path": asked / "s.duckdb", "socket": asked / "q.sock"}
    assert load_call("call-04", **paths).call.agent == "1002"
    assert load_call("call-11", **paths).call.agent == "2001"


def test_an_unclear_or_unknown_id_is_told(asked: Path) -> None:
    with pytest.raises(WarehouseError, match="more than one"):
        load_call("call-0", path=asked / "s.duckdb", socket=asked / "q.sock")
    with pytest.raises(WarehouseError, match="no call"):
        load_call("x' OR true --", path=asked / "s.duckdb", socket=asked / "q.sock")


def test_without_a_warehouse_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match="sansheng serve"):
        run("SELECT 1", path=tmp_path / "none.duckdb", socket=None)


def test_a_socket_that_a_kill_left_is_passed_over(filled: Path) -> None:
    dead = filled / "dead.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.bind(str(dead))
    assert run("SELECT 1", path=filled / "s.duckdb", socket=dead).rows == [(1,)]


def test_the_socket_is_for_its_owner_only(tmp_path: Path) -> None:
    warehouse = Warehouse.open(tmp_path / "s.duckdb")
    server = QueryServer(warehouse, tmp_path / "q.sock")
    server.start()
    mode = (tmp_path / "q.sock").stat().st_mode & 0o777
    server.stop()
    warehouse.close()
    assert mode == 0o600
    assert not (tmp_path / "q.sock").exists()
