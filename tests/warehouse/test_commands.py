"""The commands on a real file: masked rows, an unmasked look in the audit log, orders."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sansheng.commands import backup, erase, query, report, retention
from tests.peers.hotline import hand_over, stories
from warehouse.store import Warehouse


@pytest.fixture
def config(tmp_path: Path) -> list[str]:
    """The options that name a settings file whose data_dir holds three calls."""
    warehouse = Warehouse.open(tmp_path / "data" / "sansheng.duckdb")
    for story in stories()[3:6]:
        warehouse.ingest(hand_over(story, tmp_path / "analysed"), tmp_path / "data" / "recordings")
    warehouse.close()
    file = tmp_path / "sansheng.toml"
    file.write_text(f'data_dir = "{tmp_path / "data"}"\n[warehouse]\nrecordings_days = 36500\n')
    return ["--config", str(file)]


def rows(config: list[str], sql: str, *more: str) -> list[dict[str, object]]:
    done = CliRunner().invoke(query.app, [sql, "--format", "json", *more, *config])
    assert done.exit_code == 0, done.stderr
    found: list[dict[str, object]] = json.loads(done.stdout)
    return found


def test_rows_are_masked_unless_asked_and_asking_is_noted(config: list[str]) -> None:
    sql = (
        "SELECT call_id, caller, text FROM v_utterances JOIN v_calls USING (call_id)"
        " WHERE contains(text, '138') AND call_id = 'call-03'"
    )
    (shown,) = rows(config, sql)
    assert shown["call_id"] == "call-03"
    assert shown["caller"] == "+86139****1234"
    assert "138****5678" in str(shown["text"])
    assert rows(config, "SELECT * FROM audit") == []
    (open_row,) = rows(config, sql, "--unmasked")
    assert "13812345678" in str(open_row["text"])
    (entry,) = rows(config, "SELECT action, detail FROM audit")
    assert entry["action"] == "query_unmasked"
    assert "v_utterances" in str(entry["detail"])


@pytest.mark.parametrize(
    "shape",
    [
        "list(caller ORDER BY caller)",
        "list(text)",
        "{'caller': any_value(caller), 'said': list(text)}",
        "histogram(text)",
        "'said: ' || string_agg(text)",
    ],
)
def test_what_is_packed_into_one_value_is_masked_too(config: list[str], shape: str) -> None:
    sql = (
        f"SELECT {shape} AS packed FROM v_utterances JOIN v_calls USING (call_id)"
        " WHERE call_id = 'call-03'"
    )
    (shown,) = rows(config, sql)
    (whole,) = rows(config, sql, "--unmasked")
    assert "****" in str(shown)
    for number in ("13812345678", "13900001234"):
        assert number not in str(shown)
    assert "13812345678" in str(whole) or "13900001234" in str(whole)


@pytest.mark.parametrize(
    ("name", "holds"), [("r.pdf", b"NotoSansCJK"), ("r.html", "话务员得分".encode())]
)
def test_a_report_as_a_file_with_a_chart(
    config: list[str], tmp_path: Path, name: str, holds: bytes
) -> None:
    days = ["--from", "2026-11-24", "--to", "2026-11-24"]
    target = tmp_path / name
    done = CliRunner().invoke(report.app, ["agents", *days, "--out", str(target), *config])
    assert done.exit_code == 0, done.stderr
    assert holds in target.read_bytes()


def test_a_narrow_terminal_cuts_no_heading(
    config: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    days = ["--from", "2026-11-24", "--to", "2026-11-24"]
    shown = CliRunner().invoke(report.app, ["agents", *days, *config]).stdout
    assert "…" not in shown


def test_hold_erase_prove_retain(config: list[str]) -> None:
    run = CliRunner().invoke
    assert run(retention.app, ["hold", "call-03", "--reason", "case 4", *config]).exit_code == 0
    done = run(erase.app, ["--reason", "request 17", *config], input="13900001234\n")
    proof = json.loads(done.stdout)
    assert (proof["calls"], proof["held"]) == (2, 1)
    proved = json.loads(run(erase.app, ["--prove", *config], input="13900001234\n").stdout)
    assert proved["erasures"][0]["number_hash"] == proof["number_hash"]
    assert run(retention.app, ["release", "call-03", *config]).exit_code == 0
    assert json.loads(run(retention.app, ["run", *config]).stdout)["calls"] == 0
    assert "13900001234" not in done.output


def test_backup_check_restore(config: list[str], tmp_path: Path) -> None:
    run = CliRunner().invoke
    folder = str(tmp_path / "copy")
    assert "3 calls" in run(backup.app, ["make", folder, *config]).stderr
    assert "whole" in run(backup.app, ["check", folder]).stderr
    (tmp_path / "data").rename(tmp_path / "lost")
    assert "3 calls" in run(backup.app, ["restore", folder, *config]).stderr
    assert len(rows(config, "SELECT call_id FROM v_calls")) == 3
