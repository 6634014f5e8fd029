"""A real Asterisk for tests, from the folder that ``tools/peers.sh`` makes, on free ports.

It runs from that folder with the folder's own libraries, as whoever runs the tests, and keeps all
that it writes in a folder of its own. What it is configured with is in ``asterisk_files``.
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
from tests.peers.asterisk_files import SECRET, hotline_files


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
    files = hotline_files(root, home, sip_port, ami_port, rtp_port, tap_port, phones)
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
