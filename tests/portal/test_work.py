"""The day's work: reviews, appeals, scores side by side, Excel, the API, what is masked."""

import io
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
from fastapi import FastAPI
from openpyxl import load_workbook

from portal.access import Role
from portal.accounts import Accounts
from portal.settings import PortalSettings
from tests.peers.hotline import NOW, PASSWORD
from tests.portal.conftest import Client, Clocks
from tests.portal.test_access import bearer, token_for
from warehouse.pdf import Section, document
from warehouse.query import run
from warehouse.server import QueryServer
from warehouse.store import Warehouse

Visit = Callable[..., Client]
VETO = {"call_id": "call-00", "rule": "forbidden_phrase", "finding": "0"}


def score_of(warehouse: Warehouse, call_id: str) -> tuple[float, float, int, int, bool]:
    row = warehouse.rows("SELECT * FROM v_calls WHERE call_id = $id", {"id": call_id})[0]
    return row["score"], row["final_score"], row["fails"], row["reviews"], row["veto"]


def states(warehouse: Warehouse) -> list[tuple[str, float]]:
    rows = warehouse.rows("SELECT state, score FROM states ORDER BY made_at, state")
    return [(row["state"], row["score"]) for row in rows]


def test_a_veto_that_is_confirmed_stays_and_is_no_longer_pending(
    visit: Visit, warehouse: Warehouse
) -> None:
    qa = visit("qachen")
    assert 'data-call="call-00"' in qa.get("/queue").text
    assert qa.submit("/queue", **VETO, decision="agree") == 303
    assert score_of(warehouse, "call-00") == (85.0, 0.0, 1, 0, False)
    assert "一票否决已确认" in qa.get("/calls/call-00").text
    assert 'data-call="call-00"' not in qa.get("/queue").text


def test_an_overruled_veto_gives_the_points_back_beside_the_automatic_score(
    visit: Visit, warehouse: Warehouse
) -> None:
    qa = visit("qachen")
    assert qa.submit("/queue", **VETO, decision="overrule", comment="在复述来电人") == 303
    assert score_of(warehouse, "call-00") == (85.0, 100.0, 0, 0, False)
    assert states(warehouse) == [("reviewed", 100.0)]
    shown = visit("wangli").get("/calls/call-00").text
    assert "在复述来电人" in shown
    assert "一票否决已撤销" in shown
    stored = warehouse.stored("call-00")
    assert stored is not None
    assert stored.analysis.scorecard.score == 85.0


def test_a_doubt_that_is_agreed_with_costs_points(visit: Visit, warehouse: Warehouse) -> None:
    entry = {"call_id": "call-04", "rule": "forbidden_phrase", "finding": "0"}
    automatic = score_of(warehouse, "call-04")
    assert visit("qachen").submit("/queue", **entry, decision="agree") == 303
    after = score_of(warehouse, "call-04")
    assert after[1] < automatic[1]
    assert (after[2], after[3]) == (automatic[2] + 1, 0)


def test_what_is_skipped_waits_for_another_reviewer_and_for_tomorrow(
    visit: Visit, warehouse: Warehouse, clocks: Clocks
) -> None:
    qa = visit("qachen")
    assert qa.submit("/queue", **VETO, decision="skip") == 303
    assert 'data-call="call-00"' not in qa.get("/queue").text
    Accounts(warehouse, clock=lambda: NOW).add(
        "qatwo", "二审", frozenset({Role.QA}), password=PASSWORD, must_change=False
    )
    assert 'data-call="call-00"' in visit("qatwo").get("/queue").text
    clocks.forward(timedelta(days=1))
    assert 'data-call="call-00"' in visit("qachen").get("/queue").text


def test_the_queue_ends_and_samples_are_a_fixed_share(visit: Visit, warehouse: Warehouse) -> None:
    qa, heard = visit("qachen"), []
    while 'id="decide"' in (text := qa.get("/queue").text):
        form = {
            name: text.split(f'name="{name}" value="')[1].split('"')[0]
            for name in ("call_id", "rule", "finding")
        }
        heard.append((form["call_id"], form["rule"]))
        assert qa.submit("/queue", **form, decision="agree") == 303
    assert heard[0] == ("call-00", "forbidden_phrase")
    assert [rule for _, rule in heard[1:3]] == ["forbidden_phrase"] * 2
    samples = [call for call, rule in heard if rule == "*"]
    assert len(samples) == len(set(samples)) == 3 * PortalSettings().sample_least


