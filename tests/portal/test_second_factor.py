"""The second factor: codes at the door, replay, skew, guesses, recovery, roles that must."""

import re
from collections.abc import Callable
from datetime import timedelta

import pyotp
import pytest
from fastapi.testclient import TestClient

from portal.app import create_app
from portal.second_factor import STEP_S
from portal.settings import PortalSettings
from tests.portal.conftest import Client, Clocks
from warehouse.store import Warehouse

Visit = Callable[..., Client]
SECRET = re.compile(r'id="secret">([A-Z2-7]+)<')
CODES = re.compile(r"<code>([0-9a-f]{5}-[0-9a-f]{5})</code>")
CSRF = re.compile(r'name="csrf" value="([^"]+)"')


class Phone:
    """An authenticator app with a clock of its own."""

    def __init__(self, secret: str, clocks: Clocks) -> None:
        self.totp, self.clocks = pyotp.TOTP(secret), clocks

    def code(self, late_s: int = 0) -> str:
        return self.totp.at(self.clocks.wall + timedelta(seconds=late_s))


def give(client: TestClient, code: str, **form: str) -> tuple[int, str]:
    found = CSRF.search(client.get("/second").text)
    assert found is not None
    answer = client.post("/second", data={"csrf": found[1], "code": code, **form})
    return answer.status_code, answer.text


@pytest.fixture
def enrolled(visit: Visit, clocks: Clocks) -> tuple[Phone, list[str]]:
    """wangli has turned the factor on, and some time has passed since."""
    client = visit("wangli")
    page = client.get("/second").text
    found = SECRET.search(page)
    assert found is not None
    assert "<svg" in page
    phone = Phone(found[1], clocks)
    status, text = give(client, phone.code())
    assert status == 200
    codes = CODES.findall(text)
    assert len(set(codes)) == 10
    assert client.get("/me").status_code == 200
    clocks.forward(timedelta(minutes=5))
    return phone, codes


def test_the_password_alone_opens_nothing(visit: Visit, enrolled: tuple[Phone, list[str]]) -> None:
    phone, _ = enrolled
    client = visit("wangli")
    for path in ("/me", "/calls/call-00", "/calls/call-00/audio", "/password"):
        assert client.get(path).headers["location"] == "/second"
    held = client.cookies["sansheng_session"]
    assert give(client, phone.code()) == (303, "")
    assert client.cookies["sansheng_session"] != held
    assert client.get("/me").status_code == 200


def test_a_code_counts_once(visit: Visit, enrolled: tuple[Phone, list[str]]) -> None:
    phone, _ = enrolled
    code = phone.code()
    assert give(visit("wangli"), code)[0] == 303
    assert give(visit("wangli"), code)[0] == 422
    assert give(visit("wangli"), phone.code(-STEP_S))[0] == 422


@pytest.mark.parametrize(
    ("late_s", "status"), [(-STEP_S, 303), (STEP_S, 303), (-2 * STEP_S, 422), (2 * STEP_S, 422)]
)
def test_a_clock_may_be_one_step_off(
    visit: Visit, enrolled: tuple[Phone, list[str]], late_s: int, status: int
) -> None:
    assert give(visit("wangli"), enrolled[0].code(late_s))[0] == status


def test_guesses_lock_the_account_and_a_known_password_buys_no_more(
    visit: Visit, enrolled: tuple[Phone, list[str]], clocks: Clocks
) -> None:
    phone, _ = enrolled
    wrong = f"{(int(phone.code()) + 500_000) % 1_000_000:06d}"
    after = PortalSettings().lock_after
    for _ in range(after - 1):
        assert give(visit("wangli"), wrong)[0] == 422
    client = visit("wangli")
    assert give(client, wrong)[0] == 303
    assert client.get("/second").headers["location"].startswith("/login")
    assert visit().sign_in("wangli") == 401
    clocks.forward(timedelta(minutes=31))
    assert give(visit("wangli"), phone.code())[0] == 303


def test_a_recovery_code_stands_in_once_and_is_kept_as_a_hash(
    visit: Visit, enrolled: tuple[Phone, list[str]], warehouse: Warehouse
) -> None:
    _, codes = enrolled
    rows = warehouse.rows("SELECT code_hash FROM recovery_codes")
    assert all(row["code_hash"].startswith("$argon2id$") for row in rows)
    client = visit("wangli")
    assert give(client, codes[3].upper())[0] == 303
    assert "还有 9 个" in client.get("/second").text
    assert give(visit("wangli"), codes[3])[0] == 422


def test_it_is_turned_off_with_a_code_or_by_an_administrator(
    visit: Visit, enrolled: tuple[Phone, list[str]], clocks: Clocks
) -> None:
    phone, _ = enrolled
    client = visit("wangli")
    assert give(client, phone.code())[0] == 303
    clocks.forward(timedelta(seconds=STEP_S))
    assert give(client, phone.code(), action="off")[0] == 303
    again = visit("wangli")
    assert again.get("/me").status_code == 200
    found = SECRET.search(again.get("/second").text)
    assert found is not None
    assert give(again, Phone(found[1], clocks).code())[0] == 200
    root = visit("root")
    assert root.submit("/admin/users/wangli", action="drop_second") == 303
    assert again.get("/me").status_code == 303
    assert visit("wangli").get("/me").status_code == 200


def test_a_role_that_must_have_one_enrols_before_anything_else(
    warehouse: Warehouse, clocks: Clocks
) -> None:
    asked = PortalSettings(second_factor=("qa",))
    app = create_app(warehouse, asked, clock=lambda: clocks.wall, ticks=lambda: clocks.ticks)
    with Client(app, follow_redirects=False) as agent, Client(app, follow_redirects=False) as qa:
        assert agent.sign_in("wangli") == 303
        assert agent.get("/me").status_code == 200
        assert qa.sign_in("qachen") == 303
        assert qa.get("/queue").headers["location"] == "/second"
        found = SECRET.search(qa.get("/second").text)
        assert found is not None
        assert give(qa, "000000")[0] == 422
        phone = Phone(found[1], clocks)
        assert give(qa, phone.code())[0] == 200
        assert qa.get("/queue").status_code == 200
        clocks.forward(timedelta(seconds=STEP_S))
        assert give(qa, phone.code(), action="off")[0] == 303
        assert qa.get("/queue").status_code == 200
