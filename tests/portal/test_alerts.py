"""Alerts and webhooks, to a real HTTP server on loopback."""

import base64
import hashlib
import hmac
import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import ValidationError

from calls.hit import Severity, Status
from portal.alerts import Alarms, Alert, Kind, post
from portal.app import create_app
from portal.live_findings import LiveFindings
from portal.ports import Board, LiveFinding, TapHealth
from portal.server import PortalServer
from portal.settings import PortalSettings
from portal.webhooks import WAITS_S, Outbox
from tests.peers.hotline import NOW, Story, hand_over
from tests.portal.conftest import Clocks
from warehouse.store import Warehouse

SECRET = "shared-secret"
ALERT = Alert(kind=Kind.TAP_DEAF, subject="SIP 5060", at=NOW)


@dataclass
class Receiver:
    """What came in, and what to answer."""

    url: str = ""
    answers: list[tuple[int, bytes]] = field(default_factory=list)
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    arrived: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    mine = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            mine.got.append((self.path, dict(self.headers), body))
            status, answer = mine.answers.pop(0) if mine.answers else (200, b'{"errcode":0}')
            self.send_response(status)
            if status == 302:
                self.send_header("Location", mine.url + "/elsewhere")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)
            mine.arrived.release()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    mine.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield mine
    server.shutdown()
    thread.join()
    server.server_close()


def settings(url: str, kind: str = "json", secret: str = SECRET, **more: Any) -> PortalSettings:
    hook = {"kind": kind, "url": url, "secret": secret}
    return PortalSettings.model_validate({"port": 0, "webhooks": [hook], **more})


@dataclass
class Post:
    """An outbox over a real warehouse, and alerts put into it."""

    warehouse: Warehouse
    clocks: Clocks

    def box(self, asked: PortalSettings) -> Outbox:
        return Outbox(self.warehouse, asked, lambda: self.clocks.wall)

    def put(self, asked: PortalSettings, alert: Alert = ALERT) -> Outbox:
        self.warehouse.write(lambda cursor: post(cursor, alert, asked.webhooks))
        return self.box(asked)


@pytest.fixture
def letters(warehouse: Warehouse, clocks: Clocks) -> Post:
    return Post(warehouse, clocks)


def alarms(
    warehouse: Warehouse, asked: PortalSettings, taps: Sequence[TapHealth] = ()
) -> tuple[Alarms, LiveFindings]:
    live = LiveFindings()
    return Alarms(warehouse, asked, lambda: Board(taps=taps), live), live