@pytest.mark.parametrize(
    "wrong",
    [
        {"decision": "maybe"},
        {"rule": "no_such_rule"},
        {"finding": "7"},
        {"finding": "-1"},
        {"rule": "greeting"},
        {"rule": "*", "finding": "", "decision": "overrule"},
        {"decision": "overrule", "status": "review"},
    ],
)
def test_a_decision_that_makes_no_sense_is_refused(
    visit: Visit, warehouse: Warehouse, wrong: dict[str, str]
) -> None:
    form = {**VETO, "decision": "agree", **wrong}
    assert visit("qachen").submit("/queue", **form) == 422
    assert warehouse.rows("SELECT * FROM reviews") == []


def test_nobody_reviews_or_decides_on_their_own_call(visit: Visit, warehouse: Warehouse) -> None:
    Accounts(warehouse, clock=lambda: NOW).add(
        "both",
        "兼职",
        frozenset({Role.AGENT, Role.QA}),
        password=PASSWORD,
        agent="1001",
        must_change=False,
    )
    client = visit("both")
    assert 'data-call="call-00"' not in client.get("/queue").text
    assert client.submit("/queue", **VETO, decision="overrule") == 403
    assert client.submit("/calls/call-00/appeals", rule="forbidden_phrase", reason="误判") == 303
    assert client.submit("/appeals/1", verdict="uphold", status="pass", answer="同意") == 403


def test_an_appeal_from_reason_to_decision(
    visit: Visit, warehouse: Warehouse, clocks: Clocks
) -> None:
    agent, qa = visit("wangli"), visit("qachen")
    form = {
        "rule": "forbidden_phrase",
        "reason": "我在复述来电人的话",
        "start": "12.2",
        "end": "13",
    }
    assert agent.submit("/calls/call-00/appeals", **form) == 303
    assert agent.submit("/calls/call-00/appeals", **form) == 409
    desk = qa.get("/appeals").text
    assert "我在复述来电人的话" in desk
    assert "0:12.2" in desk
    assert qa.submit("/appeals/1", verdict="uphold", answer="成立") == 422
    assert qa.submit("/appeals/1", verdict="uphold", status="pass", answer="") == 422
    clocks.forward(timedelta(minutes=1))
    assert qa.submit("/appeals/1", verdict="uphold", status="pass", answer="听过，成立") == 303
    assert qa.submit("/appeals/1", verdict="reject", answer="再来") == 409
    assert score_of(warehouse, "call-00") == (85.0, 100.0, 0, 0, False)
    assert states(warehouse) == [("decided", 100.0)]
    assert "听过，成立" in agent.get("/calls/call-00").text


def test_a_rejected_appeal_keeps_the_score_and_says_why(visit: Visit, warehouse: Warehouse) -> None:
    agent = visit("wangli")
    agent.submit("/calls/call-00/appeals", rule="forbidden_phrase", reason="误判")
    assert visit("qachen").submit("/appeals/1", verdict="reject", answer="确有此话") == 303
    assert score_of(warehouse, "call-00")[1] == 85.0
    assert "确有此话" in agent.get("/calls/call-00").text


def test_after_an_appeal_only_a_decision_by_somebody_else_changes_the_score(
    visit: Visit, warehouse: Warehouse, clocks: Clocks
) -> None:
    qa = visit("qachen")
    assert qa.submit("/queue", **VETO, decision="agree") == 303
    clocks.forward(timedelta(minutes=1))
    visit("wangli").submit("/calls/call-00/appeals", rule="forbidden_phrase", reason="误判")
    entry = {"call_id": "call-00", "rule": "greeting", "finding": ""}
    refused = qa.post("/queue", data={"csrf": qa.token(), **entry, "decision": "overrule"})
    assert (refused.status_code, "只能在申诉台裁定" in refused.text) == (409, True)
    own = qa.post("/appeals/1", data={"csrf": qa.token(), "verdict": "reject", "answer": "确有"})
    assert (own.status_code, "请由其他人裁定" in own.text) == (403, True)
    assert score_of(warehouse, "call-00")[1] == 0.0
    Accounts(warehouse, clock=lambda: NOW).add(
        "qatwo", "二审", frozenset({Role.QA}), password=PASSWORD, must_change=False
    )
    form = {"verdict": "uphold", "status": "pass", "answer": "成立"}
    assert visit("qatwo").submit("/appeals/1", **form) == 303
    assert score_of(warehouse, "call-00") == (85.0, 100.0, 0, 0, False)


