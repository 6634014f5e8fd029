"""The run: every good call once, every bad one named, whatever kills it on the way."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from calls import wav
from calls.call import Call, Mode, Recording
from calls.codec import read_record
from calls.errors import HandoverError, RecordingError
from calls.handover import CALL_FILE, RECORDING_FILE, Spool, Stage
from importer.roster import Post, Roster
from importer.run import LEDGER_FILE, Ledger, State, plan, run, sweep, without_tried
from importer.source import Item, call_id

NOON = datetime(2026, 11, 2, 4, tzinfo=UTC)
LENGTH_MS = 61_000


@dataclass
class Listed:
    """A source in memory; ``bad`` are the keys that cannot be read."""

    keys: tuple[str, ...]
    bad: frozenset[str] = frozenset()
    read_keys: list[str] = field(default_factory=list)
    name: str = "listed"

    def items(self) -> Iterator[Item]:
        for number, key in enumerate(self.keys):
            yield Item(
                key=key,
                label=key,
                at=NOON + timedelta(days=number),
                size=10,
                changed=100.0 + number,
            )

    def read(self, item: Item, folder: Path) -> Call:
        self.read_keys.append(item.key)
        (folder / RECORDING_FILE).write_bytes(b"half")
        if item.key in self.bad:
            raise RecordingError(f"{item.label} is torn")
        return Call(
            call_id="any", mode=Mode.IMPORT, caller="", called="", agent="1001", invited_at=NOON,
            ended_at=NOON,
            recording=Recording(path=RECORDING_FILE, sample_rate=8000, duration_ms=LENGTH_MS),
        )  # fmt: skip


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


def test_each_call_once_and_a_bad_one_stops_nothing(tmp_path: Path, spool: Spool) -> None:
    source = Listed(("a", "b", "c"), bad=frozenset("b"))
    ledger = Ledger(tmp_path / "import")
    outcomes = {o.label: o for o in run(source, plan(source, ledger).items, spool, ledger)}
    assert {label: o.state for label, o in outcomes.items()} == {
        "a": State.IMPORTED, "b": State.QUARANTINED, "c": State.IMPORTED,
    }  # fmt: skip
    assert outcomes["b"].reason == "b is torn"
    assert (outcomes["a"].recorded, outcomes["a"].audio_ms, outcomes["b"].audio_ms) == (
        True,
        LENGTH_MS,
        0,
    )
    folders = spool.waiting(Stage.RECORDED)
    assert {folder.name for folder in folders} == {call_id("listed", key) for key in "ac"}
    assert read_record(folders[0] / CALL_FILE, Call).call_id == folders[0].name
    source.bad = frozenset()
    again = Ledger(tmp_path / "import")
    later = plan(source, again)
    assert ([item.key for item in later.items], later.known) == (["b"], 2)
    assert [o.state for o in run(source, later.items, spool, again)] == [State.IMPORTED]
    assert source.read_keys.count("a") == 1
    assert not list((spool.root / ".import").iterdir())


def test_an_answered_call_without_audio_is_told(tmp_path: Path, spool: Spool) -> None:
    class Answered(Listed):
        def read(self, item: Item, folder: Path) -> Call:
            return replace(super().read(item, folder), answered_at=NOON, recording=None)

    source, ledger = Answered(("a",)), Ledger(tmp_path / "import")
    (outcome,) = run(source, plan(source, ledger).items, spool, ledger)
    assert (outcome.state, outcome.recorded) == (State.IMPORTED, False)


def test_days_and_unsettled_files(tmp_path: Path) -> None:
    source, ledger = Listed(("a", "b", "c")), Ledger(tmp_path)
    day = timedelta(days=1)
    some = plan(source, ledger, since=NOON + day, until=NOON + day * 2)
    assert ([item.key for item in some.items], some.outside, some.size) == (["b"], 2, 10)
    early = plan(source, ledger, settled_before=101.0)
    assert ([item.key for item in early.items], early.unsettled) == (["a", "b"], 1)


def test_what_was_tried_waits_until_it_changes(tmp_path: Path) -> None:
    planned = plan(Listed(("a", "b")), Ledger(tmp_path))
    tried = {item.key: item for item in planned.items}
    assert without_tried(planned, tried).items == ()
    tried["b"] = replace(tried["b"], changed=1.0)
    assert [item.key for item in without_tried(planned, tried).items] == ["b"]


def test_the_roster_names_the_person(tmp_path: Path, spool: Spool) -> None:
    source, ledger = Listed(("a",)), Ledger(tmp_path / "import")
    roster = Roster((Post(extension="1001", agent="A7"),))
    list(run(source, plan(source, ledger).items, spool, ledger, roster=roster))
    (folder,) = spool.waiting(Stage.RECORDED)
    assert read_record(folder / CALL_FILE, Call).agent == "A7"


def test_a_torn_ledger_line_costs_that_line_only(tmp_path: Path, spool: Spool) -> None:
    source, ledger = Listed(("a", "b")), Ledger(tmp_path)
    list(run(source, plan(source, ledger).items, spool, ledger))
    path = tmp_path / LEDGER_FILE
    path.write_bytes(path.read_bytes()[:-9])
    assert len(plan(source, Ledger(tmp_path)).items) == 1
    list(run(source, plan(source, Ledger(tmp_path)).items, spool, Ledger(tmp_path)))
    assert not plan(source, Ledger(tmp_path)).items
    assert len(spool.waiting(Stage.RECORDED)) == 2


def test_a_spool_that_cannot_be_written_stops_the_run(
    tmp_path: Path, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(folder: Path, stage: Stage) -> Path:
        raise HandoverError("cannot write", remedy="free space on the disk")

    monkeypatch.setattr(spool, "hand_on", full)
    ledger = Ledger(tmp_path / "import")
    with pytest.raises(HandoverError, match="free space"):
        list(run(Listed(("a",)), Listed(("a",)).items(), spool, ledger))
    assert not ledger.known


def test_drafts_of_the_dead_are_swept_and_those_of_the_living_stay(spool: Spool) -> None:
    dead, living = (spool.root / ".import" / name for name in ("999999999", str(os.getpid())))
    for folder in (dead, living):
        folder.mkdir(parents=True)
    sweep(spool)
    assert (dead.exists(), living.exists()) == (False, True)


BROKEN = (
    lambda path: path.unlink(),
    lambda path: path.write_bytes(b""),
    lambda path: path.write_bytes(path.read_bytes()[:30]),
    lambda path: path.write_bytes(b"\0" * 3_000),
    lambda path: path.write_bytes(b"<html>404</html>"),
    lambda path: path.write_bytes(path.read_bytes()[:44]),
    lambda path: path.rename(path.with_suffix(".gone")),
    lambda path: (path.unlink(), path.mkdir()),
    lambda path: path.write_bytes(path.read_bytes()[:20] + b"\x83\0" + path.read_bytes()[22:]),
    lambda path: path.write_bytes(b"PK\x03\x04" + path.read_bytes()),
)
"""Ten ways in which a recording can be useless."""


# Kills itself at the 40th time that a step is taken, by whichever hand, before or after it.
CHILD = """
import itertools, os, signal, sys
from calls.handover import Spool
from importer.run import Ledger
from sansheng.cli import main

