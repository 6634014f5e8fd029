"""SIPp, the load generator: a citizens' side that calls and an agents' side that answers.

Both send real A-law at its own pace. The agents' side writes down, on its own clock, when it rang
and answered each call: the truth that the tap's ring times are held against.
"""

import re
import shutil
import subprocess
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from calls.errors import TapError

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
INVITE sip:8[call_number]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
Max-Forwards: 70
From: <sip:139@[local_ip]:[local_port]>;tag=c[call_number]
To: <sip:8[call_number]@[remote_ip]:[remote_port]>
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
To: <sip:8[call_number]@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 1 ACK
Content-Length: 0

]]></send>
{stream}
<pause milliseconds="{talk_ms}"/>
<send retrans="500"><![CDATA[
BYE [next_url] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
Max-Forwards: 70
From: <sip:139@[local_ip]:[local_port]>;tag=c[call_number]
To: <sip:8[call_number]@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 2 BYE
Content-Length: 0

]]></send>
<recv response="200"/>
</scenario>
"""
_REPLY = """\
[last_Via:]
[last_From:]
[last_To:];tag=a[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:agent@[local_ip]:[local_port]>
"""
_AGENTS = """<?xml version="1.0" encoding="UTF-8"?>
<scenario name="agents">
<recv request="INVITE"><action>
<ereg regexp="sip:8([0-9]+)@" search_in="msg" assign_to="uri,number"/>
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
    r"^(?P<number>\d+) (?P<what>ringing|answered) (?P<at>\d{4}-\d\d-\d\d[ \tT]+[\d:.]+)", re.M
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
    """Where the two sides listen, and where the tap does."""

    citizens: int
    agents: int
    tap: int
    rtp: int


def find_sipp() -> str:
    """SIPp's program; TapError when it is not installed."""
    if (found := shutil.which("sipp")) is None:
        raise TapError("SIPp is not installed", remedy="apt-get install sip-tester")
    return found


class Sipp:
    """Both sides of one load, as processes in a folder of their own."""

    def __init__(self, folder: Path, load: Load, ports: Ports) -> None:
        program = find_sipp()
        self._log = folder / "agents.log"
        random = np.random.default_rng(8)
        (folder / "voice.al").write_bytes(random.bytes(8000 * 10))
        parts = {
            "sdp": _SDP,
            "reply": _REPLY,
            "stream": _STREAM,
            "talk_ms": load.talk_ms,
            "ring_ms": load.ring_ms,
        }
        commands = []
        for name, text, local, more in (
            ("agents", _AGENTS, ports.agents, ["-trace_logs", "-log_file", str(self._log)]),
            (
                "citizens",
                _CITIZENS,
                ports.citizens,
                [f"127.0.0.1:{ports.tap}", "-r", str(load.rate), "-l", str(load.calls)],
            ),
        ):
            (folder / f"{name}.xml").write_text(text.format(**parts))
            rtp = ports.rtp + (load.calls * 4 + 100 if name == "citizens" else 0)
            commands.append(
                [
                    *(program, "-sf", f"{name}.xml", "-i", "127.0.0.1", "-p", str(local)),
                    *("-m", str(load.calls), "-mp", str(rtp), "-nostdin"),
                    *("-timeout", "600", "-aa", *more),
                ]
            )
        self.processes = [
            subprocess.Popen(
                command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            for command in commands
        ]

    def wait(self) -> None:
        """Wait for every call's end."""
        for process in reversed(self.processes):
            process.wait(600)

    def close(self) -> None:
        """End the processes."""
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()

    def ring_times(self) -> dict[str, float]:
        """Milliseconds from ringing to answer by the number's last part, on SIPp's own clock."""
        times: dict[tuple[str, str], datetime] = {}
        for found in _LOGGED.finditer(self._log.read_text()):
            at = " ".join(found["at"].replace("T", " ").split())
            times[found["number"], found["what"]] = datetime.fromisoformat(at)
        return {
            number: (times[number, "answered"] - rang).total_seconds() * 1000
            for (number, what), rang in times.items()
            if what == "ringing" and (number, "answered") in times
        }