def test_appeals_have_a_deadline(visit: Visit, clocks: Clocks, warehouse: Warehouse) -> None:
    agent = visit("wangli")
    clocks.forward(timedelta(days=PortalSettings().appeal_days, hours=2))
    agent = visit("wangli")
    assert agent.submit("/calls/call-00/appeals", rule="greeting", reason="晚了") == 409
    assert warehouse.rows("SELECT * FROM appeals") == []


def test_every_look_hearing_and_export_is_in_the_audit_log(
    visit: Visit, warehouse: Warehouse
) -> None:
    chief = visit("banzhang")
    chief.get("/calls/call-00")
    chief.get("/calls/call-00/audio")
    chief.get("/calls.xlsx")
    chief.get("/overview.xlsx")
    chief.get("/search", params={"words": "下班"})
    rows = warehouse.rows("SELECT action, subject, detail FROM audit WHERE actor = 'banzhang'")
    assert [(r["action"], r["subject"]) for r in rows][-5:] == [
        ("view_call", "call-00"),
        ("play_audio", "call-00"),
        ("export", "calls"),
        ("export", "overview"),
        ("search", ""),
    ]
    assert "下班" not in str(rows)
    page = visit("root").get("/admin/audit").text
    assert "哈希链完整" in page
    warehouse.write(lambda c: c.execute("UPDATE audit SET actor = 'x' WHERE seq = 2"))
    assert "哈希链在第 2 条断开" in visit("root").get("/admin/audit").text


def test_the_overviews_excel_equals_sansheng_query(visit: Visit, warehouse: Warehouse) -> None:
    chief = visit("banzhang")
    body = chief.get("/overview.xlsx", params={"since": "2026-11-24", "until": "2026-11-24"})
    book = load_workbook(io.BytesIO(body.content))
    figures = {row[0].value: row[1].value for row in book["总览"].iter_rows(min_row=2)}
    server = QueryServer(warehouse, warehouse.path.parent / "q.sock")
    server.start()
    asked = run(
        "SELECT (SELECT avg(CAST(in_time AS INTEGER)) FROM v_three_rings),"
        " (SELECT avg(final_score) FROM v_calls), (SELECT count(*) FROM v_calls),"
        " (SELECT sum(CAST(status = 'fail' AS INTEGER)) FROM v_items)",
        path=warehouse.path,
        socket=warehouse.path.parent / "q.sock",
    )
    server.stop()
    keys = ("三声接听率", "平均分", "来电", "不合格")
    assert [figures[key] for key in keys] == pytest.approx(list(asked.rows[0]))
    agents = {row[0].value: row[2].value for row in book["话务员"].iter_rows(min_row=2)}
    assert agents == {"王丽": 4, "李强": 4, "赵敏": 4}


def test_a_workbook_runs_no_formula(visit: Visit, warehouse: Warehouse) -> None:
    warehouse.write(
        lambda c: c.execute("UPDATE agents SET name = '=HYPERLINK(1)' WHERE agent = '1001'")
    )
    book = load_workbook(io.BytesIO(visit("banzhang").get("/calls.xlsx").content))
    cells = [cell for row in book.active.iter_rows() for cell in row]
    assert any(cell.value == "'=HYPERLINK(1)" for cell in cells)
    assert all(cell.data_type != "f" for cell in cells)


def test_personal_numbers_are_masked_on_every_way(
    app: FastAPI, visit: Visit, warehouse: Warehouse
) -> None:
    qa = visit("qachen")
    token = bearer(token_for(warehouse, app, "qachen"))
    for text in (
        qa.get("/calls/call-00").text,
        qa.get("/calls").text,
        qa.get("/search", params={"words": "电话"}).text,
        qa.get("/api/v1/calls/call-00", headers=token).text,
        qa.get("/api/v1/calls", headers=token).text,
    ):
        assert "13812345678" not in text
        assert "13900001234" not in text
    assert "138****5678" in qa.get("/calls/call-00").text


def test_what_people_write_is_text_never_markup(visit: Visit, warehouse: Warehouse) -> None:
    script = "<script>alert(1)</script>"
    visit("wangli").submit("/calls/call-00/appeals", rule="greeting", reason=script)
    for user, path in (("qachen", "/appeals"), ("wangli", "/calls/call-00")):
        assert script not in visit(user).get(path).text
    found = visit("qachen").get("/search", params={"words": script})
    assert script not in found.text


