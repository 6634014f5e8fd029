"""What is too long for the library's buffer: answered with 513 over TCP, and the line is closed."""

import contextlib
import socket
from collections.abc import Callable
from typing import Any

import pytest

from telephony.build import find_build
from telephony.sip_text import too_large
from tests.peers.rude_peer import invite
from tests.telephony.conftest import Phone, Tap

TapOf = Callable[..., Tap]
Phones = Callable[..., Phone]
URI = "sip:88908890@127.0.0.1:5070"
BEGINNING = invite(URI, 5060, 7, tcp=True).decode()


def test_the_answer_repeats_what_an_answer_has_to() -> None:
    said = too_large(BEGINNING.replace("From: ", "f : ").replace("<sip:139", "\r\n <sip:139", 1))
    assert said.splitlines() == [
        "SIP/2.0 513 Message Too Large",
        "Via: SIP/2.0/TCP 127.0.77.1:5060;branch=z9hG4bK7;rport",
        "f : ",
        " <sip:139@127.0.77.1>;tag=t7",
        f"To: <{URI}>;tag=513",
        "Call-ID: rude7",
        "CSeq: 1 INVITE",
        "Content-Length: 0",
        "",
    ]
    assert said.endswith("\r\n\r\n")
    in_dialog = too_large(BEGINNING.replace(f"To: <{URI}>", f"To: <{URI}>;tag=ours"))
    assert f"\r\nTo: <{URI}>;tag=ours\r\n" in in_dialog


@pytest.mark.parametrize(
    "beginning",
    [
        BEGINNING.replace("INVITE", "ACK"),
        "SIP/2.0 200 OK\r\n" + BEGINNING.partition("\r\n")[2],
        BEGINNING.replace("Call-ID: rude7\r\n", ""),
        BEGINNING[: BEGINNING.index("CSeq")],
        "",
        "INVITE",
    ],
)
def test_what_asks_for_no_answer_or_shows_too_little_gets_none(beginning: str) -> None:
    assert too_large(beginning) == ""


@pytest.mark.sip
@pytest.mark.parametrize("where", ["header", "body"])
def test_a_long_message_over_tcp_is_answered_and_the_next_call_is_taken(
    tap_of: TapOf, phones: Phones, where: str
) -> None:
    tap = tap_of()
    filling = "a" * find_build().max_message_bytes
    rest: dict[str, Any] = (
        {"more": f"X-Long: {filling}\r\n"} if where == "header" else {"body": filling.encode()}
    )
    with socket.create_connection(("127.0.0.1", tap.settings.port), timeout=15) as line:
        line.sendall(invite(tap.uri, 5060, 1, tcp=True, **rest))
        said = b""
        # A line that is closed before all was read may end by a reset, after the answer.
        with contextlib.suppress(ConnectionError):
            while chunk := line.recv(4000):
                said += chunk
    assert said.startswith(b"SIP/2.0 513 ")
    assert b"\r\nCall-ID: rude1\r\n" in said
    agent = phones(port=tap.agent_port, ring_ms=100)
    phones(call=tap.uri, hang_up_ms=300).wait()
    agent.wait()
    assert len(tap.recorded()) == 1
