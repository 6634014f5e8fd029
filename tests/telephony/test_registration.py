"""The tap as an extension of a PBX: registered, called, called by, lost, refused and back."""

import contextlib
import json
import os
import re
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from calls.call import EndedBy, EndReason
from calls.errors import TapError
from calls.handover import Spool
from telephony.digest import Guard, Verdict
from telephony.health import RegistrationHealth
from telephony.identity_settings import RegistrationSettings
from telephony.settings import Destination, TapSettings
from telephony.supervisor import TapSupervisor
from tests.peers import asterisk
from tests.peers.asterisk_files import SECRET
from tests.telephony.conftest import Phone, Tap, free_ports, until

TapOf = Callable[..., Tap]
Phones = Callable[..., Phone]
VARIABLE = "PBX_PASSWORD"
PASSWORD = SECRET


def test_a_registration_needs_one_place_for_its_password() -> None:
    for env, file in (("", ""), ("A", "b")):
        with pytest.raises(ValidationError, match="one of password_env and password_file"):
            RegistrationSettings(
                user="8800", registrar="sip:10.0.0.2", password_env=env, password_file=file
            )


def test_a_password_that_is_not_there_is_told_by_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    by_env = RegistrationSettings(user="8800", registrar="sip:10.0.0.2", password_env=VARIABLE)
    with pytest.raises(TapError, match=VARIABLE):
        by_env.password()
    file = tmp_path / "password"
    by_file = RegistrationSettings(user="8800", registrar="sip:10.0.0.2", password_file=str(file))
    with pytest.raises(TapError, match="password"):
        by_file.password()
    file.write_text("")
    with pytest.raises(TapError, match="no password in"):
        by_file.password()
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(TapError, match="not text"):
        by_file.password()
    file.write_text("secret\n")
    assert by_file.password() == "secret"


def test_an_extension_that_would_ring_itself_is_refused() -> None:
    extension = RegistrationSettings(user="8800", registrar="sip:10.0.0.2", password_env="A")
    with pytest.raises(ValidationError, match="calls to 8800 ring"):
        TapSettings(registrations=(extension,))
    ring = Destination(uri="sip:1001@10.0.0.2", registration="8800@10.0.0.2")
    assert TapSettings(registrations=(extension,), destinations={"8800": ring})
    with pytest.raises(ValidationError, match="no registration 9900@10"):
        TapSettings(destinations={"1": Destination(uri="sip:1@a", registration="9900@10.0.0.2")})
    with pytest.raises(ValidationError, match="twice"):
        TapSettings(registrations=(extension, extension), destinations={"8800": ring})


@dataclass
class Registrar:
    """A registrar by hand on a port of its own: it checks the digest, and says what it is told to.

    ``code`` is its answer to a right password: 200, a refusal, or 0 for silence.
    """

    algorithm: Any
    code: int = 200
    expires_s: int = 10
    heard: list[str] = field(default_factory=list)
    """What right REGISTERs asked for: the value of Expires."""

    def __post_init__(self) -> None:
        self._guard = Guard({"8800": PASSWORD}, "pbx.example", [self.algorithm], 60)
        self._wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._wire.bind(("127.0.0.1", 0))
        self.port: int = self._wire.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            data, peer = self._wire.recvfrom(8000)
            if not data:
                return
            message = data.decode()
            if self.code and message.startswith("REGISTER"):
                self._wire.sendto(self._answer(message), peer)

    def _answer(self, message: str) -> bytes:
        now_ms = time.monotonic() * 1000
        extra = []
        code = self.code
        if self._guard.judge("REGISTER", message, now_ms) is Verdict.RIGHT:
            asked = re.search(r"^Expires: (\d+)", message, re.MULTILINE)
            contact = re.search(r"^Contact: (<[^>]+>)", message, re.MULTILINE)
            assert asked
            self.heard.append(asked[1])
            if code == 200 and contact and asked[1] != "0":
                extra = [f"Contact: {contact[1]};expires={self.expires_s}"]
        else:
            code = 401
            extra = [f"WWW-Authenticate: {value}" for value in self._guard.challenges(now_ms)]
        kept = [
            line
            for line in message.partition("\r\n\r\n")[0].splitlines()
            if line.split(":")[0] in ("Via", "From", "To", "Call-ID", "CSeq")
        ]
        lines = [f"SIP/2.0 {code} x", *kept, *extra, "Content-Length: 0", "", ""]
        return "\r\n".join(lines).encode()

    def close(self) -> None:
        self._wire.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._wire.close()


@pytest.fixture
def registrar_of() -> Iterator[Callable[..., Registrar]]:
    with contextlib.ExitStack() as closing:

        def start(algorithm: str = "MD5") -> Registrar:
            registrar = Registrar(algorithm)
            closing.callback(registrar.close)
            return registrar

        yield start


