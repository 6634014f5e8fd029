"""TLS and SRTP: refused where they would not be safe, and real on our own build."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from calls import wav
from calls.call import EndedBy, EndReason
from calls.errors import TapError
from calls.handover import Spool
from telephony import build
from telephony.security import check_security
from telephony.security_settings import TlsSettings
from telephony.settings import Destination, TapSettings
from telephony.supervisor import TapSupervisor
from tests.telephony.conftest import Papers, Phone, Tap, free_ports

TapOf = Callable[..., Tap]
Phones = Callable[..., Phone]
Speech = Callable[[int, float], Path]
BUILD = build.find_build()
SAFE = replace(BUILD, tls="OpenSSL 3.0.16")
own_build = pytest.mark.skipif(not BUILD.tls, reason="TLS needs our own PJSIP: make pjsip")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"port": 5061}, "certificate and key"),
        ({"require_client_certificate": True}, "needs ca"),
        ({"srtp": "required"}, "needs a TLS port"),
    ],
)
def test_half_a_setting_is_refused(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        TlsSettings(**values)


@pytest.mark.parametrize(
    "settings",
    [TlsSettings(port=5061, certificate="a", key="b"), TlsSettings(srtp="optional")],
)
def test_a_build_whose_openssl_is_out_of_support_offers_nothing(settings: TlsSettings) -> None:
    with pytest.raises(TapError, match="OpenSSL is out of support") as caught:
        check_security(settings, replace(SAFE, tls=""))
    assert "make pjsip" in caught.value.remedy
    check_security(TlsSettings(), replace(SAFE, tls=""))


def test_files_that_do_not_belong_together_are_named(
    papers: Callable[[str], Papers], tmp_path: Path
) -> None:
    ours, theirs = papers("ours"), papers("theirs")
    check_security(
        TlsSettings(port=5061, certificate=ours.certificate, key=ours.key, ca=ours.ca), SAFE
    )
    with pytest.raises(TapError, match="key values mismatch"):
        check_security(TlsSettings(port=5061, certificate=ours.certificate, key=theirs.key), SAFE)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("not a certificate")
    gone = str(tmp_path / "gone.pem")
    for certificate, reason in ((gone, "no such file"), (str(rubbish), "pem lib|no pem|no start")):
        with pytest.raises(TapError, match=f"(?i){reason}"):
            check_security(TlsSettings(port=5061, certificate=certificate, key=gone), SAFE)
    with pytest.raises(TapError, match=r"ca .*gone\.pem"):
        check_security(TlsSettings(srtp="optional", ca=gone), SAFE)


@pytest.mark.sip
def test_the_wheel_refuses_at_the_start_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(build.CHOICE_VARIABLE, "wheel")
    [port] = free_ports(1)
    tap = TapSupervisor(
        TapSettings(port=port, tls=TlsSettings(srtp="optional")), Spool(tmp_path / "spool")
    )
    with pytest.raises(TapError, match=r"the wheel PJSIP .* out of support"):
        tap.start()


@dataclass
class Encrypted:
    """A tap with a TLS port, and what its peers need to know."""

    tap: Tap
    papers: Papers
    port: int
    agent_tls: int

    @property
    def uri(self) -> str:
        return f"sip:88908890@127.0.0.1:{self.port};transport=tls"

    def peer(self, papers: Papers | None = None) -> dict[str, Any]:
        """What a phone with TLS is given: our papers, or others with our authority."""
        mine = papers or self.papers
        return {
            "certificate": mine.certificate,
            "key": mine.key,
            "ca": self.papers.ca,
            "srtp": "required",
        }


@pytest.fixture
def encrypted(tap_of: TapOf, papers: Callable[[str], Papers]) -> Encrypted:
    port, agent_tls = free_ports(2)
    ours = papers("ours")
    tap = tap_of(
        recording_coding="PCM_16",
        tls=ours.required(port),
        destinations={
            "88908890": Destination(
                uri=f"sip:1001@127.0.0.1:{agent_tls};transport=tls", agent="1001"
            )
        },
    )
    return Encrypted(tap, ours, port, agent_tls)


@pytest.mark.sip
@own_build
def test_a_call_over_tls_and_srtp_is_bridged_and_recorded(
    encrypted: Encrypted, phones: Phones, speech: Speech
) -> None:
    tls, agent_udp = free_ports(2)
    agent = phones(
        port=agent_udp,
        tls_port=encrypted.agent_tls,
        ring_ms=200,
        play=str(speech(2, 3)),
        **encrypted.peer(),
    )
    caller = phones(
        tls_port=tls,
        call=encrypted.uri,
        play=str(speech(1, 3)),
        hang_up_ms=2500,
        **encrypted.peer(),
    )
    for phone in (caller, agent):
        phone.wait()
        assert [e["secure"] for e in phone.events if e["event"] == "media"] == [True]
    [(call, folder)] = encrypted.tap.recorded()
    assert (call.ended_by, call.end_reason) == (EndedBy.CALLER, EndReason.BYE)
    assert call.recording is not None
    for side in (0, 1):
        assert np.abs(wav.read(folder / call.recording.path, side)).max() > 0.1


@pytest.mark.sip
@own_build
def test_a_stranger_to_the_authority_gets_no_connection_and_voice_in_clear_no_call(
    encrypted: Encrypted, phones: Phones, papers: Callable[[str], Papers]
) -> None:
    tls, agent_udp = free_ports(2)
    agent = phones(port=agent_udp, tls_port=encrypted.agent_tls, **encrypted.peer())
    stranger = phones(
        tls_port=tls, call=encrypted.uri, hang_up_ms=100, **encrypted.peer(papers("theirs"))
    )
    stranger.wait()
    assert not stranger.told("confirmed")
    assert [e["code"] for e in stranger.events if e["event"] == "ended"] == [503]
    clear = phones(call=encrypted.tap.uri)
    clear.wait()
    assert [e["code"] for e in clear.events if e["event"] == "ended"] == [488]
    assert not agent.told("invited")
