"""``sansheng import --watch`` while others write, move and delete what it looks at."""

import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from calls.call import Call
from calls.codec import read_record
from calls.handover import CALL_FILE, Spool, Stage
from tests.importer.conftest import record
from tests.telephony.conftest import until as reached

HEAD = "id,audio,agent,invited_at,answered_at\n"
BYTES_A_LOOK = 10
"""So few that a file of a second is not whole before a test has given up waiting."""


class Watching:
    """A running ``sansheng import folder --watch`` with what it says."""

    def __init__(self, folder: Path, config: str = "") -> None:
        self.folder, self.data = folder / "in", folder / "data"
        self.folder.mkdir()
        (folder / "sansheng.toml").write_text(
            f'data_dir = "{self.data}"\n[importer]\nsettle_seconds = 1\nwatch_seconds = 1\n{config}'
        )
        self.log = folder / "said"
        command = [sys.executable, "-m", "sansheng.cli", "import", "folder", str(self.folder)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--watch", "-c", str(folder / "sansheng.toml")],
                stdout=log,
                stderr=log,
            )
        self.until(lambda: "watching" in self.said())

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for it to be so, while the command runs."""

        def so() -> bool:
            assert self.process.poll() is None, self.said()
            return condition()

        reached(so)

    def said(self) -> str:
        return " ".join(self.log.read_text().split())

    def list(self, *rows: str) -> None:
        """Add whole rows to the list, each with its end of line."""
        path = self.folder / "calls.csv"
        text = path.read_text() if path.exists() else HEAD
        path.write_text(text + "".join(f"{row}\n" for row in rows))

    def calls(self) -> dict[str, Call]:
        spool = Spool(self.data / "spool")
        found = [read_record(f / CALL_FILE, Call) for f in spool.waiting(Stage.RECORDED)]
        return {call.pbx_call_id: call for call in found}

    def wait_for(self, *keys: str) -> None:
        self.until(lambda: set(self.calls()) == set(keys))


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[Callable[[str], Watching]]:
    started: list[Watching] = []

    def start(config: str = "") -> Watching:
        started.append(Watching(tmp_path, config))
        return started[-1]

    yield start
    for each in started:
        each.process.send_signal(signal.SIGINT)
        assert each.process.wait(30) != 0
        assert "Traceback" not in each.said()


def row(key: str) -> str:
    return f"{key},{key}.wav,1001,2026-11-02 08:00:00,2026-11-02 08:00:05"


def test_what_is_still_written_moved_or_gone(
    watching: Callable[[str], Watching], tmp_path: Path
) -> None:
    watch = watching("")
    watch.until(lambda: "waiting:" in watch.said() and "holds no list" in watch.said())
    record(watch.folder / "whole.wav", 1)
    record(tmp_path / "moved.wav", 1)
    watch.list(row("whole"), row("moved"), row("growing"), row("last"))
    record(watch.folder / "last.wav", 1)
    growing = watch.folder / "growing.wav"
    sound = (watch.folder / "whole.wav").read_bytes()

    def grown() -> bool:
        with growing.open("ab") as file:
            file.write(sound[file.tell() :][:BYTES_A_LOOK])
        return "whole" in watch.calls()

    watch.until(grown)
    assert "growing" not in watch.calls()
    growing.write_bytes(sound)
    watch.until(lambda: "moved.wav cannot be read" in watch.said())
    (tmp_path / "moved.wav").rename(watch.folder / "moved.wav")
    watch.wait_for("whole", "moved", "growing", "last")
    assert watch.calls()["growing"].duration_ms == 1_000
    (watch.folder / "calls.csv").rename(tmp_path / "away.csv")
    watch.until(lambda: watch.said().count("holds no list") == 2)
    (tmp_path / "away.csv").rename(watch.folder / "calls.csv")
    record(watch.folder / "after.wav", 1)
    watch.list(row("after"), row("last"))
    watch.wait_for("whole", "moved", "growing", "last", "after")
    assert watch.said().count("moved.wav cannot be read") == 1


def test_a_row_that_is_half_written_waits_for_its_end(
    watching: Callable[[str], Watching],
) -> None:
    watch = watching("")
    record(watch.folder / "1.wav", 1)
    record(watch.folder / "2.wav", 1)
    watch.list(row("1"))
    half = row("2")[:-10]
    path = watch.folder / "calls.csv"
    whole = path.read_text()

    def written() -> bool:
        path.write_text(whole + half)
        return "1" in watch.calls()

    watch.until(written)
    path.write_text(whole + row("2") + "\n")
    watch.wait_for("1", "2")
    assert watch.calls()["2"].ring_ms == 5_000


def test_a_full_disk_is_waited_for(watching: Callable[[str], Watching]) -> None:
    """A limit on the size of files stands for the disk: some writes work and the large do not."""
    watch = watching("")
    resource.prlimit(watch.process.pid, resource.RLIMIT_FSIZE, (30_000, resource.RLIM_INFINITY))
    for key, seconds, channels in (("small", 1, 1), ("copied", 4, 2), ("mixed", 4, 1)):
        record(watch.folder / f"{key}.wav", seconds, channels)
    watch.list(row("small"), row("copied"), row("mixed"))
    watch.until(lambda: "free space on the disk" in watch.said())
    assert "could not be read" not in watch.said()
    free = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    resource.prlimit(watch.process.pid, resource.RLIMIT_FSIZE, free)
    watch.wait_for("small", "copied", "mixed")
    assert not (watch.data / "import" / "quarantine.jsonl").exists()


def test_an_extension_that_passes_on_while_watching(
    watching: Callable[[str], Watching], tmp_path: Path
) -> None:
    roster = tmp_path / "roster.csv"
    roster.write_text("extension,agent,from,to\n1001,A7,2026-01-01,\n")
    watch = watching(f'roster = "{roster}"\n')
    record(watch.folder / "1.wav", 1)
    watch.list(row("1"), row("1"))
    watch.wait_for("1")
    roster.write_text(
        "extension,agent,from,to\n1001,A7,2026-01-01,2026-11-02\n1001,B3,2026-11-02,\n"
    )
    record(watch.folder / "2.wav", 1)
    watch.list(row("2"), row("1"))
    watch.wait_for("1", "2")
    assert [watch.calls()[key].agent for key in "12"] == ["A7", "B3"]