def test_audio_is_answered_in_ranges(visit: Visit) -> None:
    client = visit("wangli")
    whole = client.get("/calls/call-00/audio")
    assert whole.headers["accept-ranges"] == "bytes"
    part = client.get("/calls/call-00/audio", headers={"Range": "bytes=100-199"})
    assert part.status_code == 206
    assert part.content == whole.content[100:200]
    assert part.headers["content-range"] == f"bytes 100-199/{len(whole.content)}"
    beyond = client.get("/calls/call-00/audio", headers={"Range": "bytes=99999999-"})
    assert beyond.status_code == 416


def test_a_call_without_audio_says_so(visit: Visit) -> None:
    client = visit("zhaomin")
    assert "没有录音" in client.get("/calls/call-02").text
    assert client.get("/calls/call-02/audio").status_code == 404
    assert client.get("/calls/call-02/peaks").status_code == 404


def test_the_list_goes_on_page_by_page(app: FastAPI, visit: Visit, warehouse: Warehouse) -> None:
    client, token = visit(), bearer(token_for(warehouse, app, "qachen"))
    seen: list[str] = []
    after = ""
    while True:
        params = {"limit": "5", "after": after}
        body = client.get("/api/v1/calls", params=params, headers=token).json()
        seen += [row["call_id"] for row in body["calls"]]
        after = body["next"]
        if not after:
            break
    assert len(seen) == len(set(seen)) == 12
    times = warehouse.rows("SELECT call_id FROM v_calls ORDER BY invited_at DESC, call_id DESC")
    assert seen == [row["call_id"] for row in times]


def test_the_api_has_one_shape_of_error(app: FastAPI, visit: Visit, warehouse: Warehouse) -> None:
    client, token = visit(), bearer(token_for(warehouse, app, "qachen"))
    for path, headers, status, code in (
        ("/api/v1/calls", {}, 401, "bad_token"),
        ("/api/v1/calls", bearer("sansheng_x_y"), 401, "bad_token"),
        ("/api/v1/calls/none", token, 404, "not_found"),
        ("/api/v1/nothing", token, 404, "not_found"),
        ("/api/v1/calls?limit=0", token, 422, "bad_request"),
        ("/api/v1/calls?since=2026-99-99", token, 422, "bad_request"),
        ("/api/v1/calls?after=x", token, 422, "bad_request"),
        ("/api/v1/search?words=x", token, 422, "bad_request"),
    ):
        answer = client.get(path, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), path
        assert set(answer.json()) == {"error"}


def test_a_token_ends_with_its_time_its_scope_its_revocation_and_its_owner(
    app: FastAPI, visit: Visit, warehouse: Warehouse, clocks: Clocks
) -> None:
    chief = visit("banzhang")
    made = chief.post(
        "/tokens", data={"csrf": chief.token(), "name": "报表", "scopes": ["reports"]}
    ).text
    token = bearer(made.split('<code id="token">')[1].split("<")[0])
    client = visit()
    assert client.get("/api/v1/reports/overview", headers=token).status_code == 200
    assert client.get("/api/v1/calls", headers=token).json()["error"]["code"] == "no_scope"
    assert token["Authorization"].split("_")[2] not in str(warehouse.rows("SELECT * FROM tokens"))
    clocks.forward(timedelta(days=PortalSettings().token_days, minutes=1))
    assert client.get("/api/v1/reports/overview", headers=token).status_code == 401
    other = token_for(warehouse, app, "banzhang")
    assert client.get("/api/v1/calls", headers=bearer(other)).status_code == 200
    app.state.desk.accounts.set_disabled("banzhang", True, by="root")
    assert client.get("/api/v1/calls", headers=bearer(other)).status_code == 401


def test_the_api_describes_itself(visit: Visit) -> None:
    spec = visit().get("/api/v1/openapi.json").json()
    assert spec["openapi"].startswith("3.")
    assert set(spec["paths"]) == {
        "/api/v1/calls",
        "/api/v1/calls/{call_id}",
        "/api/v1/calls/{call_id}/audio",
        "/api/v1/search",
        "/api/v1/reports/overview",
    }


