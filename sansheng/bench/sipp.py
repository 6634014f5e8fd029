"""SIPp, the load generator: a citizens' side that calls and an agents' side that answers.

Both send real A-law at its own pace. The agents' side writes down, on its own clock, when it rang
and answered each call, and the citizens' side which calls ended as they should.
"""

import contextlib
import re
import shutil
import signal
import subprocess
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from calls.errors import TapError

_END_S = 20
_MOST_AT_ONCE = 500
_PATIENCE_MS = 15_000
"""How long either side waits for a message that is due before it gives a call up."""
_SDP = """\
v=0
o=- 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [rtpstream_audio_port] RTP/AVP 8
a=rtpmap:8 PCMA/8000
a=ptime:20
"""
_STREAM = '<nop><action><exec rtp_stream="voice.al,-1,8,PCMA/8000"/></action></nop>'
_CITIZENS = """<?xml version="1.0" encoding="UTF-8"?>
<scenario name="citizens">
<send retrans="500"><![CDATA[
INVITE sip:{prefix}[call_number]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
Max-Forwards: 70
From: <sip:139@[local_ip]:[local_port]>;tag=c[call_number]
To: <sip:{prefix}[call_number]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:139@[local_ip]:[local_port]>
Content-Type: application/sdp
Content-Length: [len]

{sdp}]]></send>
<recv response="100" optional="true"/>
<recv response="180" optional="true"/>
<recv response="200" rrs="true"/>
<send><![CDATA[
ACK [next_url] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
Max-Forwards: 70
From: <sip:139@[local_ip]:[local_port]>;tag=c[call_number]
To: <sip:{prefix}[call_number]@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 1 ACK
[routes]
Content-Length: 0

]]></send>
{stream}
<pause milliseconds="{talk_ms}"/>
<send retrans="500"><![CDATA[
BYE [next_url] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
Max-Forwards: 70
From: <sip:139@[local_ip]:[local_port]>;tag=c[call_number]
To: <sip:{prefix}[call_number]@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 2 BYE
[routes]
Content-Length: 0

]]></send>
<recv response="200"/>
<nop><action><log message="{prefix}[call_number] ended [timestamp]"/></action></nop>
</scenario>
"""
_REPLY = """\
[last_Via:]
[last_Record-Route:]
[last_From:]
[last_To:];tag=a[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:agent@[local_ip]:[local_port]>
"""
_AGENTS = """<?xml version="1.0" encoding="UTF-8"?>
<scenario name="agents">
<recv request="INVITE"><action>
<ereg regexp="sip:([0-9]+)@" search_in="msg" assign_to="uri,number"/>
<log message="uri [$uri]"/></action></recv>
<send><![CDATA[
SIP/2.0 180 Ringing
{reply}Content-Length: 0

]]></send>
<nop><action><log message="[$number] ringing [timestamp]"/></action></nop>
<pause milliseconds="{ring_ms}"/>
<nop><action><log message="[$number] answered [timestamp]"/></action></nop>
<send retrans="500"><![CDATA[
SIP/2.0 200 OK
{reply}Content-Type: application/sdp
Content-Length: [len]

{sdp}]]></send>
<recv request="ACK"/>
{stream}
<recv request="BYE"/>
<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
</scenario>
"""
_LOGGED = re.compile(
    r"^(?P<number>\d+) (?P<what>ringing|answered|ended) (?P<at>\d{4}-\d\d-\d\d[ \tT]+[\d:.]+)", re.M
)


@dataclass(frozen=True, slots=True)
class Load:
    """What the two sides do."""

    calls: int
    rate: int
    """New calls a second."""
    talk_ms: int
    ring_ms: int


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the sides listen, and where each process of the tap (or the PBX) does."""

    agents: int
    citizens: tuple[int, ...]
    """One of each place called."""
    called: tuple[int, ...]
    rtp: int


def find_sipp() -> str:
    """SIPp's program; TapError when it is not installed."""
    if (found := shutil.which("sipp")) is None:
        raise TapError("SIPp is not installed", remedy="apt-get install sip-tester")
    return found


def number_called(place: int, call: int) -> str:
    """The number of a load's nth call to one place, both from 0 on and 1 on as SIPp counts."""
    return f"{_prefix(place)}{call}"


def _prefix(place: int) -> str:
    return f"8{place:02d}0"


class Sipp:
    """The agents' side and a citizens' side for each place called, in a folder of their own."""

    def __init__(self, folder: Path, load: Load, ports: Ports) -> None:
        self._program, self._folder = find_sipp(), folder
        self._patience_ms = load.talk_ms + load.ring_ms + _PATIENCE_MS
        folder.mkdir()
        random = np.random.default_rng(8)
        (folder / "voice.al").write_bytes(random.bytes(8000 * 10))
        parts = {
            "sdp": _SDP,
            "reply": _REPLY,
            "stream": _STREAM,
            "talk_ms": load.talk_ms,
            "ring_ms": load.ring_ms,
        }
        places = len(ports.called)
        # Each call takes two ports, which those after it take again; a range is even and its own.
        room = 4 * min(load.calls, _MOST_AT_ONCE) + 100
        self.agents = self._start("agents", _AGENTS.format(**parts), ports.agents, ports.rtp)
        self.citizens = []
        for place, (port, called) in enumerate(zip(ports.citizens, ports.called, strict=True)):
            share = load.calls // places + (place < load.calls % places)
            if not share:
                continue
            self.citizens.append(
                self._start(
                    f"citizens{place}",
                    _CITIZENS.format(**parts, prefix=_prefix(place)),
                    port,
                    ports.rtp + room + place * room // places // 2 * 2,
                    *(f"127.0.0.1:{called}", "-r", f"{max(1, round(load.rate / places))}"),
                    *("-m", str(share), "-l", str(share)),
                )
            )

    def wait(self, timeout_s: float = 900) -> None:
        """Wait for every call's end."""
        for process in self.citizens:
            process.wait(timeout_s)
        # Ends it when its calls are over, and its log with it.
        self.agents.send_signal(signal.SIGUSR1)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.agents.wait(_END_S)

    def close(self) -> None:
        """End the processes."""
        for process in (*self.citizens, self.agents):
            if process.poll() is None:
                process.kill()
            process.wait()

    def times(self, what: str) -> dict[str, datetime]:
        """When each number was ``ringing``, ``answered`` or ``ended``, on SIPp's own clock."""
        return {
            found["number"]: datetime.fromisoformat(" ".join(found["at"].replace("T", " ").split()))
            for log in self._folder.glob("*.log")
            for found in _LOGGED.finditer(log.read_text())
            if found["what"] == what
        }

    def ring_times(self) -> dict[str, float]:
        """Milliseconds from ringing to answer by the number called."""
        rang, answered = self.times("ringing"), self.times("answered")
        return {
            number: (answered[number] - rang[number]).total_seconds() * 1000
            for number in rang.keys() & answered.keys()
        }

    def _start(
        self, name: str, scenario: str, port: int, rtp: int, *more: str
    ) -> subprocess.Popen[bytes]:
        (self._folder / f"{name}.xml").write_text(scenario)
        return subprocess.Popen(
            [
                *(self._program, "-sf", f"{name}.xml", "-i", "127.0.0.1", "-p", str(port)),
                *("-mp", str(rtp), "-nostdin", "-aa", "-timeout", "900"),
                *("-recv_timeout", str(self._patience_ms)),
                *("-trace_logs", "-log_file", f"{name}.log", *more),
            ],
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