def extension(port: int) -> dict[str, Any]:
    """Settings of a tap that registers as 8800 with whatever listens on a port."""
    registration = RegistrationSettings(
        user="8800",
        registrar=f"sip:127.0.0.1:{port}",
        password_env=VARIABLE,
        expires_s=10,
        retry_s=1,
    )
    return {
        "registrations": (registration,),
        "destinations": {"8800": Destination(uri=f"sip:1001@127.0.0.1:{port}", agent="1001")},
    }


def standing(tap: Tap) -> RegistrationHealth | None:
    """How the tap's one registration stands."""
    found = [r for child in tap.supervisor.health() for r in child.registrations]
    return found[0] if found else None


def stands(tap: Tap, state: str) -> Callable[[], bool]:
    def check() -> bool:
        found = standing(tap)
        return found is not None and found.state == state

    return check


def pages(tap: Tap) -> tuple[int, str]:
    """The status of /health, and both pages' text."""
    base = f"http://127.0.0.1:{tap.settings.health_port}"
    try:
        with urllib.request.urlopen(f"{base}/health") as reply:
            code, text = reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            code, text = error.code, error.read().decode()
    with urllib.request.urlopen(f"{base}/metrics") as reply:
        return code, text + reply.read().decode()


@pytest.mark.sip
@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_a_registration_is_refreshed_and_taken_back_at_the_stop(
    tap_of: TapOf,
    registrar_of: Callable[..., Registrar],
    monkeypatch: pytest.MonkeyPatch,
    algorithm: str,
) -> None:
    monkeypatch.setenv(VARIABLE, PASSWORD)
    registrar = registrar_of(algorithm)
    tap = tap_of(**extension(registrar.port))
    until(stands(tap, "registered"))
    until(lambda: len(registrar.heard) >= 2)
    tap.supervisor.drain_and_stop()
    assert registrar.heard[0] == "10"
    assert registrar.heard[-1] == "0"


@pytest.mark.sip
def test_a_registration_refused_or_lost_is_told_and_comes_back(
    tap_of: TapOf,
    registrar_of: Callable[..., Registrar],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(VARIABLE, PASSWORD)
    registrar = registrar_of()
    registrar.code = 403
    [health] = free_ports(1)
    tap = tap_of(health_port=health, **extension(registrar.port))
    name = "8800@127.0.0.1"
    until(stands(tap, "refused"))
    code, text = pages(tap)
    assert code == 503
    assert f'sansheng_tap_registered{{registration="{name}"}} 0.0' in text
    found = json.loads(text[: text.index("}# ") + 1])["children"][0]["registrations"]
    assert [(r["name"], r["state"], r["code"]) for r in found] == [(name, "refused", 403)]

    registrar.code = 200
    until(stands(tap, "registered"))
    code, text = pages(tap)
    assert code == 200
    assert f'sansheng_tap_registered{{registration="{name}"}} 1.0' in text

    registrar.code = 0
    until(stands(tap, "lost"))
    assert pages(tap)[0] == 503
    registrar.code = 200
    until(stands(tap, "registered"))

    said = capfd.readouterr()
    everything = said.out + said.err + text
    assert "registration refused" in said.err
    assert "registration lost" in said.err
    assert PASSWORD not in everything


@pytest.mark.sip
def test_a_tap_without_its_password_says_where_it_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    [port] = free_ports(1)
    settings = TapSettings(port=port, **extension(port))
    tap = TapSupervisor(settings, Spool(tmp_path))
    with pytest.raises(TapError, match=VARIABLE):
        tap.start()


@pytest.mark.sip
@pytest.mark.pbx
@pytest.mark.skipif(
    not asterisk.is_installed() and not os.environ.get("CI"), reason="needs Asterisk: make peers"
)
def test_an_extension_of_asterisk_calls_the_agent_by_its_password_and_is_gone_round_when_it_left(
    tap_of: TapOf, phones: Phones, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, PASSWORD)
    sip, ami, rtp, agent_port, second_port = free_ports(5)
    agents = {"1001": agent_port, "1002": second_port}
    tap = tap_of(**extension(sip))
    ports = {
        "sip_port": sip,
        "ami_port": ami,
        "rtp_port": min(rtp, 60_000),
        "tap_port": tap.settings.port,
    }
    with asterisk.running(**ports, phones=agents):
        until(stands(tap, "registered"))
        agent = phones(port=agent_port, ring_ms=300)
        caller = phones(user="13900000000", call=f"sip:88908893@127.0.0.1:{sip}", hang_up_ms=1000)
        caller.wait()
        agent.wait()
        assert agent.told("confirmed")
        [(call, _)] = tap.recorded()
        assert (call.caller, call.called, call.agent) == ("13900000000", "8800", "1001")
        assert (call.ended_by, call.end_reason) == (EndedBy.CALLER, EndReason.BYE)
    until(stands(tap, "lost"))
    with asterisk.running(**ports, phones=agents):
        until(stands(tap, "registered"))
        tap.supervisor.drain_and_stop()
        second = phones(port=second_port, ring_ms=100)
        phones(call=f"sip:88908893@127.0.0.1:{sip}", hang_up_ms=300).wait()
        second.wait()
        assert second.told("confirmed")
