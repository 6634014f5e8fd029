"""The standard reports over the hotline of the tests: every one by every grouping, and figures."""

import re
from datetime import date
from pathlib import Path

import pytest

from sansheng.fairness import with_intervals
from tests.peers.hotline import hand_over, stories
from warehouse.chart import page
from warehouse.duck import Cursor
from warehouse.pdf import report_pdf
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
    warehouse.write(
        lambda c: c.execute(
            "INSERT INTO revised_items SELECT call_id, rule, CASE WHEN rule = 'forbidden_phrase'"
            " THEN 'pass' ELSE status END, earned, weight, clause, veto FROM items"
            " WHERE call_id = 'call-00'"
        )
    )
    warehouse.write(
        lambda c: c.execute(
            "INSERT INTO reviews (call_id, rule, reviewer, reviewed_at, decision, status, comment)"
            " VALUES ('call-00', 'forbidden_phrase', 'qachen', '2026-11-24', 'overrule', 'pass',"
            " '')"
        )
    )
    warehouse.close()
    return root / "s.duckdb"


@pytest.mark.parametrize("report", Report)
@pytest.mark.parametrize("by", By)
def test_every_report_by_every_grouping(file: Path, report: Report, by: By) -> None:
    found = run(report_sql(report, by, DAY, DAY), path=file, socket=None)
    assert found.rows
    assert str(by) in found.columns


def test_calibration_holds_the_machine_against_people(file: Path) -> None:
    found = run(report_sql(Report.CALIBRATION, By.TEAM, DAY, DAY), path=file, socket=None)
    (row,) = [dict(zip(found.columns, r, strict=True)) for r in found.rows]
    assert (row["rule"], row["team"], row["failed"], row["confirmed"]) == (
        "forbidden_phrase",
        "一班",
        1,
        0,
    )
    assert (row["precision"], row["precision_low"]) == (0, 0)
    assert row["precision_high"] == pytest.approx(0.7935, abs=1e-4)
    assert (row["wrong"], row["recall"]) == (0, None)


@pytest.mark.parametrize("report", Report)
@pytest.mark.parametrize("by", By)
def test_every_report_is_a_page_of_its_own(file: Path, report: Report, by: By) -> None:
    counted = run(report_sql(report, by, DAY, DAY), path=file, socket=None)
    found = with_intervals(report, counted)
    made = page(report, DAY, DAY, found.columns, found.rows)
    assert made.count("<tr>") == len(found.rows) + 1
    assert "http" not in made
    assert not re.findall(r"<th>[a-z_]+</th>", made)


def test_a_page_runs_nothing_that_a_name_holds() -> None:
    rows = [("<script>alert(1)</script>", 3, 2, 0.5, 4.0), (None, 1, 0, None, None)]
    columns = ("team", "calls", "in_time", "three_ring_rate", "mean_ring_s")
    made = page(Report.THREE_RINGS, DAY, DAY, columns, rows)
    assert "<script>" not in made
    assert made.count("<rect") == 1


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
    for report in (Report.BUSY_IDLE, Report.AGENTS):
        counted = run(report_sql(report, By.AGENT, DAY, DAY), path=file, socket=None)
        found = with_intervals(report, counted)
        assert len(found.rows) == 3
        for row in found.rows:
            told = dict(zip(found.columns, row, strict=True))
            wanted = [c for c in found.columns if c.endswith(("_low", "_high", "difference"))]
            assert wanted
            assert [told[c] for c in wanted] == [None] * len(wanted)


def test_busy_and_idle_are_compared_with_the_line_beside(tmp_path: Path) -> None:
    """王丽 scores 10 less when busy, but only on the bad lines that busy hours bring."""
    warehouse = Warehouse.open(tmp_path / "s.duckdb")
    warehouse.write(
        lambda c: c.execute(
            "INSERT INTO agents VALUES ('1001', '王丽', '一班'), ('1002', '李强', '一班');"
            "INSERT INTO calls BY NAME SELECT 'c' || n AS call_id, 'import' AS mode,"
            " CASE WHEN n % 2 = 0 THEN '1001' ELSE '1002' END AS agent, '' AS caller, '' AS called,"
            " TIMESTAMP '2026-11-23 16:30:00' + to_hours(CASE WHEN n < 100 THEN n // 11"
            " ELSE 10 + n // 50 END) AS invited_at, invited_at AS ended_at,"
            " 'caller' AS ended_by, 'bye' AS end_reason,"
            " CASE WHEN n % 2 = 1 THEN 90 + n // 2 % 3 ELSE 80 + n // 2 % 2 * 10 END AS score,"
            " CASE WHEN n % 2 = 0 THEN 3 + n // 2 % 2 ELSE 4 END AS mos, 0 AS fails, 0 AS reviews,"
            " false AS veto, '1' AS rules, '1' AS phrasebook, '' AS engine, '' AS model,"
            " invited_at AS ingested_at FROM range(300) t(n) WHERE n >= 100 OR n % 4 <> 0"
        )
    )
    sql = report_sql(Report.BUSY_IDLE, By.AGENT, DAY, DAY)
    warehouse.close()
    counted = run(sql, path=tmp_path / "s.duckdb", socket=None)
    found = with_intervals(Report.BUSY_IDLE, counted)
    wang, li = (dict(zip(found.columns, row, strict=True)) for row in found.rows)
    assert (wang["agent"], wang["agent_name"], li["agent"]) == ("1001", "王丽", "1002")
    assert (wang["busy_calls"], wang["idle_calls"]) == (100, 25)
    assert wang["difference"] == -5
    assert wang["difference_low"] < -5 < wang["difference_high"] < 0
    assert wang["line_difference"] == -0.5
    assert wang["adjusted"] == pytest.approx(0, abs=0.05)
    assert li["difference_low"] <= 0 <= li["difference_high"]
    assert with_intervals(Report.BUSY_IDLE, counted) == found


