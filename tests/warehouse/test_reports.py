"""The standard reports over the hotline of the tests: every one by every grouping, and figures."""

from datetime import date
from pathlib import Path

import pytest

from tests.peers.hotline import hand_over, stories
from warehouse.query import run
from warehouse.reports import By, Report, report_sql
from warehouse.store import Warehouse

DAY = date(2026, 11, 24)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("reports")
    warehouse = Warehouse.open(root / "s.duckdb")
    warehouse.write(
        lambda c: c.executemany(
            "INSERT INTO agents VALUES (?, ?, ?)",
            [("1001", "王丽", "一班"), ("1002", "李强", "一班"), ("2001", "赵敏", "二班")],
        )
    )
    for story in stories():
        warehouse.ingest(hand_over(story, root / "analysed"), root / "archive")
    warehouse.close()
    return root / "s.duckdb"


@pytest.mark.parametrize("report", Report)
@pytest.mark.parametrize("by", By)
def test_every_report_by_every_grouping(file: Path, report: Report, by: By) -> None:
    found = run(report_sql(report, by, DAY, DAY), path=file, socket=None)
    assert found.rows
    assert str(by) in found.columns


def test_three_rings_by_team(file: Path) -> None:
    found = run(report_sql(Report.THREE_RINGS, By.TEAM, DAY, DAY), path=file, socket=None)
    rates = {row[0]: row[1:4] for row in found.rows}
    assert rates == {"一班": (8, 7, 0.875), "二班": (4, 3, 0.75)}


def test_a_period_without_calls_is_empty(file: Path) -> None:
    empty = date(2020, 1, 1)
    found = run(report_sql(Report.AGENTS, By.AGENT, empty, empty), path=file, socket=None)
    assert found.rows == []


def test_noon_is_told_apart(file: Path) -> None:
    found = run(report_sql(Report.NOON_DUTY, By.DAY, DAY, DAY), path=file, socket=None)
    parts = {row[1]: (row[2], row[3]) for row in found.rows}
    assert parts == {"noon": (3, 2), "rest": (9, 9)}


def test_few_calls_are_not_compared(file: Path) -> None:
    found = run(report_sql(Report.BUSY_IDLE, By.AGENT, DAY, DAY), path=file, socket=None)
    assert all(row[-1] is None for row in found.rows)
