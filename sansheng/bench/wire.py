"""What was on the wire: a packet capture of the agents' signalling, where one is allowed."""

import shutil
import subprocess
import time
from pathlib import Path

import typer

from importer.dialog import read_dialog
from importer.pcap import read_capture

_READY_S = 5
_MAX_BYTES = 1 << 30


class Wire:
    """A capture of one UDP port on the loopback interface, into a folder."""

    def __init__(self, folder: Path, port: int) -> None:
        """Begin; ``is_open`` says whether there is one (it takes dumpcap and its rights)."""
        self._path = folder / "wire.pcapng"
        self._process: subprocess.Popen[bytes] | None = None
        program = shutil.which("dumpcap")
        if program is None:
            typer.echo("no packet capture: apt-get install tshark", err=True)
            return
        self._process = subprocess.Popen(
            [program, "-q", "-i", "lo", "-f", f"udp port {port}", "-w", str(self._path)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + _READY_S
        while self._process.poll() is None and time.monotonic() < deadline:
            if self._path.exists() and self._path.stat().st_size:
                return
            time.sleep(0.05)
        self.close()
        typer.echo("no packet capture: this user may not capture", err=True)

    @property
    def is_open(self) -> bool:
        """Whether it captures."""
        return self._process is not None

    def close(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def ring_times(self) -> dict[str, float]:
        """Milliseconds from the first 18x to the 200 by the number called."""
        times = {}
        for messages in read_capture(self._path, _MAX_BYTES).messages.values():
            dialog = read_dialog(messages)
            if dialog is not None and dialog.ringing_us and dialog.answered_us:
                number = dialog.invite.user("to")
                times[number] = (dialog.answered_us - dialog.ringing_us) / 1000
        return times
