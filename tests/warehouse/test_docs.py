"""Every view and column that QA may ask for is in the warehouse's page of documentation."""

import re
from pathlib import Path

import pytest

from warehouse.store import Warehouse

PAGE = Path(__file__).parents[2] / "docs" / "warehouse.md"


def documented() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = line.split(" | ")
        name = re.match(r"\| `(v_\w+)`", line)
        if name and len(cells) >= 3:
            quoted = " ".join(re.findall(r"`([^`]*)`", cells[2]))
            found[name[1]] = set(re.findall(r"\w+", quoted))
    return found


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    warehouse = Warehouse.open(tmp_path_factory.mktemp("docs") / "s.duckdb")
    rows = warehouse.rows(
        "SELECT table_name, list(column_name ORDER BY column_index) AS columns"
        " FROM duckdb_columns() WHERE table_name LIKE 'v\\_%' ESCAPE '\\' GROUP BY table_name"
    )
    warehouse.close()
    return {row["table_name"]: row["columns"] for row in rows}


def test_every_view_and_column_is_documented(views: dict[str, list[str]]) -> None:
    assert len(views) > 5
    page = documented()
    assert {name: set(columns) for name, columns in views.items()} == page


def test_every_view_answers(tmp_path: Path, views: dict[str, list[str]]) -> None:
    warehouse = Warehouse.open(tmp_path / "s.duckdb")
    for name in views:
        assert warehouse.rows(f"SELECT * FROM {name}") == []
    warehouse.close()
