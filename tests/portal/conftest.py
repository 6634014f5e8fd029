"""Fixtures: a warehouse filled by real hand-over folders, the app, a server, a browser."""

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from portal.access import Role
from portal.accounts import Accounts
from portal.app import create_app
from portal.server import PortalServer
from portal.settings import PortalSettings
from sansheng.editions import Editions
from sansheng.settings import Settings
from tests.peers.hotline import AGENTS, NOW, PASSWORD, USERS, hand_over, stories
from warehouse.store import Warehouse

CSRF = re.compile(r'name="csrf" value="([^"]+)"')
DOOR = re.compile(r'name="door" value="([^"]+)"')


@dataclass
class Clocks:
    """The portal's two clocks, moved by hand."""

    wall: datetime = NOW
    ticks: float = 1000.0

    def forward(self, step: timedelta) -> None:
        self.wall += step
        self.ticks += step.total_seconds()


class Client(TestClient):
    """A browser without a screen: signs in through the form, sends the page's own token."""

    def sign_in(self, user_id: str, password: str = PASSWORD, next: str = "") -> int:
        found = DOOR.search(self.get("/login").text)
        assert found is not None
        form = {"user_id": user_id, "password": password, "door": found[1], "next": next}
        return self.post("/login", data=form).status_code

    def token(self) -> str:
        found = CSRF.search(self.get("/password").text)
        assert found is not None
        return found[1]

    def submit(self, path: str, **form: str) -> int:
        return self.post(path, data={"csrf": self.token(), **form}).status_code


def fill(warehouse: Warehouse, root: Path) -> None:
    """The hotline of tests/peers/hotline.py: agents, users and a morning's calls."""
    accounts = Accounts(warehouse, clock=lambda: NOW)
    for user_id, (name, role, team, agent) in USERS.items():
        accounts.add(
            user_id,
            name,
            frozenset({Role(role)}),
            password=PASSWORD,
            team=team,
            agent=agent,
            must_change=False,
        )
    assert {row["agent"] for row in warehouse.rows("SELECT agent FROM agents")} == set(AGENTS)
    for story in stories():
        warehouse.ingest(hand_over(story, root / "analysed"), root / "archive")


@pytest.fixture(scope="session")
def hotline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A filled data folder, made once; each test works on its own copy."""
    root = tmp_path_factory.mktemp("hotline")
    opened = Warehouse.open(root / "data" / "sansheng.duckdb")
    fill(opened, root / "data")
    opened.close()
    return root / "data"


@pytest.fixture
def warehouse(tmp_path: Path, hotline: Path) -> Iterator[Warehouse]:
    shutil.copytree(hotline, tmp_path / "data")
    opened = Warehouse.open(tmp_path / "data" / "sansheng.duckdb")
    yield opened
    opened.close()


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def editor(tmp_path: Path) -> Editions:
    """The editor of the service, over the test's own data folder."""
    return Editions(Settings(data_dir=tmp_path / "data"))


@pytest.fixture
def app(warehouse: Warehouse, clocks: Clocks, editor: Editions) -> FastAPI:
    return create_app(
        warehouse,
        PortalSettings(),
        editor=editor,
        clock=lambda: clocks.wall,
        ticks=lambda: clocks.ticks,
    )


@pytest.fixture
def visit(app: FastAPI) -> Iterator[Callable[[str], Client]]:
    """A client signed in as somebody; an empty name is a stranger."""
    opened: list[Client] = []

    def come_in(user_id: str = "") -> Client:
        client = Client(app, follow_redirects=False, raise_server_exceptions=False)
        opened.append(client)
        if user_id:
            assert client.sign_in(user_id) == 303
        return client

    yield come_in
    for client in opened:
        client.close()


@pytest.fixture
def served(app: FastAPI) -> Iterator[str]:
    """The app on a real port; the address."""
    server = PortalServer(app, PortalSettings(port=0))
    yield server.start()
    server.stop()
