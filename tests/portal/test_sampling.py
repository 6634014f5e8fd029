"""The calls without a doubt that QA hears: a share of each agent's, of all parts of the day."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from portal.sql import statement
from warehouse.duck import Cursor
from warehouse.store import Warehouse

MORNING = datetime(2026, 11, 23, 0, 30, tzinfo=UTC)
"""Half past eight in the hotline's morning."""
AGENTS = ("1001", "1002")
HOURS = (*range(10), 4, 13)
"""Of each agent's calls, from half past eight on: through the day, noon and night among them."""


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    found = Warehouse.open(tmp_path / "w.duckdb")

    def fill(cursor: Cursor) -> None:
        for agent in AGENTS:
            for number, hour in enumerate(HOURS * 5):
                at = MORNING + timedelta(hours=hour, seconds=number)
                cursor.execute(
                    "INSERT INTO calls (call_id, mode, agent, caller, called, invited_at,"
                    " answered_at, ended_at, ended_by, end_reason, fails, reviews, veto, rules,"
                    " phrasebook, engine, model, ingested_at) VALUES ($id, 'bridge', $agent,"
                    " '', '', $at, $at, $at, 'caller', 'bye', 0, 0, false, '', '', '', '', $at)",
                    {"id": f"{agent}-{number}", "agent": agent, "at": at.replace(tzinfo=None)},
                )

    found.write(fill)
    return found


def drawn(warehouse: Warehouse, share: float, least: int = 1) -> list[dict[str, object]]:
    found = warehouse.rows(
        statement("queue"),
        {
            "since": datetime(2026, 11, 1, tzinfo=UTC),
            "offset": 480,
            "share": share,
            "least": least,
            "every": 5,
            "second": 0.0,
            "reach_agent": None,
            "reach_team": None,
            "my_agent": None,
            "many": 1000,
        },
    )
    warehouse.close()
    return found


def test_every_agent_is_heard_by_the_share_and_from_each_part_of_the_day(
    warehouse: Warehouse,
) -> None:
    found = drawn(warehouse, share=0.05)
    assert {row["rule"] for row in found} == {"*"}
    calls = [str(row["call_id"]).split("-") for row in found]
    for agent in AGENTS:
        hours = [8 + HOURS[int(number) % len(HOURS)] for name, number in calls if name == agent]
        assert len(hours) == round(0.05 * len(HOURS) * 5)
        parts = {"noon" if h in (12, 13) else "day" if 7 <= h <= 19 else "night" for h in hours}
        assert parts == {"noon", "day", "night"}


def test_a_quiet_agent_is_heard_too(warehouse: Warehouse) -> None:
    assert len(drawn(warehouse, share=0.0, least=2)) == 2 * len(AGENTS)


def test_samples_come_up_however_many_doubts_wait(warehouse: Warehouse) -> None:
    def doubt(cursor: Cursor) -> None:
        cursor.execute(
            "INSERT INTO items (call_id, rule, status, earned, weight, clause)"
            " SELECT call_id, 'hold', 'review', 0, 1, '' FROM calls"
            " WHERE agent = '1001' ORDER BY call_id LIMIT 40"
        )

    warehouse.write(doubt)
    kinds = [row["why"] for row in drawn(warehouse, share=0.2)]
    assert kinds[:50] == [*["review"] * 4, "sample"] * 10
    assert set(kinds[50:]) == {"sample"}