def test_every_page_carries_the_policy_and_no_inline_script(visit: Visit) -> None:
    for user, paths in (
        ("qachen", ("/queue", "/appeals", "/calls", "/calls/call-00", "/overview", "/search")),
        ("banzhang", ("/overview", "/live", "/tokens")),
        ("wangli", ("/me", "/calls", "/calls/call-00")),
        ("root", ("/admin/users", "/admin/audit", "/password")),
    ):
        client = visit(user)
        for path in paths:
            answer = client.get(path)
            assert answer.status_code == 200, path
            policy = answer.headers["content-security-policy"]
            assert "script-src 'self';" in policy
            assert "unsafe" not in policy
            assert answer.headers["cache-control"] == "no-store"
            scripts = answer.text.split("<script")[1:]
            assert all("src=" in s.split(">")[0] or "json" in s.split(">")[0] for s in scripts)
            assert " style=" not in answer.text
            assert " onclick=" not in answer.text


def test_english_and_dark_are_a_choice(visit: Visit) -> None:
    client = visit("qachen")
    assert client.submit("/preferences", language="en", back="/calls") == 303
    assert client.submit("/preferences", theme="dark", back="//evil.example") == 303
    shown = client.get("/calls").text
    assert "<h1>Calls</h1>" in shown
    assert 'data-theme="dark"' in shown


def test_an_error_of_ours_shows_no_inside(app: FastAPI, visit: Visit) -> None:
    client = visit("qachen")
    app.state.desk.store = None
    answer = client.get("/calls")
    assert answer.status_code == 500
    assert "Traceback" not in answer.text
    assert "NoneType" not in answer.text


def test_a_damaged_call_is_told_and_the_queue_goes_on(visit: Visit, warehouse: Warehouse) -> None:
    damage = "UPDATE records SET analysis_json = '{}' WHERE call_id = 'call-00'"
    qa = visit("qachen")
    assert 'data-call="call-00"' in qa.get("/queue").text
    warehouse.write(lambda cursor: cursor.execute(damage))
    shown = qa.get("/queue")
    assert shown.status_code == 200
    told = shown.text.split('id="skipped"')[1].split("</p>")[0]
    assert "call-00" in told
    assert 'data-call="call-0' in shown.text
    assert 'data-call="call-00"' not in shown.text
    damaged = qa.get("/calls/call-00")
    assert damaged.status_code == 409
    assert "记录读不了" in damaged.text
    assert qa.get("/calls/call-00/audio").status_code == 409


def test_the_monthly_report_has_the_month_beside_the_one_before(
    visit: Visit, warehouse: Warehouse
) -> None:
    boss = visit("banzhang")
    assert "monthly.xlsx?month=2026-11" in boss.get("/overview").text
    answer = boss.get("/monthly.xlsx", params={"month": "2026-11"})
    assert answer.status_code == 200
    book = load_workbook(io.BytesIO(answer.content))
    heads, *rows = [[cell.value for cell in row] for row in book["月报"].iter_rows()]
    assert heads == ["月报", "2026-11", "2026-10"]
    figures = {row[0]: row[1:] for row in rows}
    (asked,) = warehouse.rows("SELECT avg(in_time::INT) AS rate, count(*) AS n FROM v_three_rings")
    assert figures["来电"] == [12, 0]
    assert figures["三声接听率"] == [pytest.approx(asked["rate"]), None]
    assert len(book.sheetnames) == 4
    for month in ("2026-13", "2026-1", "1900-01", "x"):
        assert boss.get("/monthly.xlsx", params={"month": month}).status_code == 422


def test_the_monthly_report_is_a_pdf_with_the_same_tables(
    visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_: list[Section] = []

    def noted(title: str, period: str, sections: Sequence[Section]) -> bytes:
        assert (title, period) == ("月报", "2026-11-01 – 2026-11-30")
        set_.extend(sections)
        return document(title, period, sections)

    monkeypatch.setattr("portal.pages.figures.document", noted)
    boss = visit("banzhang")
    answer = boss.get("/monthly.pdf", params={"month": "2026-11"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/pdf"
    assert 'filename="monthly-2026-11.pdf"' in answer.headers["content-disposition"]
    assert answer.content.startswith(b"%PDF-")
    excel = boss.get("/monthly.xlsx", params={"month": "2026-11"}).content
    for section in set_:
        sheet = load_workbook(io.BytesIO(excel))[section.title]
        heads, *rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
        assert heads == [head or None for head in section.columns]
        assert rows == [list(row) for row in section.rows]
    assert len(set_) == 4
    assert boss.get("/monthly.pdf", params={"month": "2026-00"}).status_code == 422
