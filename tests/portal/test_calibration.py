"""Second opinions, and how far rules and reviewers agree, by scoring's own figures."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from fastapi import FastAPI

from portal.access import Role
from portal.accounts import Accounts
from portal.app import create_app
from portal.settings import PortalSettings
from scoring import calibration
from tests.peers.hotline import PASSWORD
from tests.portal.conftest import Client, Clocks
from warehouse.store import Warehouse

Visit = Callable[..., Client]
VETO = {"call_id": "call-00", "rule": "forbidden_phrase", "finding": "0"}
DOUBT = {"call_id": "call-04", "rule": "forbidden_phrase", "finding": "0"}
HERE = re.compile(r'name="(call_id|rule|finding)" value="([^"]*)"')
ROW = re.compile(r'<tr data-rule="forbidden_phrase">.*?</tr>', re.S)


@pytest.fixture
def app(warehouse: Warehouse, clocks: Clocks) -> FastAPI:
    """Everything is heard by two people."""
    Accounts(warehouse, clock=lambda: clocks.wall).add(
        "qatwo", "二审", frozenset({Role.QA}), password=PASSWORD, must_change=False
    )
    return create_app(
        warehouse,
        PortalSettings(second_share=1, sample_least=0, sample_share=0),
        calibration=calibration,
        clock=lambda: clocks.wall,
        ticks=lambda: clocks.ticks,
    )


def waits(client: Client) -> dict[str, str]:
    return dict(HERE.findall(client.get("/queue").text))


def test_a_second_opinion_is_blind_and_the_third_is_not_asked(
    visit: Visit, clocks: Clocks, warehouse: Warehouse
) -> None:
    one, two = visit("qachen"), visit("qatwo")
    assert one.submit("/queue", **VETO, decision="overrule", comment="复述") == 303
    assert waits(one) != VETO
    shown = two.get("/queue").text
    assert dict(HERE.findall(shown)) == VETO
    assert "复述" not in shown
    assert "已撤销" not in shown
    clocks.forward(timedelta(minutes=1))
    assert two.submit("/queue", **VETO, decision="agree") == 303
    final = "SELECT final_score FROM v_calls WHERE call_id = 'call-00'"
    assert warehouse.rows(final) == [{"final_score": 0.0}]
    Accounts(warehouse, clock=lambda: clocks.wall).add(
        "qathree", "三审", frozenset({Role.QA}), password=PASSWORD, must_change=False
    )
    assert waits(visit("qathree")) != VETO


def test_the_page_shows_scorings_figures_and_who_differs(visit: Visit, clocks: Clocks) -> None:
    one, two = visit("qachen"), visit("qatwo")
    assert "还没有复核记录" in one.get("/calibration").text
    for client, entry, decision in (
        (one, VETO, "agree"),
        (two, VETO, "agree"),
        (one, DOUBT, "agree"),
        (two, DOUBT, "overrule"),
    ):
        clocks.forward(timedelta(minutes=1))
        assert client.submit("/queue", **entry, decision=decision) == 303
    text = one.get("/calibration").text
    row = ROW.search(text)
    assert row is not None
    cells = re.sub(r"<[^>]+>", "", row[0])
    precision = calibration.share(2, 2)
    assert f"100.0% {precision.low * 100:.1f}%–100.0% · 2/2" in cells
    assert "66.7%" in cells
    assert "50.0%" in cells
    assert "0.00" in cells
    assert "2 对" in cells
    assert '<a href="/calls/call-04">call-04</a>' in text
    assert '<a href="/calls/call-00">call-00</a>' not in text


def test_a_heard_sample_speaks_for_every_verdict(visit: Visit, warehouse: Warehouse) -> None:
    sample = {"call_id": "call-03", "rule": "*", "finding": ""}
    client = visit("qachen")
    assert client.submit("/queue", **sample, decision="agree") == 303
    text = client.get("/calibration").text
    items = warehouse.rows(
        "SELECT rule FROM items WHERE call_id = 'call-03' AND status IN ('pass', 'fail')"
    )
    assert text.count("<tr data-rule=") == len(items) > 5


def test_a_team_sees_its_own_calibration(visit: Visit) -> None:
    assert visit("qachen").submit("/queue", **VETO, decision="agree") == 303
    assert "forbidden_phrase" not in visit("qateam2").get("/calibration").text


def test_without_the_figures_the_page_says_so(warehouse: Warehouse, clocks: Clocks) -> None:
    bare = create_app(warehouse, PortalSettings(), clock=lambda: clocks.wall)
    with Client(bare, follow_redirects=False) as client:
        assert client.sign_in("qachen") == 303
        assert "没有接入校准统计" in client.get("/calibration").text
