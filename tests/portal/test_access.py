"""Every route × every role, out of the app itself; and nobody reaches a call out of reach."""

from collections.abc import Callable

import pytest
from fastapi import FastAPI
from starlette.routing import Route

from portal.access import Gate, Reach, Role
from portal.tokens import SCOPES, Tokens
from tests.portal.conftest import Client
from warehouse.store import Warehouse

Visit = Callable[..., Client]
WHO = {
    Role.AGENT: "wangli",
    Role.QA: "qachen",
    Role.SUPERVISOR: "banzhang",
    Role.ADMIN: "root",
}
FILLED = {
    "{call_id}": "call-00",
    "{appeal_id}": "1",
    "{user_id}": "liqiang",
    "{token_id}": "x",
    "{edition_id}": "1",
    "{phrase_id}": "new",
    "{name}": "book.toml",
}


def gate_of(app: FastAPI) -> Gate:
    gate: Gate = app.state.gate
    return gate


def path_of(path: str) -> str:
    for place, value in FILLED.items():
        path = path.replace(place, value)
    assert "{" not in path, f"the matrix does not know how to fill {path}"
    return path


def test_every_route_of_the_app_has_a_rule(app: FastAPI) -> None:
    rules = {(rule.method, rule.path) for rule in gate_of(app).rules}
    routes = {
        (method, route.path)
        for route in app.routes
        if isinstance(route, Route)
        for method in route.methods or ()
        if method != "HEAD"
    }
    assert routes == rules
    assert len(rules) > 30


def test_a_route_without_a_rule_stops_the_start(app: FastAPI) -> None:
    def forgotten() -> None:
        """A page whose author forgot its rule."""

    app.add_api_route("/forgotten", forgotten)
    with pytest.raises(RuntimeError, match="/forgotten"):
        gate_of(app).require_rules()


def test_the_matrix_of_pages(app: FastAPI, visit: Visit) -> None:
    """A role that the rule names never meets 403 by role; any other always does."""
    clients = {role: visit(user) for role, user in WHO.items()}
    stranger = visit()
    wrong: list[tuple[object, ...]] = []
    pages = [r for r in gate_of(app).rules if r.scope is None and r.path != "/live/events"]
    for rule in pages:
        if rule.path in ("/logout", "/login", "/preferences"):
            continue
        path = path_of(rule.path)
        if rule.roles is None:
            assert stranger.request(rule.method, path).status_code < 500
            continue
        answer = stranger.request(rule.method, path)
        if answer.status_code != 303 or "/login" not in answer.headers["location"]:
            wrong.append(("stranger", rule, answer.status_code))
        for role, client in clients.items():
            headers = {"X-CSRF-Token": client.token()} if rule.method == "POST" else {}
            status = client.request(rule.method, path, headers=headers).status_code
            if (status == 403) != (role not in rule.roles) or status >= 500:
                wrong.append((role, rule, status))
    assert wrong == []


def test_the_matrix_of_the_api(app: FastAPI, visit: Visit, warehouse: Warehouse) -> None:
    tokens = {role: token_for(warehouse, app, user) for role, user in WHO.items()}
    client = visit()
    wrong: list[tuple[object, ...]] = []
    for rule in gate_of(app).rules:
        if rule.scope is None or rule.roles is None:
            continue
        path = path_of(rule.path) + ("?words=您好" if rule.path.endswith("/search") else "")
        if client.request(rule.method, path).status_code != 401:
            wrong.append(("stranger", rule))
        for role, token in tokens.items():
            status = client.request(rule.method, path, headers=bearer(token)).status_code
            if (status == 403) != (role not in rule.roles) or status >= 500:
                wrong.append((role, rule, status))
    assert wrong == []


def test_the_live_stream_is_for_supervisors(visit: Visit) -> None:
    for user in ("wangli", "qachen", "root"):
        assert visit(user).get("/live/events").status_code == 403
    assert visit().get("/live/events").status_code == 303


@pytest.mark.parametrize(
    "path",
    [
        "/calls/call-01",
        "/calls/call-01/audio",
        "/calls/call-01/peaks",
        "/calls/no-such-call",
        "/calls/..%2F..%2Fetc%2Fpasswd/audio",
        "/calls/%2e%2e/audio",
        "/static/..%2f..%2fsettings.py",
        "/static/../settings.py",
    ],
)
def test_an_agent_meets_404_at_anothers_call_as_at_none(visit: Visit, path: str) -> None:
    assert visit("wangli").get(path).status_code == 404


def test_an_agent_reaches_anothers_call_by_no_way(
    app: FastAPI, visit: Visit, warehouse: Warehouse
) -> None:
    client = visit("wangli")
    listed = client.get("/calls", params={"agent": "1002"})
    assert "call-01" not in listed.text
    assert "call-01" not in client.get("/calls").text
    assert "call-00" in client.get("/calls").text
    found = client.get("/search", params={"words": "下班"})
    assert found.status_code == 200
    assert "/calls/" not in found.text.split('role="search"')[1]
    assert client.get("/calls.xlsx").status_code == 403
    assert client.get("/overview.xlsx").status_code == 403
    for action in ("accept", "appeals"):
        form = {"rule": "greeting", "reason": "不是我"}
        assert client.submit(f"/calls/call-01/{action}", **form) == 404
    api = bearer(token_for(warehouse, app, "wangli"))
    rows = client.get("/api/v1/calls", headers=api).json()["calls"]
    assert {row["agent"] for row in rows} == {"1001"}
    for path in ("/api/v1/calls/call-01", "/api/v1/calls/call-01/audio"):
        assert client.get(path, headers=api).status_code == 404
    there = client.get("/api/v1/search", params={"words": "下班"}, headers=api)
    assert there.json() == {"found": []}
    assert client.get("/api/v1/reports/overview", headers=api).status_code == 403


def test_a_reviewer_of_one_team_sees_that_team_only(visit: Visit) -> None:
    client = visit("qateam2")
    assert client.get("/calls/call-00").status_code == 404
    assert client.get("/calls/call-05").status_code == 200
    assert "call-00" not in client.get("/queue").text
    decision = {"call_id": "call-00", "rule": "greeting", "decision": "overrule"}
    assert client.submit("/queue", **decision) == 404


def test_an_administrator_hears_no_calls(visit: Visit) -> None:
    client = visit("root")
    for path in ("/calls", "/calls/call-00", "/calls/call-00/audio", "/search?words=您好"):
        assert client.get(path).status_code == 403


@pytest.mark.parametrize(
    ("reach", "seen"),
    [
        (Reach(), True),
        (Reach(team="一班"), True),
        (Reach(team="二班"), False),
        (Reach(agent="1001"), True),
        (Reach(agent="1002"), False),
        (Reach(agent="1002", team="一班"), False),
        (Reach(nothing=True), False),
    ],
)
def test_reach(reach: Reach, seen: bool) -> None:
    assert reach.covers("1001", "一班") is seen


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def token_for(warehouse: Warehouse, app: FastAPI, user_id: str) -> str:
    desk = app.state.desk
    person = desk.accounts.person(user_id)
    tokens = Tokens(warehouse, desk.settings, desk.accounts, desk.clock)
    return tokens.add(person, "test", list(SCOPES))
