"""What was said, found by its words, and gone from the search once it is gone."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.peers.hotline import NOW, hand_over, stories
from warehouse.settings import WarehouseSettings
from warehouse.store import Warehouse

TEXTS = ("请问社保，卡怎么办？", "用 App 查公积金。", "社区的卡在窗口领", "您的 app 要更新")


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    made = Warehouse.open(tmp_path / "s.duckdb")
    for story in stories()[:2]:
        made.ingest(hand_over(story, tmp_path / "analysed"), tmp_path / "archive")
    made.write(lambda c: c.execute("DELETE FROM utterances"))
    rows = [
        (f"call-{place % 2:02}", place, "caller", place, place + 1, text)
        for place, text in enumerate(TEXTS)
    ]
    made.write(lambda c: c.insert("utterances", rows))
    yield made
    made.close()


def found(warehouse: Warehouse, words: str) -> set[int]:
    return {row["place"] for row in warehouse.rows("SELECT * FROM said($w)", {"w": words})}


@pytest.mark.parametrize(
    ("words", "places"),
    [
        ("社保卡", {0}),
        ("社保 卡怎么", {0}),
        ("卡", {0, 2}),
        ("APP", {1, 3}),
        ("app查公积金", {1}),
        ("公积金。", {1}),
        ("社保卡在", set()),
        ("医保", set()),
        ("，。", set()),
        ("", set()),
        ("' OR 1=1 --", set()),
    ],
)
def test_punctuation_spaces_and_case_do_not_count(
    warehouse: Warehouse, words: str, places: set[int]
) -> None:
    assert found(warehouse, words) == places


def test_it_has_the_columns_of_the_utterances(warehouse: Warehouse) -> None:
    (row,) = warehouse.rows("SELECT * FROM said('社保卡')")
    (same,) = warehouse.rows("SELECT * FROM v_utterances WHERE place = 0")
    assert row == same


def test_what_is_erased_or_past_its_period_is_not_found(warehouse: Warehouse) -> None:
    warehouse.write(
        lambda c: c.execute("UPDATE calls SET caller = '13711112222' WHERE call_id = 'call-00'")
    )
    warehouse.erase("13711112222", "root", "request 17")
    assert found(warehouse, "社保卡") == set()
    assert found(warehouse, "公积金") == {1}
    warehouse.retain(WarehouseSettings(transcripts_days=1), NOW + timedelta(days=9))
    assert found(warehouse, "公积金") == set()
