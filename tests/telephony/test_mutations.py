"""The tap under attack: torture messages and ten thousand broken INVITEs around a real call."""

import random
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from calls import wav
from calls.call import Call, EndedBy, EndReason
from calls.codec import read_record
from calls.handover import CALL_FILE, Stage
from telephony.build import find_build
from telephony.settings import Destination
from telephony.siprec.settings import SiprecSettings
from tests.peers import torture
from tests.peers.rude_peer import HOST, RudePeer, invite
from tests.telephony.conftest import Phone, Tap, free_ports, lag_ms, until

pytestmark = pytest.mark.sip

TapOf = Callable[..., Tap]
Phones = Callable[..., Phone]
Speech = Callable[[int, float], Path]

MUTANTS, A_SECOND, SEED = 10_000, 200, 4475
TALK_S = MUTANTS // A_SECOND + 4
SETTLED = 7000
"""After so many each transaction that the library waits 32 s for has made room for another."""
GROWTH_MB = 64
"""What the rest may add to memory: a leak of 16 kB a message would be more."""
MOVED_MS = 400
"""The phones' own start apart, and what their jitter buffers shift on a busy machine."""
OFFERS = sorted((Path(__file__).parent / "data" / "siprec").glob("*.txt"))


def offer_of(path: Path) -> tuple[bytes, str]:
    """A vendor's offer with our address put in for its own, and its Content-Type."""
    text = path.read_text()
    body = text[text.index("\n--") + 1 :]
    boundary = body.splitlines()[0].removeprefix("--")
    body = re.sub(r"\bX\.X\.X\.X\b|IN IP4 [\d.]+", f"IN IP4 {HOST}", body)
    body = body.replace("IN IP4 IN IP4", "IN IP4").replace("\r\n", "\n").replace("\n", "\r\n")
    return body.encode(), f"multipart/mixed;boundary={boundary}"


def mutants(uri: str, port: int) -> Iterator[tuple[bytes, bool]]:
    """Broken INVITEs of telephones and of five vendors' recorders, and whether one goes by TCP."""
    chance = random.Random(SEED)
    for number in range(MUTANTS):
        tcp = number % 4 == 3
        sound = invite(uri, port, number, tcp=tcp)
        if number % 2:
            body, content = offer_of(OFFERS[number // 2 % len(OFFERS)])
            sound = invite(
                uri, port, number, tcp=tcp, body=body, content=content, more="Require: siprec\r\n"
            )
        yield torture.mutate(sound, chance), tcp


def rss_mb(tap: Tap) -> float:
    """Memory of the tap's one process."""
    [pid] = tap.supervisor.pids()
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 2**20


def pumped(peer: RudePeer, condition: Callable[[], bool], timeout_s: float = 90) -> None:
    """Wait for a condition while the peer goes on answering."""

    def holds() -> bool:
        peer.pump(0.1)
        return condition()

    until(holds, timeout_s)


def the_real_call(tap: Tap) -> tuple[Call, Path] | None:
    """The one call of the citizen who means it, once it is handed over."""
    for folder in tap.spool.waiting(Stage.RECORDED):
        call = read_record(folder / CALL_FILE, Call)
        if call.agent == "1001":
            return call, folder
    return None


@pytest.mark.parametrize("name", ["own", "wheel"])
def test_many_invites_at_once_end_no_process(
    tap_of: TapOf, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    if name == "own" and find_build().name != "own":
        pytest.skip("needs our own PJSIP build: make pjsip")
    monkeypatch.setenv("SANSHENG_PJSIP", name)
    tap = tap_of(allowed_peers=("10.0.0.0/8",), rtp_ports=800)
    pids = tap.supervisor.pids()
    peer = RudePeer(("127.0.0.1", tap.settings.port))
    for number in range(200):
        peer.udp(invite(tap.uri, peer.port, number))
        peer.pump(0.001)
    pumped(peer, lambda: peer.heard["403"] + peer.heard["503"] == 200)
    peer.close()
    assert peer.heard["403"] > 0
    assert tap.supervisor.pids() == pids


def test_ten_thousand_broken_invites_harm_no_call_and_leave_nothing(
    tap_of: TapOf, phones: Phones, speech: Speech
) -> None:
    [port] = free_ports(1)
    peer = RudePeer(("127.0.0.1", port))
    agent_port, rtp = free_ports(2)
    tap = tap_of(
        port=port,
        rtp_port=rtp & ~1,
        rtp_ports=2000,
        drain_s=0,
        ring_timeout_s=5,
        media_lost_s=5,
        calls_a_second=20,
        allowed_peers=("127.0.0.0/8",),
        recording_coding="PCM_16",
        siprec=SiprecSettings(media_lost_s=30),
        default_destination=Destination(uri=f"sip:{{called}}@{peer.agents}"),
        destinations={"1001": Destination(uri=f"sip:1001@127.0.0.1:{agent_port}")},
    )
    pids = tap.supervisor.pids()
    said = [speech(1, TALK_S), speech(2, TALK_S)]
    agent = phones(port=agent_port, ring_ms=100, play=str(said[1]), give_up_ms=150_000)
    caller = phones(
        call=f"sip:1001@127.0.0.1:{port}",
        play=str(said[0]),
        hang_up_ms=TALK_S * 1000,
        give_up_ms=150_000,
    )
    pumped(peer, lambda: agent.told("playing"))
    for number, change in enumerate(torture.CHANGES.values()):
        peer.udp(change(invite(tap.uri, peer.port, MUTANTS + number)))
    memory = {}
    began = time.monotonic()
    for sent, (message, tcp) in enumerate(mutants(tap.uri, peer.port), 1):
        if tcp:
            peer.tcp(message, fresh=sent % 40 == 0)
        else:
            peer.udp(message)
        peer.pump(max(0.0, began + sent / A_SECOND - time.monotonic()))
        if sent in (SETTLED, MUTANTS):
            memory[sent] = rss_mb(tap)
    pumped(peer, lambda: caller.process.poll() is not None)
    pumped(peer, lambda: the_real_call(tap) is not None)
    peer.close()
    assert tap.supervisor.pids() == pids
    assert memory[MUTANTS] < memory[SETTLED] + GROWTH_MB
    # Some were refused for their form, and some went on to ring an agent or to be recorded. How
    # many get so far on the wheel depends on how evenly a busy machine lets them come.
    assert peer.heard["400"] > 0
    assert peer.heard["200"] > 0
    found = the_real_call(tap)
    assert found is not None
    call, folder = found
    assert (call.ended_by, call.end_reason) == (EndedBy.CALLER, EndReason.BYE)
    assert call.recording is not None
    assert call.recording.complete
    path = folder / call.recording.path
    assert wav.inspect(path).duration_ms == pytest.approx(call.duration_ms, abs=100)
    for side, played in enumerate(said):
        # Each ten seconds by themselves: none may be missing, and none may have moved.
        heard, whole = wav.read(path, side), wav.read(played, 0)
        for at in range(0, 8000 * (TALK_S - 12), 8000 * 10):
            piece = slice(at, at + 8000 * 10)
            assert abs(lag_ms(heard[piece], whole[piece])) < MOVED_MS