@pytest.mark.parametrize("report", Report)
def test_every_report_is_a_pdf_that_brings_its_font(file: Path, report: Report) -> None:
    counted = run(report_sql(report, By.AGENT, DAY, DAY), path=file, socket=None)
    found = with_intervals(report, counted)
    made = report_pdf(report, DAY, DAY, found.columns, found.rows)
    assert made.startswith(b"%PDF-")
    assert b"NotoSansCJK" in made
    assert b"/FontFile" in made


def test_a_long_report_has_its_heads_on_every_page() -> None:
    rows = [(f"{n}班", n, n, n / 100, None) for n in range(100)]
    columns = ("team", "calls", "in_time", "three_ring_rate", "mean_ring_s")
    made = report_pdf(Report.THREE_RINGS, DAY, DAY, columns, rows)
    assert made.count(b"/Type /Page\n") == 5


def test_violations_count_people_instead_of_the_machine_where_they_ruled(tmp_path: Path) -> None:
    warehouse = Warehouse.open(tmp_path / "s.duckdb")
    for story in stories():
        warehouse.ingest(hand_over(story, tmp_path / "analysed"), tmp_path / "archive")
    sql = report_sql(Report.VIOLATIONS, By.DAY, DAY, DAY)
    before = {row["rule"]: row for row in warehouse.rows(sql)}
    assert (before["forbidden_phrase"]["fails"], before["forbidden_phrase"]["reviews"]) == (1, 2)
    assert before["three_rings"]["judged"] == 12

    def rule(cursor: Cursor) -> None:
        """A person confirms call-01's suspicion and lifts call-00's failure."""
        for call_id, status in (("call-01", "fail"), ("call-00", "pass")):
            cursor.execute(
                "INSERT INTO revised_items SELECT call_id, rule, CASE WHEN rule ="
                " 'forbidden_phrase' THEN $status ELSE status END, earned, weight, clause, veto"
                " FROM items WHERE call_id = $call_id",
                {"call_id": call_id, "status": status},
            )
            cursor.execute(
                "INSERT INTO reviews (call_id, rule, reviewer, reviewed_at, decision, status,"
                " comment) VALUES ($call_id, 'forbidden_phrase', 'qachen', '2026-11-24',"
                " 'agree', $status, '')",
                {"call_id": call_id, "status": status},
            )

    warehouse.write(rule)
    after = {row["rule"]: row for row in warehouse.rows(sql)}
    assert (after["forbidden_phrase"]["fails"], after["forbidden_phrase"]["reviews"]) == (1, 1)
    assert after["three_rings"] == before["three_rings"]
    quality = warehouse.rows("SELECT * FROM v_rule_quality")
    warehouse.close()
    assert [row["rule"] for row in quality] == ["forbidden_phrase"]
    assert (quality[0]["failed"], quality[0]["confirmed"], quality[0]["overruled"]) == (1, 0, 1)
    assert (quality[0]["suspected"], quality[0]["suspicions_confirmed"]) == (1, 1)
    assert quality[0]["precision"] == 0
    assert quality[0]["precision_low"] == 0
    assert quality[0]["precision_high"] == pytest.approx(0.7935, abs=1e-4)


def test_the_line_and_the_signalling_can_be_asked(file: Path) -> None:
    found = run(
        "SELECT channel, packets, lost, mos, one_way FROM v_quality WHERE call_id = 'call-03'"
        " ORDER BY channel",
        path=file,
        socket=None,
    )
    assert found.rows == [("agent", 750, 0, 4.4, False), ("caller", 740, 10, 4.1, False)]
