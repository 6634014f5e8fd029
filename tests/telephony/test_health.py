"""Health pages say what the administrator needs, and say it when the tap is not well."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from calls.errors import TapError
from calls.handover import Spool, Stage
from telephony.feed.health import FeedHealth
from telephony.health import ChildHealth, HealthServer, TapHealth, is_deaf, look
from tests.telephony.conftest import Phone, Tap, until

GOOD = ChildHealth(port=5070, running=True, ready=True, calls=2, refused=3)


class _State:
    def __init__(self, health: TapHealth) -> None:
        self.health = health

    def __call__(self) -> TapHealth:
        return self.health


@pytest.fixture
def state(tmp_path: Path) -> _State:
    spool = Spool(tmp_path)
    spool.begin("a1")
    return _State(replace(look([GOOD], spool), disk_free_bytes=2**40))


@pytest.fixture
def server(state: _State) -> Iterator[HealthServer]:
    started = HealthServer(0, state)
    yield started
    started.close()


def _get(server: HealthServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}") as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_health_is_json(server: HealthServer) -> None:
    code, body = _get(server, "/health")
    assert code == 200
    said = json.loads(body)
    assert said["well"] is True
    assert said["spool"][Stage.LIVE] == 1
    assert said["children"][0]["calls"] == 2


@pytest.mark.parametrize(
    "change",
    [
        {"children": (replace(GOOD, running=False),)},
        {"children": (GOOD, replace(GOOD, ready=False))},
        {"children": (GOOD, replace(GOOD, deaf=True))},
        {"disk_free_bytes": 1000},
    ],
)
def test_a_tap_that_is_not_well_answers_503(
    server: HealthServer, state: _State, change: dict[str, object]
) -> None:
    state.health = replace(state.health, **change)  # type: ignore[arg-type]
    code, body = _get(server, "/health")
    assert code == 503
    assert json.loads(body)["well"] is False


def test_metrics_are_for_prometheus(server: HealthServer) -> None:
    code, body = _get(server, "/metrics")
    assert code == 200
    assert 'sansheng_tap_calls{port="5070"} 2.0' in body
    assert 'sansheng_tap_up{port="5070"} 1.0' in body
    assert 'sansheng_spool_calls{stage="live"} 1.0' in body


def test_another_path_is_not_found(server: HealthServer) -> None:
    assert _get(server, "/")[0] == 404


def test_a_taken_health_port_is_named(server: HealthServer, state: _State) -> None:
    with pytest.raises(TapError, match=str(server.port)):
        HealthServer(server.port, state)


def test_a_deaf_feed_is_told(server: HealthServer, state: _State) -> None:
    feed = FeedHealth(events=7, late=1, last_event="2026-11-24T01:00:00+00:00", clock_apart_ms=70)
    state.health = replace(state.health, feed=feed)
    assert _get(server, "/health")[0] == 200
    body = _get(server, "/metrics")[1]
    assert "sansheng_feed_events_total 7.0" in body
    assert "sansheng_feed_calls_late_total 1.0" in body
    assert "sansheng_feed_deaf 0.0" in body
    assert "sansheng_feed_clock_apart_seconds 0.07" in body
    assert "sansheng_feed_last_event_seconds 1.795482e+09" in body
    state.health = replace(state.health, feed=replace(feed, deaf=True))
    code, body = _get(server, "/health")
    assert code == 503
    assert json.loads(body)["feed"]["deaf"] is True


@pytest.mark.parametrize(
    ("last_call", "up_s", "deaf_s", "deaf"),
    [
        (None, 500, 600, False),
        (None, 700, 600, True),
        ("2026-11-24T00:49:00+00:00", 700, 600, True),
        ("2026-11-24T08:51:00+08:00", 700, 600, False),
        ("2026-11-23T01:00:00+00:00", 90_000, 0, False),
    ],
)
def test_a_line_without_calls_is_deaf(
    last_call: str | None, up_s: float, deaf_s: int, deaf: bool
) -> None:
    now = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)
    assert is_deaf(last_call, up_s, now, deaf_s) is deaf


@pytest.mark.sip
@pytest.mark.parametrize(("peers", "heard"), [("127.0.0.1/32", True), ("10.9.9.9/32", False)])
def test_a_call_from_a_peer_that_is_let_in_ends_deafness(
    tap_of: Callable[..., Tap], phones: Callable[..., Phone], peers: str, heard: bool
) -> None:
    tap = tap_of(deaf_s=1, allowed_peers=(peers,))
    until(lambda: tap.supervisor.health()[0].deaf)
    assert not look(tap.supervisor.health(), tap.spool).well
    agent = phones(port=tap.agent_port, ring_ms=0)
    caller = phones(call=tap.uri, hang_up_ms=1500)
    if heard:
        [health] = until(lambda: [h for h in tap.supervisor.health() if h.calls])
        assert not health.deaf
        agent.wait()
        until(lambda: tap.supervisor.health()[0].deaf)
    caller.wait()
    assert (tap.supervisor.health()[0].last_call is not None) is heard
    assert tap.supervisor.health()[0].deaf
