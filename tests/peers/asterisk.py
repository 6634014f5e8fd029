"""A real Asterisk for tests, from the folder that ``tools/peers.sh`` makes, on free ports.

It runs from that folder with the folder's own libraries, as whoever runs the tests, and keeps all
that it writes in a folder of its own. Its dialplan is a hotline's:

- 88908890 from the trunk goes to the tap, which calls 1001 back through Asterisk;
- 88908891 does the same from a queue with music;
- 88908895 rings 1001 without the tap, and tells the SIP Call-ID of its caller's leg in its events;
- 88908896 does the same from a queue with music;
- 1001 and 1002 ring the agents' telephones;
- 88908893 goes to the extension ``8800``, which the tap registers as; 1001 is then called by
  that extension, with its password; while it is not registered 1002 is called;
- 88908894 goes to the tap, which asks for a password, as user ``pbx``;
- 88908892 goes to the tap with the bypass route that ``docs/attach-asterisk.md`` gives, to 1002.
"""

import contextlib
import csv
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

import numpy as np

from calls import wav
from sansheng.bench.asterisk import main_file

SECRET = "not-a-secret-but-a-test"
"""Password of the manager, of the extension 8800, and of the PBX itself at the tap."""

MODULES = [
    "res_timing_timerfd",
    "res_sorcery_config",
    "res_sorcery_memory",
    "res_sorcery_astdb",
    "res_pjproject",
    "res_pjsip",
    "res_pjsip_session",
    "res_pjsip_sdp_rtp",
    "res_pjsip_caller_id",
    "res_pjsip_dtmf_info",
    "res_pjsip_rfc3326",
    "res_pjsip_authenticator_digest",
    "res_pjsip_registrar",
    "res_pjsip_nat",
    "res_pjsip_refer",
    "res_pjsip_endpoint_identifier_anonymous",
    "res_pjsip_endpoint_identifier_user",
    "res_pjsip_outbound_authenticator_digest",
    "res_pjsip_header_funcs",
    "res_rtp_asterisk",
    "res_musiconhold",
    "chan_pjsip",
    "res_pjsip_pubsub",
    "app_dial",
    "app_queue",
    "app_playback",
    "app_stack",
    "app_verbose",
    "bridge_simple",
    "bridge_holding",
    "bridge_builtin_features",
    "bridge_softmix",
    "codec_alaw",
    "codec_ulaw",
    "codec_resample",
    "format_wav",
    "format_sln",
    "format_pcm",
    "pbx_config",
    "func_channel",
    "func_callerid",
    "func_cdr",
    "func_hangupcause",
    "func_strings",
    "cdr_custom",
    "cel_custom",
]


CEL_SAMPLE = [
    "eventtype",
    "eventtime",
    "CALLERID(name)",
    "CALLERID(num)",
    "CALLERID(ANI)",
    "CALLERID(RDNIS)",
    "CALLERID(DNID)",
    "CHANNEL(exten)",
    "CHANNEL(context)",
    "CHANNEL(channame)",
    "CHANNEL(appname)",
    "CHANNEL(appdata)",
    "CHANNEL(amaflags)",
    "CHANNEL(accountcode)",
    "CHANNEL(uniqueid)",
    "CHANNEL(linkedid)",
    "BRIDGEPEER",
    "CHANNEL(userfield)",
    "userdeftype",
    "eventextra",
]
"""Columns of the sample ``cel_custom.conf`` that comes with Asterisk."""


def folder() -> Path:
    """Where ``tools/peers.sh`` puts Asterisk."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    peers = Path(os.environ.get("SANSHENG_PEERS") or cache / "sansheng")
    return peers / "asterisk-bullseye"


def is_installed() -> bool:
    return (folder() / ".ready").exists()


@dataclass
class Asterisk:
    """A running Asterisk and what it told of its calls."""

    home: Path
    sip_port: int
    ami_port: int
    process: subprocess.Popen[bytes]
    events: list[dict[str, str]] = field(default_factory=list)
    """Its manager events, each with its ``Timestamp`` in seconds."""
    _ami: socket.socket | None = None

    def connect(self) -> None:
        """Listen to the manager interface from now on."""
        self._ami = socket.create_connection(("127.0.0.1", self.ami_port), timeout=10)
        self.act({"Action": "Login", "Username": "tests", "Secret": SECRET})
        threading.Thread(target=self._listen, args=(self._ami,), daemon=True).start()

    def act(self, action: Mapping[str, str]) -> None:
        """Send a manager action."""
        assert self._ami is not None
        lines = "".join(f"{key}: {value}\r\n" for key, value in action.items())
        self._ami.sendall(f"{lines}\r\n".encode())

    def _listen(self, connection: socket.socket) -> None:
        connection.settimeout(None)
        with contextlib.suppress(OSError), connection.makefile("r", errors="replace") as lines:
            event: dict[str, str] = {}
            for line in lines:
                if line.strip():
                    key, _, value = line.partition(":")
                    event[key.strip()] = value.strip()
                elif event:
                    self.events.append(event)
                    event = {}

    def named(self, name: str, **wanted: str) -> list[dict[str, str]]:
        """The manager events of a name whose values match the given patterns."""
        return [
            event
            for event in list(self.events)
            if event.get("Event") == name
            and all(re.search(value, event.get(key, "")) for key, value in wanted.items())
        ]

    def cdr(self) -> list[dict[str, str]]:
        """Its call records."""
        return _table(
            self.home / "log/cdr-custom/Master.csv",
            ("channel", "dstchannel", "dst", "start", "answer", "end", "disposition", "linkedid"),
        )

    def cel(self) -> list[dict[str, str]]:
        """Its channel events."""
        return _table(
            self.home / "log/cel-custom/Master.csv",
            ("type", "time", "channel", "exten", "linkedid", "uniqueid", "extra"),
        )

    def stop(self) -> None:
        """End it and remove what it wrote."""
        self.process.kill()
        self.process.wait()
        if self._ami is not None:
            with contextlib.suppress(OSError):
                self._ami.shutdown(socket.SHUT_RDWR)
            self._ami.close()
        shutil.rmtree(self.home)


def moment(seconds: str) -> datetime:
    """A time as this Asterisk's tables and events have it."""
    return datetime.fromtimestamp(float(seconds), UTC)


