"""The digest at the door, against the standard's own examples and real user agents."""

import hashlib
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from calls.call import EndedBy, EndReason
from telephony.digest import Answer, Guard, Verdict, digest, read_answer, response_of
from telephony.door import Door
from telephony.identity_settings import Algorithm, DigestSettings, Secret
from tests.peers import asterisk
from tests.peers.asterisk_files import SECRET
from tests.telephony.conftest import Phone, Tap, free_ports

TapOf = Callable[..., Tap]
Phones = Callable[..., Phone]
NEAR, FAR = "10.0.0.7", "192.0.2.9"
USER, PASSWORD, REALM = "pbx", SECRET, "sansheng"
VARIABLE = "DOOR_PASSWORD"


def rfc_answer(algorithm: str, qop: str = "auth") -> Answer:
    return Answer(
        username="Mufasa",
        realm="http-auth@example.org",
        nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        uri="/dir/index.html",
        response="",
        algorithm=algorithm,
        qop=qop,
        nc="00000001",
        cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    )


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_standards_own_example_comes_out(algorithm: Algorithm, response: str) -> None:
    # RFC 7616 3.9.1.
    answer = rfc_answer(algorithm)
    ha1 = digest(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life")
    assert response_of(algorithm, ha1, "GET", answer) == response


def reply(
    guard: Guard,
    now_ms: float,
    *,
    password: str = PASSWORD,
    user: str = USER,
    algorithm: Algorithm = "MD5",
    nonce: str = "",
    nc: str = "00000001",
    qop: str = "auth",
) -> str:
    """An INVITE that answers a challenge (a fresh one, or the nonce given), made by hand."""
    if not nonce:
        [nonce] = re.findall(r'nonce="([^"]+)"', guard.challenges(now_ms)[0])
    name = {"MD5": "md5", "SHA-256": "sha256"}[algorithm]

    def h(text: str) -> str:
        return hashlib.new(name, text.encode()).hexdigest()

    middle = f":{nc}:ab12:{qop}" if qop else ""
    uri = "sip:88908890@10.0.0.5"
    ha1, ha2 = h(f"{user}:{REALM}:{password}"), h(f"INVITE:{uri}")
    response = h(f"{ha1}:{nonce}{middle}:{ha2}")
    more = f', qop={qop}, nc={nc}, cnonce="ab12"' if qop else ""
    return (
        f"INVITE {uri} SIP/2.0\r\nMax-Forwards: 70\r\n"
        f'Authorization: Digest username="{user}", realm="{REALM}",\r\n nonce="{nonce}",'
        f' uri="{uri}", response="{response}", algorithm={algorithm}{more}\r\n\r\nv=0\r\n'
    )


def guard_of(*algorithms: Algorithm, nonce_s: float = 60) -> Guard:
    return Guard({USER: PASSWORD}, REALM, algorithms or ("MD5",), nonce_s)


@pytest.mark.parametrize("qop", ["auth", ""])
@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_a_right_answer_is_right_once(algorithm: Algorithm, qop: str) -> None:
    guard = guard_of("SHA-256", "MD5")
    message = reply(guard, 0, algorithm=algorithm, qop=qop)
    assert guard.judge("INVITE", message, 100) is Verdict.RIGHT
    assert guard.judge("INVITE", message, 200) is Verdict.STALE


def test_a_nonce_may_be_used_again_with_a_higher_count_only() -> None:
    guard = guard_of()
    [nonce] = re.findall(r'nonce="([^"]+)"', guard.challenges(0)[0])
    for nc, verdict in (
        ("00000001", Verdict.RIGHT),
        ("00000003", Verdict.RIGHT),
        ("00000002", Verdict.STALE),
        ("0000000a", Verdict.RIGHT),
    ):
        assert guard.judge("INVITE", reply(guard, 0, nonce=nonce, nc=nc), 1) is verdict


def test_an_old_challenge_is_stale_and_a_forged_one_too() -> None:
    guard = guard_of(nonce_s=30)
    message = reply(guard, 1000)
    assert guard.judge("INVITE", message, 31_001) is Verdict.STALE
    # Another process's, or one of before a restart: the password is right, the challenge not ours.
    elsewhere = reply(guard_of(), 0)
    assert guard.judge("INVITE", elsewhere, 0) is Verdict.STALE
    for nonce in ("", "x", "ff-x-y", "-"):
        assert guard.judge("INVITE", reply(guard, 0, nonce=nonce or "nonce"), 0) is Verdict.STALE
    assert "stale=true" in guard.challenges(0, stale=True)[0]


@pytest.mark.parametrize(
    "change",
    [
        {"password": "guess"},
        {"user": "root"},
        {"algorithm": "SHA-256"},
        {"qop": "auth-int"},
        {"nc": "1"},
        {"nc": "0000000g"},
    ],
)
def test_what_is_wrong_is_wrong(change: dict[str, str]) -> None:
    guard = guard_of("MD5")
    message = reply(guard, 0, **change)  # type: ignore[arg-type]
    assert guard.judge("INVITE", message, 0) is Verdict.WRONG
    assert guard.judge("REGISTER", reply(guard, 0), 0) is Verdict.WRONG


def test_no_answer_for_our_realm_is_none() -> None:
    guard = guard_of()
    assert guard.judge("INVITE", "INVITE sip:1@a SIP/2.0\r\n\r\n", 0) is Verdict.NONE
    other = reply(guard, 0).replace(f'realm="{REALM}"', 'realm="elsewhere"')
    assert guard.judge("INVITE", other, 0) is Verdict.NONE
    # A header of the body is none of the message's.
    body = reply(guard, 0)
    assert read_answer("INVITE sip:1@a SIP/2.0\r\n\r\n" + body, REALM) is None


def test_what_was_used_is_forgotten_when_it_is_too_old_to_be_used_again() -> None:
    guard = guard_of(nonce_s=10)
    for second in range(100):
        now_ms = second * 1000.0
        assert guard.judge("INVITE", reply(guard, now_ms), now_ms) is Verdict.RIGHT
    assert len(guard._used) <= 12


@pytest.mark.parametrize(
    ("peers_by", "source", "password", "code"),
    [
        ("address", NEAR, "", None),
        ("address", FAR, PASSWORD, 403),
        ("digest", NEAR, "", 401),
        ("digest", FAR, PASSWORD, None),
        ("digest", NEAR, "guess", 403),
        ("either", NEAR, "", None),
        ("either", FAR, PASSWORD, None),
        ("either", FAR, "", 401),
        ("both", NEAR, "", 401),
        ("both", NEAR, PASSWORD, None),
        ("both", FAR, PASSWORD, 403),
    ],
)
def test_what_lets_a_peer_in(peers_by: str, source: str, password: str, code: int | None) -> None:
    guard = guard_of()
    door = Door(["10.0.0.0/24"], 10, guard, peers_by)  # type: ignore[arg-type]
    message = reply(guard, 0, password=password) if password else "INVITE sip:1@a SIP/2.0\r\n\r\n"
    refused = door.refusal(source, message, 0)
    assert (refused and refused.code) == code
    if refused is not None and code == 401:
        assert [name for name, _ in refused.headers] == ["WWW-Authenticate"]


def test_an_address_that_guesses_is_not_listened_to_for_a_while() -> None:
    guard = guard_of()
    door = Door([], 10, guard, "digest")
    for _ in range(5):
        refused = door.refusal(FAR, reply(guard, 0, password="guess"), 0)
        assert refused is not None
        assert refused.code == 403
    refused = door.refusal(FAR, reply(guard, 0), 0)
    assert refused is not None
    assert refused.code == 403
    assert door.refusal(NEAR, reply(guard, 0), 0) is None
    later = 11_000.0
    assert door.refusal(FAR, reply(guard, later), later) is None


def test_a_door_that_asks_needs_users() -> None:
    with pytest.raises(ValidationError, match="needs users"):
        DigestSettings(peers_by="digest")


def digest_settings(peers_by: str, *algorithms: Algorithm) -> DigestSettings:
    return DigestSettings.model_validate(
        {
            "peers_by": peers_by,
            "users": (Secret(user=USER, password_env=VARIABLE),),
            "algorithms": algorithms or ("MD5",),
        }
    )


@pytest.mark.sip
@pytest.mark.parametrize("algorithms", [("MD5",), ("SHA-256", "MD5")])
def test_a_telephone_with_the_password_is_let_in_and_one_without_is_not(
    tap_of: TapOf,
    phones: Phones,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    algorithms: tuple[Algorithm, ...],
) -> None:
    monkeypatch.setenv(VARIABLE, PASSWORD)
    tap = tap_of(allowed_peers=(), digest=digest_settings("digest", *algorithms))
    for password, code in (("", 401), ("guess", 403)):
        stranger = phones(call=tap.uri, auth_user=USER, password=password)
        stranger.wait()
        assert [e["code"] for e in stranger.events if e["event"] == "ended"] == [code]
    agent = phones(port=tap.agent_port, ring_ms=100)
    phones(call=tap.uri, auth_user=USER, password=PASSWORD, hang_up_ms=500).wait()
    agent.wait()
    [(call, folder)] = tap.recorded()
    assert (call.ended_by, call.end_reason) == (EndedBy.CALLER, EndReason.BYE)
    said = capfd.readouterr()
    kept = "".join(f.read_text(errors="replace") for f in folder.iterdir() if f.suffix != ".wav")
    assert PASSWORD not in said.out + said.err + kept
    assert not re.search(r"nonce|response=", said.err + kept)


@pytest.mark.sip
@pytest.mark.skipif(
    not Path("/usr/bin/sipp").exists() and not os.environ.get("CI"), reason="needs SIPp: make peers"
)
def test_sipp_with_the_password_is_let_in(
    tap_of: TapOf, phones: Phones, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(VARIABLE, PASSWORD)
    tap = tap_of(digest=digest_settings("both"))
    agent = phones(port=tap.agent_port, ring_ms=100)
    [port] = free_ports(1)
    scenario = tmp_path / "caller.xml"
    scenario.write_text(SIPP_CALLER)
    done = subprocess.run(
        [
            *("/usr/bin/sipp", f"127.0.0.1:{tap.settings.port}", "-sf", str(scenario), "-m", "1"),
            *("-i", "127.0.0.1", "-p", str(port), "-s", "88908890", "-au", USER, "-ap", PASSWORD),
            *("-nostdin", "-timeout", "30"),
        ],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    agent.wait()
    [(call, _)] = tap.recorded()
    assert (call.ended_by, call.end_reason) == (EndedBy.CALLER, EndReason.BYE)


def _request(method: str, number: int, *, to: str = "", more: str = "", body: str = "") -> str:
    return f"""<send retrans="500"><![CDATA[
{method} sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:139@[local_ip]>;tag=[call_number]
To: <sip:[service]@[remote_ip]>{to}
Call-ID: [call_id]
CSeq: {number} {method}
Contact: <sip:139@[local_ip]:[local_port]>
Max-Forwards: 70
{more}Content-Length: [len]

{body}]]></send>"""


_SDP = """v=0
o=- 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio 39000 RTP/AVP 8
"""
_TYPE = "Content-Type: application/sdp\n"
SIPP_CALLER = "".join(
    (
        '<?xml version="1.0" encoding="ISO-8859-1" ?><scenario name="digest">',
        _request("INVITE", 1, more=_TYPE, body=_SDP),
        '<recv response="100" optional="true"/><recv response="401" auth="true"/>',
        _request("ACK", 1, to="[peer_tag_param]").replace(' retrans="500"', ""),
        _request("INVITE", 2, more=f"[authentication]\n{_TYPE}", body=_SDP),
        '<recv response="100" optional="true"/><recv response="180" optional="true"/>',
        '<recv response="200"/>',
        _request("ACK", 2, to="[peer_tag_param]").replace(' retrans="500"', ""),
        '<pause milliseconds="300"/>',
        _request("BYE", 3, to="[peer_tag_param]"),
        '<recv response="200"/></scenario>',
    )
)


@pytest.mark.sip
@pytest.mark.pbx
@pytest.mark.skipif(
    not asterisk.is_installed() and not os.environ.get("CI"), reason="needs Asterisk: make peers"
)
def test_asterisk_with_the_password_is_let_in(
    tap_of: TapOf, phones: Phones, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, PASSWORD)
    tap = tap_of(digest=digest_settings("both"))
    sip, ami, rtp = free_ports(3)
    with asterisk.running(
        sip_port=sip,
        ami_port=ami,
        rtp_port=min(rtp, 60_000),
        tap_port=tap.settings.port,
        phones={"1001": tap.agent_port},
    ):
        agent = phones(port=tap.agent_port, ring_ms=100)
        phones(call=f"sip:88908894@127.0.0.1:{sip}", hang_up_ms=500).wait()
        agent.wait()
    [(call, _)] = tap.recorded()
    assert (call.ended_by, call.end_reason) == (EndedBy.CALLER, EndReason.BYE)
