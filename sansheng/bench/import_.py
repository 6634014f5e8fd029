"""``sansheng bench import``: the reading side of an import, killed twice, with broken files."""

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer()

_HEAD = "id,audio,invited_at,answered_at"
_TIMES = "2026-11-02 08:00:00,2026-11-02 08:00:05"
_MAGIC_ZIP = b"PK\x03\x04"
_G729_TAG = b"\x83\x00"


@app.command(name="import", epilog="Examples:  sansheng bench import    |    … --seconds 30")
def import_(
    calls: Annotated[int, typer.Option(min=100, help="Files in the folder.")] = 10_000,
    seconds: Annotated[float, typer.Option(min=0.1, help="Length of a call, A-law stereo.")] = 3,
    folder: Annotated[
        Path | None, typer.Option(help="Where the files go; else the system's temporary folder.")
    ] = None,
) -> None:
    """Files with 1 % broken in ten ways through `sansheng import`, killed with -9 twice.

    `calls_per_s` is that of the last, uninterrupted part, start of the process included; the
    files were read once before, so they come from memory. `lost`, `twice` and `unnamed` are 0
    when every good call is in once and every bad one is named with its reason.
    """
    with tempfile.TemporaryDirectory(prefix="sansheng-bench-", dir=folder) as name:
        root = Path(name)
        typer.echo(f"writing {calls:,} calls of {seconds:g} s", err=True)
        bad = write_folder(root / "in", calls, seconds)
        typer.echo("importing, killed twice on the way", err=True)
        typer.echo(json.dumps(_measure(root, calls, seconds, bad)))


def write_folder(folder: Path, calls: int, seconds: float) -> set[str]:
    """A folder with a list; one file in a hundred is broken. Returns the ids of those."""
    import numpy as np

    from calls import wav

    folder.mkdir(parents=True)
    noise = np.random.default_rng(1).normal(0, 0.1, (int(8_000 * seconds), 2))
    wav.write(folder / "0.wav", noise.astype(np.float32), 8_000, "ALAW")
    whole = (folder / "0.wav").read_bytes()
    rows, bad = [_HEAD], set()
    for number in range(calls):
        path = folder / f"{number}.wav"
        if number % 100 == 7:
            bad.add(str(number))
            _break(path, whole, number // 100 % 10)
        else:
            path.write_bytes(whole)
        rows.append(f"{number},{number}.wav,{_TIMES}")
    (folder / "calls.csv").write_text("\n".join(rows))
    return bad


def _break(path: Path, whole: bytes, way: int) -> None:
    """One of ten ways in which a recording can be useless; way 0 leaves it out."""
    if way == 1:
        path.mkdir()
    elif way:
        path.write_bytes(
            (
                b"",
                whole[:30],
                bytes(3_000),
                b"<html>404</html>",
                whole[:44],
                whole[: len(whole) // 2],
                whole[:20] + _G729_TAG + whole[22:],
                _MAGIC_ZIP + whole,
            )[way - 2]
        )


def _measure(root: Path, calls: int, seconds: float, bad: set[str]) -> dict[str, Any]:
    from calls.call import Call
    from calls.codec import read_record
    from calls.handover import CALL_FILE, Spool, Stage
    from importer.run import LEDGER_FILE

    data = root / "data"
    config = root / "sansheng.toml"
    config.write_text(f"data_dir = {json.dumps(str(data))}\n")
    command = [sys.executable, "-m", "sansheng.cli", "import", "folder", str(root / "in")]
    command += ["-c", str(config)]
    ledger = data / "import" / LEDGER_FILE
    for third in (1, 2):
        _kill_after(command, ledger, calls * third // 5)
    before = _lines(ledger)
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    took = time.perf_counter() - began
    named = {line.split("\t")[0]: line.split("\t")[1] for line in done.stdout.splitlines()}
    folders = Spool(data / "spool").waiting(Stage.RECORDED)
    seen = Counter(read_record(each / CALL_FILE, Call).pbx_call_id for each in folders)
    good = {str(number) for number in range(calls)} - bad
    return {
        "calls": calls,
        "call_seconds": seconds,
        "file_kb": round((16_000 * seconds + 58) / 1_000, 1),
        "calls_per_s": round((calls - before) / took, 1),
        "in_before_the_last_run": before,
        "lost": len(good - set(seen)),
        "twice": sum(count - 1 for count in seen.values()),
        "broken": len(bad),
        "unnamed": len(bad - {key for key, reason in named.items() if reason}),
        "wrongly_refused": len(set(named) - bad),
    }


def _kill_after(command: list[str], ledger: Path, calls: int) -> None:
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet) as job:
        while _lines(ledger) < calls and job.poll() is None:
            time.sleep(0.02)
        job.send_signal(signal.SIGKILL)


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0
