"""TLS and SRTP against a real PBX: Asterisk with chan_pjsip's TLS transport and SDES keys.

caller's telephone → Asterisk → tap (bridge) → Asterisk, all encrypted; → agent's telephone in clear
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calls import wav
from calls.call import Channel, EndedBy, EndReason
from calls.handover import Stage
from telephony.build import find_build
from telephony.settings import Destination
from tests.peers import asterisk
from tests.peers.asterisk_files import endpoint
from tests.telephony.conftest import Papers, Phone, Tap, free_ports

pytestmark = [
    pytest.mark.pbx,
    pytest.mark.sip,
    pytest.mark.skipif(
        not asterisk.is_installed() and not os.environ.get("CI"),
        reason="needs Asterisk: make peers",
    ),
    pytest.mark.skipif(not find_build().tls, reason="TLS needs our own PJSIP: make pjsip"),
]

TapOf = Callable[..., Tap]
Phones = Callable[..., Phone]
Speech = Callable[[int, float], Path]


@dataclass
class Encrypted:
    """An Asterisk and a tap that talk to each other over TLS alone, and the agent's port."""

    tap: Tap
    papers: Papers
    pbx_port: int
    agent: int


def pbx_files(papers: Papers, tls: int, tap_tls: int, agent: int) -> dict[str, str]:
    """What ``docs/attach-asterisk.md`` says of TLS, and a telephone in clear.

    88908891 goes to the tap over TLS with the voice in clear.
    """
    music = "moh_passthrough = yes"
    return {
        "pjsip.conf": f"""[tls]
type = transport
protocol = tls
bind = 127.0.0.1:{tls}
method = tlsv1_2
cert_file = {papers.certificate}
priv_key_file = {papers.key}
ca_list_file = {papers.ca}
verify_server = yes
verify_client = yes
require_client_cert = yes
[udp]
type = transport
protocol = udp
bind = 127.0.0.1:{tls + 2}
"""
        + endpoint("anonymous", music, "media_encryption = sdes")
        + endpoint("sansheng", music, "media_encryption = sdes", "transport = tls")
        + endpoint("clear", music, "transport = tls")
        + endpoint("phone", music, "transport = udp"),
        "extensions.conf": f"""[hotline]
exten = 88908890,1,Dial(PJSIP/sansheng/sip:88908890@127.0.0.1:{tap_tls}\\;transport=tls,60)
 same = n,Hangup()
exten = 88908891,1,Dial(PJSIP/clear/sip:88908890@127.0.0.1:{tap_tls}\\;transport=tls,60)
 same = n,Hangup()
exten = 1001,1,Dial(PJSIP/phone/sip:1001@127.0.0.1:{agent},30)
 same = n,Hangup()
""",
    }


@pytest.fixture
def encrypted(tap_of: TapOf, papers: Callable[[str], Papers]) -> Iterator[Encrypted]:
    ours = papers("ours")
    sip, ami, rtp, tls, tap_tls, agent = free_ports(6)
    tap = tap_of(
        recording_coding="PCM_16",
        tls=ours.required(tap_tls),
        destinations={
            "88908890": Destination(uri=f"sip:1001@127.0.0.1:{tls};transport=tls", agent="1001")
        },
    )
    with asterisk.running_with(
        pbx_files(ours, tls, tap_tls, agent),
        ("res_srtp",),
        sip_port=sip,
        ami_port=ami,
        rtp_port=min(rtp, 60_000),
    ):
        yield Encrypted(tap, ours, tls, agent)


def by_tls(encrypted: Encrypted, number: str) -> dict[str, Any]:
    """What a caller's telephone is given to call a number of the PBX over TLS and SRTP."""
    return {
        "user": "13900000000",
        "tls_port": free_ports(1)[0],
        "certificate": encrypted.papers.certificate,
        "key": encrypted.papers.key,
        "ca": encrypted.papers.ca,
        "srtp": "required",
        "call": f"sip:{number}@127.0.0.1:{encrypted.pbx_port};transport=tls",
    }


def test_a_call_with_a_hold_goes_through_encrypted_and_both_sides_are_heard(
    encrypted: Encrypted, phones: Phones, speech: Speech
) -> None:
    agent = phones(port=encrypted.agent, ring_ms=300, play=str(speech(2, 8)), hang_up_ms=3800)
    caller = phones(
        play=str(speech(1, 8)),
        hold_ms=900,
        resume_ms=1900,
        **by_tls(encrypted, "88908890"),
    )
    for phone in (caller, agent):
        phone.wait()
    assert {e["secure"] for e in caller.events if e["event"] == "media"} == {True}
    assert {e["secure"] for e in agent.events if e["event"] == "media"} == {False}
    [(call, folder)] = encrypted.tap.recorded()
    assert (call.ended_by, call.end_reason) == (EndedBy.AGENT, EndReason.BYE)
    assert (call.caller, call.agent) == ("13900000000", "1001")
    [hold] = call.holds
    assert hold.by is Channel.CALLER
    assert call.recording is not None
    path = folder / call.recording.path
    for side in (0, 1):
        assert np.abs(wav.read(path, side, end_ms=hold.start_ms)).max() > 0.1
        assert np.abs(wav.read(path, side, start_ms=hold.end_ms)).max() > 0.1


def test_a_pbx_that_sends_the_voice_in_clear_gets_no_call(
    encrypted: Encrypted, phones: Phones
) -> None:
    agent = phones(port=encrypted.agent)
    caller = phones(**by_tls(encrypted, "88908891"))
    caller.wait()
    assert [e["code"] for e in caller.events if e["event"] == "ended"] == [488]
    assert not agent.told("invited")
    assert not encrypted.tap.spool.waiting(Stage.RECORDED)
