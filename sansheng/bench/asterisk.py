"""The same calls through a real Asterisk: its Dial, and its MixMonitor for each side apart.

It runs on loopback from wherever it is installed, as a program of its own with files of its own.
"""

import os
import resource
import subprocess
import time
from pathlib import Path

import typer

from calls.errors import TapError

_MODULES = (
    *("res_timing_timerfd", "res_sorcery_config", "res_sorcery_memory", "res_sorcery_astdb"),
    *("res_pjproject", "res_pjsip", "res_pjsip_session", "res_pjsip_sdp_rtp", "res_rtp_asterisk"),
    *("res_pjsip_pubsub", "res_pjsip_endpoint_identifier_anonymous", "chan_pjsip"),
    *("app_dial", "app_mixmonitor", "bridge_simple", "codec_alaw", "format_wav", "format_pcm"),
    *("pbx_config", "func_channel"),
)
_READY_S = 30
_BOOTED = b"Asterisk Ready."


def find_asterisk(given: Path | None) -> Path | None:
    """The root folder that an Asterisk is installed under; None, and a line, without one.

    Errors: TapError when the folder given has none.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    peers = Path(os.environ.get("SANSHENG_PEERS") or cache / "sansheng")
    places = [given] if given else [peers / "asterisk-bullseye", Path("/")]
    for place in places:
        if (place / "usr/sbin/asterisk").exists():
            return place
    if given:
        raise TapError(f"{given} has no usr/sbin/asterisk", remedy="give the folder above usr")
    typer.echo("no Asterisk to compare with: `make peers` gets one, or --asterisk DIR", err=True)
    return None


class Asterisk:
    """A running one that dials every number at the agents' port and records both sides."""

    def __init__(self, root: Path, home: Path, port: int, agents: int, rtp: int) -> None:
        """Start it and wait until it is ready.

        Errors: TapError when it does not come up.
        """
        self.recordings = home / "recordings"
        for name in ("etc", "lib", "log", "run", "spool", "data", "recordings"):
            (home / name).mkdir(parents=True)
        # It does not start without a description of its own parts.
        (home / "data/documentation").symlink_to(root / "usr/share/asterisk/documentation")
        for name, text in _files(root, home, port, agents, rtp, self.recordings).items():
            (home / "etc" / name).write_text(text)
        command = [str(root / "usr/sbin/asterisk"), "-f", "-C", str(home / "etc/asterisk.conf")]
        if root != Path("/"):
            libraries = (*sorted(root.glob("lib/*-linux-gnu")), *root.glob("usr/lib/*-linux-gnu"))
            loader = next(iter(root.glob("lib*/**/ld-linux*.so*")))
            path = ":".join(map(str, (*libraries, root / "usr/lib")))
            command = [str(loader), "--library-path", path, *command]
        console = home / "log/console"
        with console.open("wb") as out:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE, (most, most))
        deadline = time.monotonic() + _READY_S
        while _BOOTED not in console.read_bytes():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.close()
                raise TapError(
                    "Asterisk does not start", remedy="run without it, or give --asterisk DIR"
                )
            time.sleep(0.1)

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()

    def recorded(self) -> int:
        """Calls with both sides recorded."""
        return sum(
            (path.with_name(path.name.replace("-in", "-out"))).exists()
            for path in self.recordings.glob("*-in.wav")
        )


def main_file(root: Path, home: Path, verbose: int = 1) -> str:
    """``asterisk.conf`` of one installed under ``root``, with all files of its own in ``home``."""
    modules = next(
        iter((*root.glob("usr/lib/*/asterisk/modules"), root / "usr/lib/asterisk/modules"))
    )
    return f"""[directories]
astetcdir = {home}/etc
astmoddir = {modules}
astvarlibdir = {home}/lib
astdbdir = {home}/lib
astkeydir = {home}/lib
astdatadir = {home}/data
astagidir = {home}/lib
astspooldir = {home}/spool
astrundir = {home}/run
astlogdir = {home}/log
[options]
verbose = {verbose}
"""


def _files(
    root: Path, home: Path, port: int, agents: int, rtp: int, recordings: Path
) -> dict[str, str]:
    loads = "\n".join(f"load = {name}.so" for name in _MODULES)
    sides = f"r({recordings}/${{EXTEN}}-in.wav)t({recordings}/${{EXTEN}}-out.wav)"
    return {
        "asterisk.conf": main_file(root, home),
        "modules.conf": f"[modules]\nautoload = no\n{loads}\n",
        "logger.conf": "[logfiles]\nconsole = error,verbose\n",
        "rtp.conf": f"[general]\nrtpstart = {rtp}\nrtpend = {rtp + 4000}\nstrictrtp = no\n",
        "pjsip.conf": f"""[udp]
type = transport
protocol = udp
bind = 127.0.0.1:{port}
[anonymous]
type = endpoint
context = hotline
disallow = all
allow = alaw
direct_media = no
[agents]
type = endpoint
context = hotline
disallow = all
allow = alaw
direct_media = no
""",
        "extensions.conf": f"""[hotline]
exten = _X.,1,MixMonitor(,{sides})
 same = n,Dial(PJSIP/agents/sip:${{EXTEN}}@127.0.0.1:{agents},60)
 same = n,Hangup()
""",
    }
