"""Words in transcripts: by what was written down, by sound, newest first."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from portal.access import Reach
from portal.ports import NO_PARAMS, Params
from portal.search import By, search
from tests.peers.hotline import NOW, Story, hand_over
from tests.portal.conftest import Client
from tests.portal.test_access import bearer, token_for
from warehouse.duck import Cursor
from warehouse.store import Warehouse

Visit = Callable[..., Client]
MISHEARD = "那个居住正，您要带上"


@pytest.fixture
def misheard(warehouse: Warehouse) -> Warehouse:
    """One utterance more, in which the recogniser took 证 for 正."""

    def add(cursor: Cursor) -> None:
        cursor.execute(
            "INSERT INTO utterances (call_id, place, channel, start_ms, end_ms, text)"
            " VALUES ('call-00', 900, 'agent', 1000, 2000, $text)",
            {"text": MISHEARD},
        )

    warehouse.write(add)
    return warehouse


def test_what_was_misheard_is_found_by_its_sound_and_marked(misheard: Warehouse) -> None:
    assert search(misheard, Reach(), "居住证") == []
    [place] = search(misheard, Reach(), "居住证", by=By.SOUND)
    assert (place["text"], place["literal"]) == (MISHEARD, False)
    [place] = search(misheard, Reach(), "居住正", by=By.SOUND)
    assert place["literal"]


@pytest.mark.parametrize("words", ["居住证，你要带", "基注 政", "举住征，您"])
def test_marks_and_spaces_do_not_keep_a_sound_from_being_found(
    misheard: Warehouse, words: str
) -> None:
    found = search(misheard, Reach(), words, by=By.SOUND)
    assert [place["text"] for place in found] == ([] if words.startswith("基") else [MISHEARD])


def test_the_other_side_did_not_say_it(misheard: Warehouse) -> None:
    assert search(misheard, Reach(), "居住证", by=By.SOUND, channel="caller") == []
    assert search(misheard, Reach(agent="1002"), "居住证", by=By.SOUND) == []


@pytest.mark.parametrize("words", ["[证", "(", "a|b", ".*", "\\", "，。", "居", "", "%_", "证]{9"])
def test_signs_of_a_pattern_are_signs_of_the_text(misheard: Warehouse, words: str) -> None:
    assert search(misheard, Reach(), words, by=By.SOUND) == []


def test_the_page_asks_by_sound_and_the_interface_if_told_to(
    misheard: Warehouse, app: FastAPI, visit: Visit
) -> None:
    qa = visit("qachen")
    assert MISHEARD in (shown := qa.get("/search", params={"words": "居住证"}).text)
    assert "读音相近" in shown.split('class="result"')[1]
    literal = qa.get("/search", params={"words": "居住证", "by": "words"})
    assert MISHEARD not in literal.text
    assert qa.get("/search", params={"words": "居住证", "by": "smell"}).status_code == 422
    token = bearer(token_for(misheard, app, "qachen"))
    for by, found in (({}, []), ({"by": "sound"}, [False])):
        answer = visit().get("/api/v1/search", params={"words": "居住证", **by}, headers=token)
        assert [place["literal"] for place in answer.json()["found"]] == found


@pytest.mark.parametrize("recent", [1, 5, 20])
@pytest.mark.parametrize("many", [1, 3, 50])
def test_a_search_of_the_latest_rows_finds_what_a_whole_one_does(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, recent: int, many: int
) -> None:
    """The calls of these tests came in newest first: the last rows are those of the oldest call."""
    whole = search(warehouse, Reach(), "社保", many=many)
    monkeypatch.setattr("portal.search._RECENT", recent)
    assert search(warehouse, Reach(), "社保", many=many) == whole
    newest = warehouse.rows("SELECT max(invited_at) AS at FROM calls WHERE answered_at IS NOT NULL")
    assert whole[0]["invited_at"] == newest[0]["at"]


def test_a_search_takes_the_latest_rows_where_they_hold_the_latest_calls(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for minute in range(3):
        story = Story(call_id=f"late-{minute}", agent="1001", at=NOW + timedelta(minutes=minute))
        warehouse.ingest(hand_over(story, tmp_path / "more"), tmp_path / "archive")
    monkeypatch.setattr("portal.search._RECENT", 10)
    asked: list[object] = []
    rows = warehouse.rows

    def noted(sql: str, params: Params = NO_PARAMS, *, max_rows: int = 10_000) -> Any:
        asked.append(params.get("first"))
        return rows(sql, params, max_rows=max_rows)

    monkeypatch.setattr(warehouse, "rows", noted)
    found = search(warehouse, Reach(), "社保", many=2)
    assert [row["call_id"] for row in found] == ["late-2", "late-2"]
    assert 0 not in asked
