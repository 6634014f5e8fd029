"""Parquet files read back by a DuckDB of its own: rows, masks, days, no other door opened."""

import json
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from calls.errors import WarehouseError
from sansheng.commands.export import app
from tests.peers.hotline import hand_over, stories
from warehouse.export import VIEWS
from warehouse.store import Warehouse


@pytest.fixture
def config(tmp_path: Path) -> list[str]:
    """The options that name a settings file whose data_dir holds four calls."""
    warehouse = Warehouse.open(tmp_path / "data" / "sansheng.duckdb")
    for story in stories()[:4]:
        warehouse.ingest(hand_over(story, tmp_path / "analysed"), tmp_path / "data" / "recordings")
    warehouse.close()
    file = tmp_path / "sansheng.toml"
    file.write_text(f'data_dir = "{tmp_path / "data"}"\n')
    return ["--config", str(file)]


def ask(sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect() as reader:
        return reader.execute(sql).fetchall()


def test_every_view_comes_out_masked(config: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = CliRunner().invoke(app, [str(out), *config])
    assert done.exit_code == 0, done.stderr
    rows = json.loads(done.stdout)
    assert set(rows) == set(VIEWS) == {file.stem for file in out.iterdir()}
    for view in VIEWS:
        assert ask(f"SELECT count(*) FROM '{out / view}.parquet'") == [(rows[view],)]
    assert ask(f"SELECT DISTINCT caller FROM '{out}/v_calls.parquet'") == [("+86139****1234",)]
    said = ask(f"SELECT text FROM '{out}/v_utterances.parquet' WHERE contains(text, '138')")
    assert said
    assert all("138****5678" in str(text) for (text,) in said)
    assert rows["v_calls"] == 4
    assert list((tmp_path / "data" / "exports").iterdir()) == []


def test_unmasked_and_by_days_and_noted(config: list[str], tmp_path: Path) -> None:
    run = CliRunner().invoke
    run(app, [str(tmp_path / "all"), "--unmasked", *config])
    assert ask(f"SELECT DISTINCT caller FROM '{tmp_path}/all/v_calls.parquet'") == [
        ("+8613900001234",)
    ]
    early = ["--from", "2020-01-01", "--to", "2020-01-02"]
    assert json.loads(run(app, [str(tmp_path / "none"), *early, *config]).stdout)["v_calls"] == 0
    warehouse = Warehouse.open(tmp_path / "data" / "sansheng.duckdb")
    noted = [json.loads(row["detail"])["unmasked"] for row in warehouse.rows("SELECT * FROM audit")]
    warehouse.close()
    assert noted == [1, 0]


def test_a_statement_reaches_no_other_file(config: list[str], tmp_path: Path) -> None:
    warehouse = Warehouse.open(tmp_path / "data" / "sansheng.duckdb")
    (tmp_path / "data" / "secret.csv").write_text("a\n1\n")
    for sql in (
        f"SELECT * FROM '{tmp_path}/data/secret.csv'",
        f"COPY calls TO '{tmp_path}/data/stolen.parquet' (FORMAT parquet)",
        f"COPY calls TO '{tmp_path}/data/exports/../stolen.parquet' (FORMAT parquet)",
    ):
        with pytest.raises(WarehouseError):
            warehouse.rows(sql)
    warehouse.close()
    assert not (tmp_path / "data" / "stolen.parquet").exists()


def test_a_folder_that_is_there_is_left_alone(config: list[str], tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    done = CliRunner().invoke(app, [str(tmp_path / "mine"), *config])
    assert done.exit_code != 0
    assert "there already" in str(done.exception)
