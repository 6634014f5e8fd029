"""A real Kamailio, set up as the docs say, in front of eight processes of the wheel."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from calls.handover import Spool, Stage
from sansheng.bench.sipp import Load, Ports, Sipp
from telephony.settings import Destination, TapSettings
from telephony.supervisor import TapSupervisor
from tests.telephony.conftest import free_ports, until

PROGRAM = shutil.which("kamailio", path=f"{os.environ['PATH']}:/usr/sbin")
pytestmark = [
    pytest.mark.sip,
    pytest.mark.pbx,
    pytest.mark.skipif(
        PROGRAM is None and not os.environ.get("CI"), reason="needs Kamailio: make peers"
    ),
]

DOCS = Path(__file__).parents[2] / "docs" / "attach-kamailio.md"
CHILDREN, EACH = 8, 2


@contextlib.contextmanager
def kamailio(home: Path, own: int, taps: range, agents: int) -> Iterator[int]:
    """Kamailio with the two files of the docs, their addresses changed for ours."""
    list_file = home / "dispatcher.list"
    text = DOCS.read_text()
    text = text.replace("/etc/kamailio/dispatcher.list", str(list_file))
    text = text.replace("10.0.0.3:5060", f"127.0.0.1:{own}")
    text = text.replace("10.0.0.2:5060", f"127.0.0.1:{agents}")
    text = re.sub(r"10\.0\.0\.5:507(\d)", lambda m: f"127.0.0.1:{taps[int(m[1])]}", text)
    blocks = dict(re.findall(r"```(text|cfg)\n(.*?)```", text, re.S))
    list_file.write_text(blocks["text"])
    (home / "kamailio.cfg").write_text(blocks["cfg"])
    assert PROGRAM is not None
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                *(PROGRAM, "-f", str(home / "kamailio.cfg"), "-DD", "-E", "-Y", str(home)),
                *("-m", "32", "-M", "4"),
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        until(lambda: is_up(own))
        yield own
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def is_up(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.bind(("127.0.0.1", 0))
        asker.settimeout(0.3)
        own = asker.getsockname()[1]
        asker.sendto(
            (
                f"OPTIONS sip:127.0.0.1:{port} SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP 127.0.0.1:{own};branch=z9hG4bKup\r\nMax-Forwards: 5\r\n"
                f"From: <sip:test@127.0.0.1>;tag=up\r\nTo: <sip:127.0.0.1:{port}>\r\n"
                f"Call-ID: up{own}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
            ).encode(),
            ("127.0.0.1", port),
        )
        with contextlib.suppress(OSError):
            return asker.recv(4000).startswith(b"SIP/2.0 200")
    return False


def test_sixteen_calls_at_once_on_the_wheel_and_two_more_go_round_the_tap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SANSHENG_PJSIP", "wheel")
    first, agents, rtp, sipp_rtp, own, citizens = free_ports(6)
    settings = TapSettings(
        port=first,
        children=CHILDREN,
        rtp_port=rtp & ~1,
        rtp_ports=40,
        drain_s=5,
        default_destination=Destination(uri=f"sip:{{called}}@127.0.0.1:{agents}"),
    )
    supervisor = TapSupervisor(settings, Spool(tmp_path / "spool"))
    supervisor.start()
    try:
        with kamailio(tmp_path, own, range(first, first + CHILDREN), agents):
            calls = CHILDREN * EACH + 2
            sipp = Sipp(
                tmp_path / "load",
                Load(calls, 4, 12_000, 500),
                Ports(agents, (citizens,), (own,), sipp_rtp & ~1),
            )
            try:
                sipp.wait()
            finally:
                sipp.close()
            assert len(sipp.times("ended")) == calls
            recorded = until(
                lambda: len(found := supervisor.spool.waiting(Stage.RECORDED)) == 16 and found
            )
            assert len(recorded) == CHILDREN * EACH
            assert not supervisor.spool.waiting(Stage.LIVE)
    finally:
        supervisor.drain_and_stop()
