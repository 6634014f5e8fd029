"""The phrasebook's page: what is in it, and a sentence tried against it."""

import re
from collections.abc import Callable

import pytest

from phrasebook.book import load
from tests.portal.conftest import Client
from warehouse.store import Warehouse

Visit = Callable[..., Client]
SAID = re.compile(r'<div id="said".*?</div>', re.S)


def tried(client: Client, text: str, prev: str = "") -> str:
    form = {"csrf": client.token(), "text": text, "prev": prev}
    found = SAID.search(client.post("/phrases", data=form).text)
    assert found is not None
    return re.sub(r"<[^>]+>", "", found[0])


def test_the_page_shows_the_version_and_every_family(visit: Visit) -> None:
    book, text = load(), visit("qachen").get("/phrases").text
    assert book.version in text
    assert "下班" in text
    assert text.count('data-label="类别"') >= 10
    assert 'id="said"' not in text


@pytest.mark.parametrize(
    ("sentence", "verdict"),
    [("我要下班啦", "不合格"), ("您好，请问有什么可以帮您？", "没有发现禁用语")],
)
def test_a_sentence_is_tried_with_the_phrasebook_itself(
    visit: Visit, sentence: str, verdict: str
) -> None:
    assert verdict in tried(visit("qachen"), sentence)


def test_what_was_tried_is_escaped_and_kept_nowhere(visit: Visit, warehouse: Warehouse) -> None:
    client = visit("qachen")
    mark = "<b>快点我这里正忙呢</b>"
    form = {"csrf": client.token(), "text": mark}
    assert mark not in client.post("/phrases", data=form).text
    assert "正忙" not in str(warehouse.rows("SELECT * FROM audit"))


def test_a_sentence_too_long_is_refused(visit: Visit) -> None:
    assert visit("qachen").submit("/phrases", text="好" * 201) == 422
