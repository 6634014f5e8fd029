"""The web server in a thread of the service: beside signal handlers, a clean stop, a taken port."""

import http.client
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI

from calls.errors import SettingsError
from portal.app import create_app
from portal.ports import Board
from portal.server import PortalServer
from portal.settings import PortalSettings
from tests.peers.hotline import NOW
from tests.portal.conftest import Client
from warehouse.store import Warehouse

FREE = PortalSettings(port=0)


@pytest.fixture
def live_app(warehouse: Warehouse) -> FastAPI:
    return create_app(warehouse, FREE, board=Board, clock=lambda: NOW)


@pytest.fixture
def handlers() -> Iterator[list[int]]:
    """The service's own signal handlers, in place of the tests' ones."""
    seen: list[int] = []
    old = {s: signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGINT)}
    for number in old:
        signal.signal(number, lambda n, _frame: seen.append(n))
    yield seen
    for number, handler in old.items():
        signal.signal(number, handler)


def names() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


def opened(url: str, path: str, cookie: str = "") -> http.client.HTTPConnection:
    address = urlsplit(url)
    line = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
    line.request("GET", path, headers={"Cookie": cookie} if cookie else {})
    return line


def test_it_serves_beside_signal_handlers_that_stay_the_services_own(
    live_app: FastAPI, handlers: list[int]
) -> None:
    server = PortalServer(live_app, FREE)
    with ThreadPoolExecutor(1) as pool:
        url = pool.submit(server.start).result()
        line = opened(url, "/health")
        assert line.getresponse().read() == b'{"status":"ok"}'
        signal.raise_signal(signal.SIGTERM)
        assert handlers == [signal.SIGTERM]
        line.close()
        line = opened(url, "/health")
        assert line.getresponse().status == 200
        line.close()
        pool.submit(server.stop).result()
    assert "portal" not in names()
    server.stop()


def test_it_stops_with_live_boards_open(live_app: FastAPI) -> None:
    server = PortalServer(live_app, FREE)
    url = server.start()
    with Client(live_app, follow_redirects=False) as client:
        assert client.sign_in("banzhang") == 303
        cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    lines = [opened(url, "/live/events", cookie) for _ in range(3)]
    answers = [line.getresponse() for line in lines]
    assert [answer.readline()[:6] for answer in answers] == [b"data: "] * 3
    server.stop()
    assert "portal" not in names()
    for line, answer in zip(lines, answers, strict=True):
        answer.read()
        line.close()
    assert live_app.state.desk.watchers == 0


def test_a_port_that_is_taken_is_one_clear_line(live_app: FastAPI) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = PortalServer(live_app, PortalSettings(port=port))
        with pytest.raises(SettingsError) as caught:
            server.start()
        server.stop()
    assert str(port) in caught.value.message
    assert "\n" not in str(caught.value)
    assert "[portal] port" in str(caught.value)
    assert "portal" not in names()


def test_a_stop_right_after_the_start_waits_for_nothing(live_app: FastAPI) -> None:
    server = PortalServer(live_app, FREE)
    server.start()
    server.stop()
    assert "portal" not in names()