room, step, when = {"note": Ledger, "hand_on": Spool}[sys.argv[1]], sys.argv[1], sys.argv[2]
taken, really = itertools.count(1), getattr(room, step)

def killing(*args):
    last = next(taken) == 40
    if last and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    done = really(*args)
    if last:
        os.kill(os.getpid(), signal.SIGKILL)
    return done

setattr(room, step, killing)
del sys.argv[1:3]
main()
"""


def test_kill_9_on_the_way_again_and_again(tmp_path: Path) -> None:
    """A folder of 300 calls through the command line, killed four times: each good one in once."""
    folder, data = tmp_path / "in", tmp_path / "data"
    folder.mkdir()
    noise = np.random.default_rng(1).normal(0, 0.1, (4_000, 2)).astype(np.float32)
    wav.write(folder / "0.wav", noise, 8_000)
    sound, rows = (folder / "0.wav").read_bytes(), ["id,audio,invited_at,answered_at"]
    for number in range(300):
        path = folder / f"{number}.wav"
        path.write_bytes(sound)
        if number % 30 == 7:
            BROKEN[number // 30](path)
        rows.append(f"{number},{number}.wav,2026-11-02 08:00:00,2026-11-02 08:00:05")
    (folder / "calls.csv").write_text("\n".join(rows))
    (tmp_path / "sansheng.toml").write_text(f'data_dir = "{data}"\n')
    command = ["import", "folder", str(folder), "-c", str(tmp_path / "sansheng.toml")]
    for step, when in product(("hand_on", "note"), ("before", "after")):
        killed = subprocess.run(
            [sys.executable, "-c", CHILD, step, when, *command], capture_output=True, check=False
        )
        assert killed.returncode == -signal.SIGKILL
    done = subprocess.run(
        [sys.executable, "-m", "sansheng.cli", *command], capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 10
    assert {line.split("\t")[0] for line in lines} == {str(n) for n in range(7, 300, 30)}
    assert all(len(line.split("\t")[1]) > 10 for line in lines)
    folders = Spool(data / "spool").waiting(Stage.RECORDED)
    calls = [read_record(each / CALL_FILE, Call) for each in folders]
    assert {int(call.pbx_call_id) for call in calls} == set(range(300)) - set(range(7, 300, 30))
    assert len(calls) == 290
    for each in folders:
        assert wav.inspect(each / RECORDING_FILE).duration_ms == 500
    ledger = (data / "import" / LEDGER_FILE).read_text()
    known = [json.loads(line)["call_id"] for line in ledger.splitlines()]
    assert len(known) == len(set(known)) == 290