def test_json_is_signed_over_time_and_body(receiver: Receiver, letters: Post) -> None:
    box = letters.put(settings(receiver.url + "/in"))
    assert box.send() == 0
    ((path, headers, body),) = receiver.got
    stamp = headers["X-Sansheng-Timestamp"]
    expected = hmac.new(SECRET.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    assert (path, headers["X-Sansheng-Signature"]) == ("/in", f"sha256={expected}")
    assert stamp == str(int(NOW.timestamp()))
    said = json.loads(body)
    assert (said["kind"], said["subject"], said["at"], said["id"]) == (
        "tap_deaf",
        "SIP 5060",
        NOW.isoformat(),
        "1",
    )


def test_wecom_and_dingtalk_in_their_own_form(receiver: Receiver, letters: Post) -> None:
    for kind, path in (("wecom", "/send?key=k"), ("dingtalk", "/send?access_token=t")):
        box = letters.put(settings(receiver.url + path, kind))
        assert box.send() == 0
    (wecom, _, body), (dingtalk, _, same) = receiver.got
    text = "【三声】录音接入听不到：SIP 5060"
    assert json.loads(body) == {"msgtype": "text", "text": {"content": text}}
    assert (wecom, same) == ("/send?key=k", body)
    asked = parse_qs(urlsplit(dingtalk).query)
    stamp = str(int(NOW.timestamp() * 1000))
    digest = hmac.new(SECRET.encode(), f"{stamp}\n{SECRET}".encode(), hashlib.sha256).digest()
    assert asked == {
        "access_token": ["t"],
        "timestamp": [stamp],
        "sign": [base64.b64encode(digest).decode()],
    }


def test_what_fails_is_sent_again_with_growing_waits(receiver: Receiver, letters: Post) -> None:
    receiver.answers = [(500, b""), (503, b""), (429, b"")]
    box = letters.put(settings(receiver.url))
    for tries, wait in enumerate(WAITS_S[:3], start=1):
        assert box.send() == 1
        assert len(receiver.got) == tries
        letters.clocks.forward(timedelta(seconds=wait - 0.5))
        assert box.send() == 1
        assert len(receiver.got) == tries
        letters.clocks.forward(timedelta(seconds=0.5))
    assert box.send() == 0
    assert len(receiver.got) == 4


def test_a_robot_that_refuses_is_asked_again_and_given_up_at_last(
    receiver: Receiver, letters: Post
) -> None:
    receiver.answers = [(200, b'{"errcode":45009}'), (200, b"<html>")] * len(WAITS_S)
    box = letters.put(settings(receiver.url, "wecom"))
    for wait in WAITS_S:
        assert box.send() == 1
        letters.clocks.forward(timedelta(seconds=wait))
    assert box.send() == 0
    assert len(receiver.got) == len(WAITS_S) + 1


@pytest.mark.parametrize("status", [302, 400, 404])
def test_a_redirect_or_a_refusal_is_final_and_leads_nowhere(
    receiver: Receiver, letters: Post, status: int
) -> None:
    receiver.answers = [(status, b"")]
    box = letters.put(settings(receiver.url + "/"))
    assert box.send() == 0
    assert [path for path, _, _ in receiver.got] == ["/"]


def test_an_address_that_nobody_listens_on_is_tried_again(letters: Post) -> None:
    box = letters.put(settings("http://127.0.0.1:9/"))
    assert box.send() == 1


@pytest.mark.parametrize(
    "hook",
    [
        {"url": "file:///etc/passwd", "secret": "x"},
        {"url": "hook", "secret": "x"},
        {"url": "http://here/", "kind": "json"},
        {"url": "http://here/", "kind": "mail"},
    ],
)
def test_an_address_that_cannot_be_right_stops_the_start(hook: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        PortalSettings.model_validate({"webhooks": [hook]})


def test_secrets_are_not_printed() -> None:
    asked = settings("http://here/?key=robot-key")
    assert SECRET not in repr(asked)
    assert "robot-key" not in repr(asked) + asked.model_dump_json()


def test_alarms_tell_once_and_again_after_a_recovery(warehouse: Warehouse, tmp_path: Path) -> None:
    taps = [TapHealth(name="SIP 5060", hears=False), TapHealth(name="SIP 5062", hears=True)]
    asked = PortalSettings(alert_calls=5, alert_minutes=1440)
    watching, _ = alarms(warehouse, asked, taps)
    found = watching.look(NOW)
    assert [(a.kind, a.subject) for a in found] == [
        (Kind.THREE_RINGS, "0.833"),
        (Kind.TAP_DEAF, "SIP 5060"),
    ]
    assert watching.look(NOW) == []
    taps[0] = TapHealth(name="SIP 5060", hears=True)
    assert watching.look(NOW) == []
    taps[0] = TapHealth(name="SIP 5060", hears=False)
    assert [a.kind for a in watching.look(NOW)] == [Kind.TAP_DEAF]
    story = Story(
        call_id="fresh", agent="1001", at=NOW, phrase="快点，我这里正忙呢", heard="快点我这里正忙呢"
    )
    warehouse.ingest(hand_over(story, tmp_path / "more"), tmp_path / "archive")
    assert [(a.kind, a.subject) for a in watching.look(NOW)] == [(Kind.CRITICAL_PHRASE, "fresh")]
    assert watching.look(NOW) == []


def test_few_calls_say_nothing_of_the_rate(warehouse: Warehouse) -> None:
    assert alarms(warehouse, PortalSettings(alert_minutes=1440))[0].look(NOW) == []


def test_the_service_tells_a_deaf_tap_and_stops_cleanly(
    warehouse: Warehouse, receiver: Receiver
) -> None:
    asked = settings(receiver.url)
    deaf = Board(taps=(TapHealth(name="SIP 5060", hears=False),))
    server = PortalServer(create_app(warehouse, asked, board=lambda: deaf), asked)
    server.start()
    assert receiver.arrived.acquire(timeout=30)
    server.stop()
    assert json.loads(receiver.got[0][2])["kind"] == "tap_deaf"
    assert "alerts" not in [thread.name for thread in threading.enumerate()]


def heard(
    call_id: str = "now-1", *, severity: Severity = Severity.CRITICAL, at_ms: int = 4000
) -> LiveFinding:
    return LiveFinding(
        call_id=call_id,
        agent="1001",
        family="F_off_duty",
        severity=severity,
        status=Status.FAIL,
        at_ms=at_ms,
        heard_at=NOW,
    )


def test_a_critical_phrase_is_told_during_its_call_and_not_again_after_it(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    watching, live = alarms(warehouse, PortalSettings())
    assert watching.look(NOW) == []
    live.tell(heard(severity=Severity.MAJOR, at_ms=1000))
    live.tell(heard())
    live.tell(heard())
    live.tell(heard(at_ms=9000))
    assert [one.at_ms for one in live.of("now-1")] == [1000, 4000, 9000]
    assert [(a.kind, a.subject) for a in watching.look(NOW)] == [(Kind.LIVE_PHRASE, "now-1")]
    live.tell(heard(at_ms=20_000))
    assert watching.look(NOW) == []
    story = Story(call_id="now-1", agent="1001", at=NOW, phrase="我要下班啦", heard="我要下班啦")
    warehouse.ingest(hand_over(story, tmp_path / "more"), tmp_path / "archive")
    assert watching.look(NOW) == []


def test_what_is_open_stays_open_over_a_restart(warehouse: Warehouse, tmp_path: Path) -> None:
    asked = PortalSettings(alert_calls=5, alert_minutes=1440)
    deaf = [TapHealth(name="SIP 5060", hears=False)]
    assert len(alarms(warehouse, asked, deaf)[0].look(NOW)) == 2
    story = Story(call_id="between", agent="1001", at=NOW, phrase="我要下班啦", heard="我要下班啦")
    warehouse.ingest(hand_over(story, tmp_path / "more"), tmp_path / "archive")
    again, _ = alarms(warehouse, asked, deaf)
    assert [(a.kind, a.subject) for a in again.look(NOW)] == [(Kind.CRITICAL_PHRASE, "between")]
    open_now = "SELECT count(*) AS n FROM alerts WHERE closed_at IS NULL"
    assert warehouse.rows(open_now) == [{"n": 2}]
    well, _ = alarms(warehouse, asked, [TapHealth(name="SIP 5060", hears=True)])
    assert well.look(NOW) == []
    assert warehouse.rows(open_now) == [{"n": 1}]


KILLED = """
import os, sys
from pathlib import Path
from portal.alerts import Alarms
from portal.live_findings import LiveFindings
from portal.ports import Board, TapHealth
from portal.settings import PortalSettings
from tests.peers.hotline import NOW
from warehouse.store import Warehouse

asked = PortalSettings.model_validate_json(sys.argv[2])
board = Board(taps=[TapHealth(name="SIP 5060", hears=False)])
warehouse = Warehouse.open(Path(sys.argv[1]))
assert Alarms(warehouse, asked, lambda: board, LiveFindings()).look(NOW)
os.kill(os.getpid(), 9)
"""


def test_an_alert_raised_before_a_kill_is_sent_after_it(
    receiver: Receiver, tmp_path: Path, clocks: Clocks
) -> None:
    path = tmp_path / "s.duckdb"
    hook = {"kind": "json", "url": receiver.url, "secret": SECRET}
    asked = json.dumps({"webhooks": [hook]})
    ended = subprocess.run([sys.executable, "-c", KILLED, str(path), asked], check=False)
    assert ended.returncode == -9
    opened = Warehouse.open(path)
    try:
        assert Outbox(opened, settings(receiver.url), lambda: clocks.wall).send() == 0
    finally:
        opened.close()
    assert json.loads(receiver.got[0][2])["subject"] == "SIP 5060"


def test_a_letter_whose_address_is_gone_from_the_settings_is_given_up(
    receiver: Receiver, letters: Post
) -> None:
    letters.put(settings(receiver.url + "/old"))
    assert letters.box(settings(receiver.url + "/new")).send() == 0
    assert receiver.got == []
