"""The feed on what Asterisk says: CEL rows, and the manager over its socket."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from calls.call import (
    Channel,
    EndedBy,
    Hold,
)
from calls.errors import TapError
from telephony.feed.ami import AmiClient
from telephony.feed.asterisk import AsteriskReader
from telephony.feed.event import PbxCall, tell
from telephony.feed.settings import AmiSettings
from telephony.feed.store import FeedStore
from tests.telephony.conftest import until
from tests.telephony.test_feed_join import (
    RECORDED,
    SETTINGS,
    at,
)

CEL = (Path(__file__).parent / "data" / "cel-sample.csv").read_bytes().splitlines()
"""Rows of a real Asterisk 16: a call that the caller ends, one from a queue that the agent ends."""


def test_asterisks_rows_tell_the_agents_leg_and_the_side_that_hung_up() -> None:
    reader = AsteriskReader()
    calls: dict[str, PbxCall] = {}
    for line in CEL:
        event = reader.read_cel(line)
        if event is not None:
            calls[event.call_id] = tell(calls.get(event.call_id), event)
    direct, queued = calls.values()
    assert (direct.caller, direct.called) == ("13900000000", "7000")
    assert direct.ids == (direct.call_id, "c8f45449-7152-4617-8a50-f349119675e4")
    for call, by in ((direct, EndedBy.CALLER), (queued, EndedBy.AGENT)):
        [leg] = call.legs
        assert leg.agent == "phone"
        assert leg.invited is not None
        assert leg.answered is not None
        # The queue answered its caller before it rang anybody.
        assert (leg.answered - leg.invited).total_seconds() == pytest.approx(0.806, abs=0.01)
        assert {side for _, side in call.ends} - {EndedBy.UNKNOWN} == {by}
        assert call.ended is not None


@pytest.mark.parametrize(
    "line",
    [b"", b"ANSWER,1795533154.1", CEL[0].replace(b"1795533293", b"2026-11-24 09:"), b'"torn'],
)
def test_a_row_of_another_form_is_refused(line: bytes) -> None:
    with pytest.raises(TapError):
        AsteriskReader().read_cel(line)


def manager_event(
    name: str, channel: str, unique: str, second: float, **more: str
) -> dict[str, str]:
    return {
        "Event": name,
        "Timestamp": f"{at(second).timestamp():.6f}",
        "Channel": channel,
        "Uniqueid": unique,
        "Linkedid": "1.0",
        "CallerIDNum": "13900000000",
        "Exten": "88908890",
    } | more


TRUNK, DESK, LOCAL = "PJSIP/trunk-00000001", "PJSIP/8012-00000002", "Local/8012@agents-00000001;1"
MANAGER = [
    manager_event("Newchannel", TRUNK, "1.0", -8, ChanVariable="SIPCALLID=abc@trunk"),
    manager_event("Newstate", TRUNK, "1.0", -7.9, ChannelStateDesc="Up"),
    manager_event("Newchannel", LOCAL, "1.1", -7),
    manager_event("Newstate", LOCAL, "1.1", -6.9, ChannelStateDesc="Ringing"),
    manager_event("Newchannel", DESK, "1.2", -6.2),
    manager_event("Newstate", DESK, "1.2", -6, ChannelStateDesc="Ringing"),
    manager_event("Newstate", DESK, "1.2", 0, ChannelStateDesc="Up"),
    manager_event("Hold", DESK, "1.2", 10),
    manager_event("Unhold", DESK, "1.2", 12),
    manager_event("HangupRequest", DESK, "1.2", 60),
    manager_event("HangupRequest", LOCAL, "1.1", 60),
    manager_event("SoftHangupRequest", TRUNK, "1.0", 60),
    manager_event("Hangup", DESK, "1.2", 60),
    manager_event("Hangup", TRUNK, "1.0", 60),
    {"Event": "RTCPSent"},
]


def test_the_managers_events_tell_ring_holds_and_the_side_that_hung_up() -> None:
    reader, store = AsteriskReader(), FeedStore(SETTINGS)
    for message in MANAGER:
        if (event := reader.read_manager(message)) is not None:
            store.take(event)
    call = store.complete(RECORDED, ["abc@trunk"])
    assert (call.ring_ms, call.ended_by) == (6000, EndedBy.AGENT)
    assert call.holds == (Hold(start_ms=10_000, end_ms=12_000, by=Channel.AGENT),)
    assert call.called == "88908890"
    with pytest.raises(TapError, match="timestampevents"):
        reader.read_manager(MANAGER[0] | {"Timestamp": ""})


class Manager:
    """A manager interface that lets one secret in and says what it is told to."""

    def __init__(self) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.logins: list[str] = []
        self.connections: list[socket.socket] = []
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            self.connections.append(connection)
            connection.sendall(b"Asterisk Call Manager/5.0.2\r\n")
            login = connection.recv(4096).decode()
            self.logins.append(login)
            good = "Secret: right\r\n" in login
            said = "Success" if good else "Error"
            connection.sendall(f"Response: {said}\r\nMessage: Authentication\r\n\r\n".encode())

    def say(self, text: bytes) -> None:
        self.connections[-1].sendall(text)

    def hang_up(self) -> None:
        self.connections[-1].shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()
        self.thread.join()
        for connection in self.connections:
            connection.close()


@pytest.fixture
def manager() -> Iterator[Manager]:
    served = Manager()
    yield served
    served.close()


def client_of(manager: Manager, secret: str, hear: Callable[[Any], None]) -> AmiClient:
    return AmiClient(AmiSettings(host="127.0.0.1", port=manager.port), secret, hear)


def test_the_manager_is_heard_and_connected_again(manager: Manager) -> None:
    heard: list[dict[str, str]] = []
    client = client_of(manager, "right", heard.append)
    try:
        until(lambda: client.connected)
        manager.say(b"Event: Newstate\r\nChanVariable: a=1\r\nChanVariable: b=2\r\n\r\nEvent: Ho")
        until(lambda: heard)
        assert heard == [{"Event": "Newstate", "ChanVariable": "a=1\nb=2"}]
        manager.say(b"ld\r\n\r\n")
        until(lambda: len(heard) == 2)
        manager.hang_up()
        until(lambda: len(manager.logins) == 2 and client.connected)
        manager.say(b"Event: Unhold\r\n\r\n")
        until(lambda: len(heard) == 3)
    finally:
        client.close()


def test_a_refused_secret_is_told_without_it(
    manager: Manager, capsys: pytest.CaptureFixture[str]
) -> None:
    client = client_of(manager, "wrong-secret\r\nAction: Originate", lambda _: None)
    try:
        until(lambda: manager.logins)
        until(lambda: "refuses our user or secret" in capsys.readouterr().out, 10)
    finally:
        client.close()
    assert not client.connected
    assert "\r\nAction: Originate" not in manager.logins[0]