def running(
    *, sip_port: int, ami_port: int, rtp_port: int, tap_port: int, phones: Mapping[str, int]
) -> contextlib.AbstractContextManager[Asterisk]:
    """Run an Asterisk; ``phones`` are extensions with their telephones' ports."""
    return running_with(
        {},
        (),
        sip_port=sip_port,
        ami_port=ami_port,
        rtp_port=rtp_port,
        tap_port=tap_port,
        phones=phones,
    )


@contextlib.contextmanager
def running_with(
    more: Mapping[str, str],
    modules: Sequence[str],
    *,
    sip_port: int,
    ami_port: int,
    rtp_port: int,
    tap_port: int = 9,
    phones: Mapping[str, int] = MappingProxyType({}),
) -> Iterator[Asterisk]:
    """Run an Asterisk with other configuration files, ``{home}`` in them its folder, and modules.

    Its hotline's own are kept where ``more`` has no file of the name.
    """
    root = folder()
    # The control socket's path may not be longer than 107 characters.
    home = Path(tempfile.mkdtemp(prefix="asterisk-"))
    folders = (
        "etc",
        "lib",
        "log/cdr-custom",
        "log/cel-custom",
        "log/cdr-csv",
        "run",
        "spool",
        "moh",
    )
    for name in (*folders, "data/sounds/en"):
        (home / name).mkdir(parents=True)
    (home / "data" / "documentation").symlink_to(root / "usr/share/asterisk/documentation")
    time_axis = np.arange(8000 * 5) / 8000
    music = (0.2 * np.sin(2 * np.pi * 660 * time_axis)).astype(np.float32)
    wav.write(home / "moh" / "music.wav", music, 8000)
    # An attended transfer asks for the number with this announcement, or not at all.
    wav.write(home / "data/sounds/en/pbx-transfer.wav", music[:800], 8000)
    files = _files(root, home, sip_port, ami_port, rtp_port, tap_port, phones)
    files |= {name: text.replace("{home}", str(home)) for name, text in more.items()}
    files["modules.conf"] += "".join(f"load = {name}.so\n" for name in modules)
    for name, text in files.items():
        (home / "etc" / name).write_text(text)
    libraries = [root / "lib/x86_64-linux-gnu", root / "usr/lib/x86_64-linux-gnu", root / "usr/lib"]
    loader = next((root / "lib/x86_64-linux-gnu").glob("ld-*.so*"))
    with (home / "log" / "console").open("wb") as console:
        process = subprocess.Popen(
            [
                str(loader),
                "--library-path",
                ":".join(map(str, libraries)),
                str(root / "usr/sbin/asterisk"),
                "-f",
                "-C",
                str(home / "etc" / "asterisk.conf"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
        )
    asterisk = Asterisk(home, sip_port, ami_port, process)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                asterisk.connect()
                break
            except OSError:
                log = (home / "log" / "console").read_text(errors="replace")
                assert process.poll() is None, log
                assert time.monotonic() < deadline, log
                time.sleep(0.05)
        while not asterisk.named("FullyBooted"):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield asterisk
    finally:
        asterisk.stop()


def _table(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as lines:
        return [dict(zip(columns, row, strict=False)) for row in csv.reader(lines)]


def _files(
    root: Path,
    home: Path,
    sip_port: int,
    ami_port: int,
    rtp_port: int,
    tap_port: int,
    phones: Mapping[str, int],
) -> dict[str, str]:
    loads = "\n".join(f"load = {name}.so" for name in MODULES)
    agents = "\n".join(
        f"exten = {name},1,Dial(PJSIP/phone/sip:{name}@127.0.0.1:{port},30,t)\n same = n,Hangup()"
        for name, port in phones.items()
    )
    return {
        "asterisk.conf": main_file(root, home, verbose=3),
        "modules.conf": f"[modules]\nautoload = no\n{loads}\n",
        "logger.conf": "[logfiles]\nconsole = warning,error,verbose\n",
        "rtp.conf": f"[general]\nrtpstart = {rtp_port}\nrtpend = {rtp_port + 400}\n",
        "manager.conf": f"""[general]
enabled = yes
bindaddr = 127.0.0.1
port = {ami_port}
timestampevents = yes
channelvars = SIPCALLID
[tests]
secret = {SECRET}
read = all
write = all
""",
        "musiconhold.conf": f"[default]\nmode = files\ndirectory = {home}/moh\n",
        "pjsip.conf": f"""[system]
type = system
timer_t1 = 100
timer_b = 6400
[udp]
type = transport
protocol = udp
bind = 127.0.0.1:{sip_port}
[anonymous]
type = endpoint
context = hotline
disallow = all
allow = alaw
direct_media = no
moh_passthrough = yes
[phone]
type = endpoint
context = hotline
disallow = all
allow = alaw
direct_media = no
moh_passthrough = yes
[8800]
type = auth
auth_type = userpass
username = 8800
password = {SECRET}
[8800]
type = aor
max_contacts = 1
minimum_expiration = 10
[8800]
type = endpoint
context = hotline
disallow = all
allow = alaw
direct_media = no
trust_id_inbound = yes
auth = 8800
aors = 8800
[pbx]
type = auth
auth_type = userpass
username = pbx
password = {SECRET}
[trunk]
type = endpoint
context = hotline
disallow = all
allow = alaw
direct_media = no
outbound_auth = pbx
""",
        "features.conf": "[general]\n[featuremap]\natxfer => *2\n",
        "queues.conf": """[general]
[hotline]
strategy = ringall
timeout = 30
ringinuse = yes
musicclass = default
member = Local/tap@hotline/n
[agents]
strategy = ringall
timeout = 30
ringinuse = yes
musicclass = default
member = Local/1001@hotline/n
""",
        "extensions.conf": f"""[hotline]
exten = 88908895,1,Set(SIPCALLID=${{CHANNEL(pjsip,call-id)}})
 same = n,Set(CHANNEL(userfield)=${{SIPCALLID}})
 same = n,Goto(1001,1)
exten = 88908896,1,Set(SIPCALLID=${{CHANNEL(pjsip,call-id)}})
 same = n,Set(CHANNEL(userfield)=${{SIPCALLID}})
 same = n,Answer()
 same = n,Queue(agents,,,,30)
 same = n,Hangup()
exten = 88908890,1,Dial(PJSIP/phone/sip:88908890@127.0.0.1:{tap_port},60)
 same = n,Hangup()
exten = 88908891,1,Answer()
 same = n,Queue(hotline,,,,30)
 same = n,Hangup()
exten = 88908893,1,Dial(PJSIP/8800,60)
 same = n,GotoIf($["${{DIALSTATUS}}" = "CHANUNAVAIL"]?bypass)
 same = n,GotoIf($["${{DIALSTATUS}}" = "CONGESTION"]?bypass)
 same = n,Hangup()
 same = n(bypass),Goto(1002,1)
exten = 88908894,1,Dial(PJSIP/trunk/sip:88908890@127.0.0.1:{tap_port},60)
 same = n,Hangup()
exten = tap,1,Dial(PJSIP/phone/sip:88908890@127.0.0.1:{tap_port},60)
exten = 88908892,1,Dial(PJSIP/phone/sip:88908890@127.0.0.1:{tap_port},60)
 same = n,GotoIf($["${{DIALSTATUS}}" = "CHANUNAVAIL"]?bypass)
 same = n,GotoIf($["${{DIALSTATUS}}" = "CONGESTION"]?bypass)
 same = n,Hangup()
 same = n(bypass),Goto(1002,1)
{agents}
""",
        "cdr.conf": "[general]\nenable = yes\nunanswered = yes\n",
        "cdr_custom.conf": """[mappings]
Master.csv => "${CDR(channel)}","${CDR(dstchannel)}","${CDR(dst)}","${CDR(start,u)}",\
"${CDR(answer,u)}","${CDR(end,u)}","${CDR(disposition)}","${CDR(linkedid)}"
""",
        "cel.conf": """[general]
enable = yes
apps = dial,queue
events = ALL
dateformat = %s.%6q
""",
        "cel_custom.conf": """[mappings]
Master.csv => "${eventtype}","${eventtime}","${CHANNEL(name)}","${CHANNEL(exten)}",\
"${CHANNEL(linkedid)}","${CHANNEL(uniqueid)}","${eventextra}"
"""
        + f"Sample.csv => {','.join(f'${{CSV_QUOTE(${{{c}}})}}' for c in CEL_SAMPLE)}\n",
    }
