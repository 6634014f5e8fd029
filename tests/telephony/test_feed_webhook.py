"""The feed's webhook: whom it listens to, how much of it, and a session completed by it."""

import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from calls.call import (
    EndedBy,
    Mode,
    Signalling,
)
from telephony.feed.settings import FeedSettings, WebhookSettings
from telephony.feed.webhook import Webhook
from telephony.siprec.settings import SiprecSettings
from tests.telephony.conftest import Phone, Tap, free_ports, until


@pytest.fixture
def webhook() -> Iterator[tuple[Webhook, list[bytes]]]:
    heard: list[bytes] = []

    def hear(lines: list[bytes]) -> int:
        heard.extend(lines)
        return len(lines)

    hook = Webhook(WebhookSettings(), "the-token", hear)
    yield hook, heard
    hook.close()


def post(port: int, body: bytes, token: str = "the-token", path: str = "/events") -> int:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", body, {"Authorization": f"Bearer {token}"}
    )
    try:
        with urllib.request.urlopen(request) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_a_webhook_takes_lines_with_its_token(webhook: tuple[Webhook, list[bytes]]) -> None:
    hook, heard = webhook
    assert post(hook.port, b"one\n\ntwo\n") == 200
    assert heard == [b"one", b"two"]
    assert post(hook.port, b"three", token="another") == 401
    assert post(hook.port, b"three", path="/other") == 404
    assert heard == [b"one", b"two"]


@pytest.mark.parametrize(
    ("length", "code"), [(b"", b"411"), (b"Content-Length: 2000000\r\n", b"413")]
)
def test_a_webhook_reads_no_more_than_it_is_to(
    webhook: tuple[Webhook, list[bytes]], length: bytes, code: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", webhook[0].port), timeout=10) as client:
        client.sendall(
            b"POST /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer the-token\r\n"
            + length
            + b"\r\n"
        )
        assert client.recv(1000).split()[1] == code


def test_a_webhook_refuses_strangers() -> None:
    hook = Webhook(WebhookSettings(peers=("10.0.0.0/8",)), "the-token", len)
    try:
        with pytest.raises(OSError, match=r"closed|reset|[Bb]roken"):
            post(hook.port, b"one")
    finally:
        hook.close()


CLIENT = Path(__file__).parents[1] / "peers" / "recording_client.py"
METADATA = """<recording xmlns="urn:ietf:params:xml:ns:recording:1">
<participant participant_id="A"><nameID aor="sip:8012@agents.example"/></participant>
<participant participant_id="C"><nameID aor="sip:anonymous@trunk.example"/></participant>
<stream stream_id="sa"><label>1</label></stream><stream stream_id="sc"><label>2</label></stream>
<participantstreamassoc participant_id="A"><send>sa</send></participantstreamassoc>
<participantstreamassoc participant_id="C"><send>sc</send></participantstreamassoc>
</recording>"""


@pytest.mark.sip
def test_a_session_is_completed_by_what_is_posted_under_the_id_of_its_header(
    tap_of: Callable[..., Tap],
    speech: Callable[[int, float], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SANSHENG_FEED_TOKEN", "the-token")
    hook, port, rtp = free_ports(3)
    tap = tap_of(
        siprec=SiprecSettings(agent_domains=("agents.example",), id_headers=("X-Call-ID",)),
        feed=FeedSettings(webhook=WebhookSettings(port=hook), wait_s=3),
    )
    talk = str(speech(1, 3))
    script = tmp_path / "client.json"
    script.write_text(
        json.dumps(
            {
                "port": port,
                "rtp_port": min(rtp & ~1, 60_000),
                "call": tap.uri,
                "streams": [{"label": "1", "play": talk}, {"label": "2", "play": talk}],
                "metadata": METADATA,
                "headers": {"X-Call-ID": "4711;leg=1"},
                "hang_up_ms": 1500,
            }
        )
    )
    client = Phone(
        subprocess.Popen([sys.executable, str(CLIENT), str(script)], stdout=subprocess.PIPE)
    )

    def tell_hook(event: str, moment: datetime, **more: str) -> None:
        line = {"call_id": "4711", "at": moment.isoformat(), "event": event, **more}
        assert post(hook, json.dumps(line).encode()) == 200

    # Not its end: the call waits no longer for its events than so long.
    until(lambda: client.told("hanging up"))
    answered, ended = client.at("answer"), client.at("hanging up")
    tell_hook("ringing", answered - timedelta(seconds=17), called="88908890")
    tell_hook("answered", answered)
    tell_hook("ended", ended, by="agent")
    client.wait()
    [(call, _)] = tap.recorded()
    assert (call.mode, call.signalling) == (Mode.SIPREC, Signalling.FEED)
    assert (call.ring_ms, call.ended_by) == (17_000, EndedBy.AGENT)
    assert (call.called, call.agent, call.pbx_call_id) == ("88908890", "8012", "4711")
    tell_hook("hold", answered + timedelta(seconds=0.5), by="agent")
    health = tap.supervisor.feed_health()
    assert health is not None
    assert (health.events, health.joined, health.late) == (4, 1, 1)
