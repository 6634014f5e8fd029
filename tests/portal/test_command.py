"""``sansheng user`` and ``sansheng query`` as a person at a terminal meets them."""

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pyotp
import pytest
from openpyxl import load_workbook
from typer.testing import CliRunner

from calls.errors import SanshengError
from portal.access import Role
from portal.accounts import Accounts, Outcome
from portal.second_factor import SecondFactors
from sansheng.commands import query, report, user
from tests.peers.hotline import PASSWORD
from warehouse.store import Warehouse


@pytest.fixture
def config(tmp_path: Path, warehouse: Warehouse) -> Path:
    """The settings of the tests' hotline, its service stopped."""
    warehouse.close()
    path = tmp_path / "sansheng.toml"
    path.write_text(f'data_dir = "{tmp_path / "data"}"\n', encoding="utf-8")
    return path


def run(app: object, *arguments: str, stdin: str = "") -> str:
    outcome = CliRunner().invoke(app, arguments, input=stdin, catch_exceptions=False)  # type: ignore[arg-type]
    assert outcome.exit_code == 0, outcome.output
    return outcome.stdout


def test_a_lost_second_factor_is_taken_away(config: Path, tmp_path: Path) -> None:
    opened = Warehouse.open(tmp_path / "data" / "sansheng.duckdb")
    now = datetime.now(UTC)
    factors = SecondFactors(opened)
    secret = factors.begin("wangli").secret
    assert factors.confirm("wangli", pyotp.TOTP(secret).at(now), now)
    opened.close()
    run(user.app, "drop-second", "wangli", "-c", str(config))
    opened = Warehouse.open(tmp_path / "data" / "sansheng.duckdb")
    assert not SecondFactors(opened).enrolled("wangli")
    opened.close()


def test_a_user_comes_changes_and_goes(config: Path) -> None:
    at = ("-c", str(config))
    run(user.app, "add", "chen", "--role", "qa", "--name", "陈静", *at, stdin=f"{PASSWORD}\n")
    listed = run(user.app, "list", *at)
    assert "chen" in listed
    assert "must change password" in listed
    run(user.app, "passwd", "chen", *at, stdin="Other-secret-2\n")
    run(user.app, "disable", "wangli", *at)
    opened = Warehouse.open(config.parent / "data" / "sansheng.duckdb")
    accounts = Accounts(opened)
    outcome, person = accounts.sign_in("chen", "Other-secret-2", "")
    closed = accounts.sign_in("wangli", PASSWORD, "")
    opened.close()
    assert outcome is Outcome.OK
    assert person is not None
    assert person.roles == {Role.QA}
    assert closed == (Outcome.WRONG, None)


def test_a_bad_password_an_unknown_user_and_a_taken_name_are_told(config: Path) -> None:
    at = ("-c", str(config))
    for arguments, stdin, said in (
        (("add", "chen", "--role", "qa"), "short\n", "breaks the rules"),
        (("add", "wangli", "--role", "qa"), f"{PASSWORD}\n", "exists already"),
        (("add", "chen", "--role", "agent"), f"{PASSWORD}\n", "extension"),
        (("passwd", "nobody"), f"{PASSWORD}\n", "no user nobody"),
    ):
        with pytest.raises(SanshengError, match=said):
            run(user.app, *arguments, *at, stdin=stdin)


def test_a_query_in_every_format_is_the_same(config: Path, tmp_path: Path) -> None:
    sql = "SELECT call_id, agent_name, score FROM v_calls ORDER BY call_id LIMIT 3"
    at = ("-c", str(config), sql)
    as_json = json.loads(run(query.app, "--format", "json", *at))
    as_csv = list(csv.DictReader(io.StringIO(run(query.app, "--format", "csv", *at))))
    run(query.app, "--format", "xlsx", "-o", str(tmp_path / "a.xlsx"), *at)
    sheet = load_workbook(tmp_path / "a.xlsx").active
    rows = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=2)]
    table = run(query.app, *at)
    assert [row["call_id"] for row in as_json] == ["call-00", "call-01", "call-02"]
    assert [list(row.values()) for row in as_json] == rows
    assert [row["call_id"] for row in as_csv] == [row[0] for row in rows]
    assert all(str(row[0]) in table for row in rows)


def test_an_excel_file_wants_a_name(config: Path) -> None:
    with pytest.raises(SanshengError, match="needs a name"):
        run(query.app, "--format", "xlsx", "-c", str(config), "SELECT 1")


def test_a_report(config: Path) -> None:
    days = ("--from", "2026-11-24", "--to", "2026-11-24")
    found = run(report.app, "agents", "--by", "agent", *days, "-f", "json", "-c", str(config))
    assert [(row["agent"], row["calls"]) for row in json.loads(found)] == [
        ("1001", 4),
        ("1002", 4),
        ("2001", 4),
    ]
