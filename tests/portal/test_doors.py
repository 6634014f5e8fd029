"""Coming in: sessions, lock-out, throttle, passwords, forms that are not one's own."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI

from calls.errors import SettingsError
from portal import passwords
from portal.access import Person, Role
from portal.accounts import Accounts, Outcome, first_run
from portal.app import create_app
from portal.sessions import Sessions
from portal.settings import PortalSettings
from tests.peers.hotline import NOW, PASSWORD
from tests.portal.conftest import Client, Clocks
from warehouse.store import Warehouse

Visit = Callable[..., Client]
SESSION = "sansheng_session"
NEW = "Another-good-1"


def test_the_right_password_opens_a_session_and_the_home_page(visit: Visit) -> None:
    client = visit("wangli")
    assert client.get("/").headers["location"] == "/me"
    assert visit("qachen").get("/").headers["location"] == "/queue"


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(visit: Visit) -> None:
    client = visit()
    client.sign_in("wangli")
    found = client.cookies.jar
    kept = next(c for c in found if c.name == SESSION)
    assert kept.has_nonstandard_attr("HttpOnly")
    assert kept.get_nonstandard_attr("SameSite") == "strict"


def test_a_wrong_password_and_an_unknown_user_look_alike(visit: Visit) -> None:
    client = visit()
    assert client.sign_in("wangli", "wrong") == 401
    assert client.sign_in("nobody", "wrong") == 401
    assert SESSION not in client.cookies


def test_brute_force_locks_the_account_even_for_the_right_password(
    visit: Visit, clocks: Clocks, warehouse: Warehouse
) -> None:
    client, settings = visit(), PortalSettings()
    for _ in range(settings.lock_after):
        assert client.sign_in("wangli", "wrong") == 401
    assert client.sign_in("wangli") == 401
    assert client.sign_in("liqiang") == 303
    clocks.forward(timedelta(minutes=settings.lock_minutes, seconds=1))
    assert client.sign_in("wangli") == 303
    actions = {row["action"] for row in warehouse.rows("SELECT action FROM audit")}
    assert {"login", "login_failed", "locked"} <= actions


def test_guesses_over_many_names_from_one_address_are_throttled(
    warehouse: Warehouse, clocks: Clocks
) -> None:
    settings = PortalSettings(address_failures=6)
    accounts = Accounts(warehouse, settings, lambda: clocks.wall)
    for place in range(6):
        assert accounts.sign_in(f"nobody{place}", "x", "10.0.0.9")[0] is Outcome.WRONG
    assert accounts.sign_in("wangli", PASSWORD, "10.0.0.9")[0] is Outcome.THROTTLED
    assert accounts.sign_in("wangli", PASSWORD, "10.0.0.8")[0] is Outcome.OK
    clocks.forward(timedelta(minutes=16))
    assert accounts.sign_in("wangli", "wrong", "10.0.0.9")[0] is Outcome.WRONG
    assert accounts.sign_in("wangli", PASSWORD, "10.0.0.9")[0] is Outcome.OK


def test_a_session_ends_when_idle_and_after_its_longest_time(visit: Visit, clocks: Clocks) -> None:
    client = visit("wangli")
    clocks.forward(timedelta(minutes=29))
    assert client.get("/me").status_code == 200
    clocks.forward(timedelta(minutes=31))
    assert client.get("/me").headers["location"] == "/login?next=%2Fme"
    client = visit("wangli")
    for _ in range(25):
        clocks.forward(timedelta(minutes=29))
        client.get("/me")
    assert client.get("/me").status_code == 303


def test_an_identifier_brought_along_is_never_taken_over(visit: Visit) -> None:
    client = visit()
    client.cookies.set(SESSION, "chosen-by-an-attacker")
    assert client.sign_in("wangli") == 303
    values = [c.value for c in client.cookies.jar if c.name == SESSION]
    assert "chosen-by-an-attacker" not in values[-1:]
    other = visit("wangli")
    before = other.cookies[SESSION]
    other.sign_in("qachen")
    assert other.cookies[SESSION] != before
    thief = visit()
    thief.cookies.set(SESSION, before)
    assert thief.get("/me").status_code == 303


def test_signing_out_ends_the_session_on_the_server(visit: Visit) -> None:
    client = visit("wangli")
    cookie = client.cookies[SESSION]
    assert client.submit("/logout") == 303
    thief = visit()
    thief.cookies.set(SESSION, cookie)
    assert thief.get("/me").status_code == 303


def test_a_form_without_the_sessions_token_is_refused(visit: Visit, warehouse: Warehouse) -> None:
    client = visit("wangli")
    assert client.post("/calls/call-00/accept").status_code == 403
    assert client.post("/calls/call-00/accept", data={"csrf": "x"}).status_code == 403
    stolen = visit("liqiang").token()
    assert client.post("/calls/call-00/accept", data={"csrf": stolen}).status_code == 403
    assert warehouse.rows("SELECT * FROM acceptances") == []
    assert client.submit("/calls/call-00/accept") == 303
    assert len(warehouse.rows("SELECT * FROM acceptances")) == 1


def test_a_request_that_another_site_made_is_refused(visit: Visit) -> None:
    client = visit("wangli")
    token = {"X-CSRF-Token": client.token()}
    for header in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}):
        answer = client.post("/calls/call-00/accept", headers={**token, **header})
        assert answer.status_code == 403


def test_a_sign_in_form_of_another_browser_is_refused(visit: Visit) -> None:
    one, two = visit(), visit()
    one.get("/login")
    form = {"user_id": "wangli", "password": PASSWORD, "door": "forged"}
    assert one.post("/login", data=form).status_code == 403
    assert two.post("/login", data=form).status_code == 403


@pytest.mark.parametrize(
    "where", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x"]
)
def test_signing_in_never_leads_off_the_site(visit: Visit, where: str) -> None:
    client = visit()
    client.sign_in("wangli", next=where)
    assert client.get("/login").status_code == 200
    again = visit()
    found = again.get("/login", params={"next": where})
    assert found.status_code == 200
    assert again.sign_in("wangli", next=where) == 303
    assert again.get("/").headers["location"] == "/me"


def test_a_password_set_by_somebody_else_must_be_changed_first(
    visit: Visit, warehouse: Warehouse, clocks: Clocks
) -> None:
    accounts = Accounts(warehouse, clock=lambda: clocks.wall)
    accounts.add("fresh", "新人", frozenset({Role.QA}), password=PASSWORD)
    client = visit("fresh")
    assert client.get("/queue").headers["location"] == "/password"
    wrong = {"old": "nope", "new": NEW, "again": NEW}
    assert client.submit("/password", **wrong) == 422
    assert client.submit("/password", old=PASSWORD, new=NEW, again="other") == 422
    assert client.submit("/password", old=PASSWORD, new=NEW, again=NEW) == 303
    assert client.get("/queue").headers["location"].startswith("/login")
    assert client.sign_in("fresh", NEW) == 303
    assert client.get("/queue").status_code == 200


def test_a_password_expires(visit: Visit, clocks: Clocks) -> None:
    clocks.forward(timedelta(days=PortalSettings().password_days, minutes=1))
    assert visit("qachen").get("/queue").headers["location"] == "/password"


def test_a_used_password_does_not_come_back(warehouse: Warehouse) -> None:
    accounts = Accounts(warehouse)
    assert accounts.change_password("wangli", PASSWORD, NEW) == []
    assert accounts.change_password("wangli", NEW, PASSWORD) == ["password.used_before"]
    assert accounts.change_password("wangli", NEW, NEW) == ["password.used_before"]


@pytest.mark.parametrize(
    ("word", "broken"),
    [
        ("Short-1", ["password.too_short"]),
        ("alllowercase", ["password.too_plain"]),
        ("xx-Wangli-2026", ["password.holds_name"]),
        ("Aa1" + "x" * 300, ["password.too_long"]),
        ("Good-enough-9", []),
    ],
)
def test_password_rules(word: str, broken: list[str]) -> None:
    assert passwords.faults(word, "wangli", least=10) == broken


def test_a_hash_is_argon2id_and_a_bad_one_matches_nothing() -> None:
    stored = passwords.new_hash(PASSWORD)
    assert stored.startswith("$argon2id$")
    assert passwords.matches(stored, PASSWORD)
    assert not passwords.matches(stored, PASSWORD + "x")
    assert not passwords.matches("torn", PASSWORD)
    assert not passwords.matches(None, "nobody has this one")


def test_the_first_start_makes_one_administrator_once(tmp_path: Path) -> None:
    warehouse = Warehouse.open(tmp_path / "empty.duckdb")
    made = first_run(warehouse)
    assert made is not None
    outcome, person = Accounts(warehouse).sign_in(made.user_id, made.password, "")
    assert outcome is Outcome.OK
    assert person is not None
    assert person.must_change
    assert first_run(warehouse) is None
    audit = warehouse.rows("SELECT detail || subject || actor AS text FROM audit")
    warehouse.close()
    assert all(made.password not in row["text"] for row in audit)


def test_the_last_administrator_stays(warehouse: Warehouse) -> None:
    with pytest.raises(SettingsError, match="last administrator"):
        Accounts(warehouse).set_disabled("root", True, by="root")


def test_closing_an_account_signs_it_out_at_once(visit: Visit) -> None:
    agent, root = visit("wangli"), visit("root")
    assert agent.get("/me").status_code == 200
    assert root.submit("/admin/users/wangli", action="disable") == 303
    assert agent.get("/me").status_code == 303
    assert visit().sign_in("wangli") == 401


def test_sessions_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.sessions._MOST", 3)
    ticks = iter(range(100))
    sessions = Sessions(idle_s=1000, longest_s=1000, clock=lambda: float(next(ticks)))
    person = Person(user_id="a", name="a", roles=frozenset({Role.QA}))
    cookies = [sessions.begin(person) for _ in range(5)]
    assert [sessions.find(c) is not None for c in cookies] == [False, False, True, True, True]


def test_behind_tls_cookies_are_secure_and_pinned(warehouse: Warehouse) -> None:
    app: FastAPI = create_app(warehouse, PortalSettings(tls_proxy=True), clock=lambda: NOW)
    with Client(app, base_url="https://testserver", follow_redirects=False) as client:
        assert client.sign_in("wangli") == 303
        answer = client.get("/me")
        assert "max-age" in answer.headers["strict-transport-security"]
        kept = next(c for c in client.cookies.jar if c.name == f"__Host-{SESSION}")
        assert kept.secure
