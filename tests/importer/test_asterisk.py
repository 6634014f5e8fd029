"""Asterisk's logs as calls: those that a real one wrote, with and without parts of them."""

import csv
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from calls import wav
from calls.call import Call, Channel, EndedBy, EndReason, Signalling
from calls.errors import ImportSourceError, RecordingError
from importer.asterisk import AsteriskSource
from importer.settings import ImporterSettings
from tests.importer.conftest import read_all, record

SETTINGS = ImporterSettings()
WRITTEN = Path(__file__).parent / "data" / "asterisk" / "log"
"""By the Asterisk 16 of test_asterisk_live.py; its clock was UTC, its CDR by ``usegmtime``."""
EIGHT = datetime(2026, 11, 2, 0, 0, 0, tzinfo=UTC)
"""08:00 in Shanghai."""
UNIQUE = f"{round(EIGHT.timestamp())}.42"


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A copy of what the real Asterisk wrote."""
    return Path(shutil.copytree(WRITTEN, tmp_path / "log"))


def calls_of(logs: Path) -> dict[int, Call]:
    """The calls by the last digits of the caller's number."""
    source = AsteriskSource(logs, logs / "none", SETTINGS)
    calls = read_all(source, logs)
    return {int(call.caller[-4:]): call for call in calls}


def test_all_logs_together_tell_all(logs: Path) -> None:
    calls = calls_of(logs)
    assert sorted(calls) == list(range(24))
    assert all(call.signalling is Signalling.FEED for call in calls.values())
    assert calls[0].ring_ms == pytest.approx(900, abs=40)
    assert calls[0].invited_at > datetime(2026, 11, 24, 15, tzinfo=UTC)
    reasons = {number: call.end_reason for number, call in calls.items()}
    assert {n: r for n, r in reasons.items() if r is not EndReason.BYE} == {
        10: EndReason.BUSY, 11: EndReason.NO_ANSWER, 12: EndReason.CANCEL, 13: EndReason.REJECTED,
        18: EndReason.CANCEL, 19: EndReason.NO_ANSWER,
    }  # fmt: skip
    assert [hold.by for hold in calls[8].holds] == [Channel.AGENT]
    assert calls[8].holds[0].end_ms - calls[8].holds[0].start_ms == pytest.approx(2_000, abs=50)
    assert [hold.by for hold in calls[9].holds] == [Channel.CALLER]
    assert (calls[22].agent, calls[22].transfers) == ("1010", ("1011",))
    assert (calls[23].agent, calls[23].transfers) == ("1012", ("1013",))
    assert (calls[23].ended_by, calls[17].agent) == (EndedBy.CALLER, "1005")


def test_a_plan_without_any_recording_warns(logs: Path, tmp_path: Path) -> None:
    """Once in, a call is not taken again: its recording would never follow."""
    config = tmp_path / "sansheng.toml"
    config.write_text(f'data_dir = "{tmp_path / "data"}"\n')
    command = [sys.executable, "-m", "sansheng.cli", "import", "asterisk", str(logs), "--plan"]

    def said() -> str:
        done = subprocess.run([*command, "-c", str(config)], capture_output=True, check=True)
        return done.stderr.decode()

    assert "No recording" in said()
    record(logs / "monitor" / f"{calls_of(logs)[0].pbx_call_id}.wav", 1)
    assert "No recording" not in said()


def test_without_cel_nothing_is_invented(logs: Path) -> None:
    whole = calls_of(logs)
    shutil.rmtree(logs / "cel-custom")
    calls = calls_of(logs)
    assert sorted(calls) == list(range(24))
    for number, call in calls.items():
        best = whole[number]
        assert abs((call.invited_at - best.invited_at).total_seconds()) <= 1
        assert abs((call.ended_at - best.ended_at).total_seconds()) <= 1
        assert (call.agent, call.answered_at is None) == (best.agent, best.answered_at is None)
        assert call.ended_by in (best.ended_by, EndedBy.UNKNOWN)
        if call.ringing_at is not None and best.ringing_at is not None:
            assert abs((call.ringing_at - best.ringing_at).total_seconds()) <= 2
    assert {n for n, call in calls.items() if call.ringing_at} == {14, 15, 16, 17, 23}
    assert {n for n, call in calls.items() if call.ended_by is not EndedBy.UNKNOWN} == {
        14, 15, 16, 17, 18,
    }  # fmt: skip


def test_a_cdr_alone_knows_no_ring(logs: Path) -> None:
    for name in ("cel-custom", "queue_log", "full"):
        path = logs / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    calls = calls_of(logs)
    assert sorted(calls) == list(range(24))
    assert {call.signalling for call in calls.values()} == {Signalling.NONE}
    assert calls[22].transfers == ("1011",)


def test_tables_exported_from_a_database(logs: Path) -> None:
    """By their headers: FreePBX's have durations and no end, mysql's are separated by tabs."""
    whole = calls_of(logs)
    names = "src dst channel dstchannel lastapp calldate duration billsec disposition uniqueid did"
    places = (1, 2, 5, 6, 7, 9, 12, 13, 14, 16, 2)
    with (logs / "cdr-csv/Master.csv").open(newline="") as lines:
        rows = [[row[place] for place in places] for row in csv.reader(lines)]
    text = "\n".join("\t".join(row) for row in [names.split(), *rows])
    (logs / "cdr.csv").write_text(text)
    shutil.rmtree(logs / "cdr-csv")
    heads = [
        "eventtype", "eventtime", *"bcdefgh", "context", "channame", *"klmn", "uniqueid",
        "linkedid", "peer", "q", "r", "extra",
    ]  # fmt: skip
    heads.remove("h")
    events = (logs / "cel-custom/Master.csv").read_text()
    (logs / "cel.csv").write_text(",".join(heads) + "\n" + events)
    shutil.rmtree(logs / "cel-custom")
    calls = calls_of(logs)
    for number, call in whole.items():
        assert (calls[number].answered_at, calls[number].agent) == (call.answered_at, call.agent)


def test_a_call_under_way_is_left_for_later(logs: Path) -> None:
    """Legs of a transfer are written while the caller still talks."""
    path = logs / "cel-custom/Master.csv"
    lines = path.read_text().splitlines(keepends=True)
    (key,) = {call.pbx_call_id for number, call in calls_of(logs).items() if number == 23}
    end = f'"{key}","{key}"'
    path.write_text("".join(x for x in lines if not ('"HANGUP"' in x and end in x)))
    assert 23 not in calls_of(logs)
    path.unlink()
    table = logs / "cdr-csv/Master.csv"
    rows = table.read_text().splitlines(keepends=True)
    table.write_text("".join(row for row in rows if f'"{key}"' not in row))
    assert sorted(calls_of(logs)) == list(range(23))


def cdr(unique: str, answer: str, disposition: str = "ANSWERED", device: str = "1001") -> str:
    fields = (
        "", "138", "12345", "in", "138", f"PJSIP/trunk-{unique}", f"PJSIP/{device}-{unique}",
        "Dial",
        "", "2026-11-02 08:00:00", answer, "2026-11-02 08:00:20", "20", "10", disposition,
        "DOCUMENTATION", unique, "",
    )  # fmt: skip
    return ",".join(f'"{field}"' for field in fields) + "\n"


def source(folder: Path, text: str) -> AsteriskSource:
    path = folder / "cdr-csv/Master.csv"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return AsteriskSource(folder, folder / "monitor", SETTINGS)


def test_a_recording_that_began_too_early_begins_at_the_answer(tmp_path: Path) -> None:
    record(tmp_path / f"monitor/2026/{UNIQUE}.wav", 20)
    (call,) = read_all(source(tmp_path, cdr(UNIQUE, "2026-11-02 08:00:10")), tmp_path)
    assert (call.agent, call.ended_by, call.ring_ms) == ("1001", EndedBy.UNKNOWN, None)
    assert call.invited_at == EIGHT
    assert call.recording is not None
    assert call.recording.duration_ms == 10_000


@pytest.mark.parametrize("name", ["", "pbx2-"])
def test_a_pair_is_found_by_uniqueid_whatever_the_system_is_called(
    tmp_path: Path, name: str
) -> None:
    for side in "rt":
        record(tmp_path / f"monitor/x-{name}{UNIQUE}-{side}.wav", 9.5, 1)
    (call,) = read_all(source(tmp_path, cdr(name + UNIQUE, "2026-11-02 08:00:10")), tmp_path)
    assert call.recording is not None
    assert wav.inspect(tmp_path / "recording.wav").channels == 2


@pytest.mark.parametrize("ahead", [-5, 0, 5.75, 8])
def test_times_of_any_zone_are_known_by_the_uniqueid(tmp_path: Path, ahead: float) -> None:
    """Asterisk's sample cdr.conf writes GMT and does not say so."""
    began = EIGHT + timedelta(hours=8 - ahead)
    unique = f"{round(began.timestamp())}.1"
    (call,) = read_all(source(tmp_path, cdr(unique, "2026-11-02 08:00:10")), tmp_path)
    assert call.invited_at == began


def test_unanswered_and_forked_calls(tmp_path: Path) -> None:
    rows = (
        cdr("1793577600.1", "", "NO ANSWER", "1001")
        + cdr("1793577600.1", "2026-11-02 08:00:10", device="1002")
        + cdr("1793577600.1", "", "NO ANSWER", "1003")
        + cdr("1793577600.2", "", "BUSY")
    )
    first, second = read_all(source(tmp_path, rows), tmp_path)
    assert (first.agent, first.answered_at is None) == ("1002", False)
    assert (second.end_reason, second.answered_at) == (EndReason.BUSY, None)


def test_a_menu_that_answered_is_no_agent(tmp_path: Path) -> None:
    row = cdr(UNIQUE, "2026-11-02 08:00:01").replace(f"PJSIP/1001-{UNIQUE}", "")
    record(tmp_path / f"monitor/{UNIQUE}.wav", 20)
    (call,) = read_all(source(tmp_path, row), tmp_path)
    assert (call.answered_at, call.recording, call.end_reason) == (
        None, None, EndReason.NO_ANSWER,
    )  # fmt: skip


def test_wrong_folder_and_broken_rows(tmp_path: Path) -> None:
    with pytest.raises(ImportSourceError, match="cdr-csv"):
        list(AsteriskSource(tmp_path, None, SETTINGS).items())
    rows = '"a","b"\n' + cdr("", "2026-11-02 08:00:10") + cdr(UNIQUE, "2026-11-02 09:00:00")
    broken = source(
        tmp_path, rows + f'"","","","","","","","","","","","","","","","","1{UNIQUE}"\n'
    )
    said = ("no uniqueid", "no uniqueid", "contradict", "whole CDR")
    for item, why in zip(broken.items(), said, strict=True):
        with pytest.raises(ImportSourceError, match=why):
            broken.read(item, tmp_path)


def test_two_recordings_of_one_call_are_not_guessed_at(tmp_path: Path) -> None:
    for name in "ab":
        record(tmp_path / f"monitor/{name}-{UNIQUE}.wav")
    with pytest.raises(RecordingError, match="2 recordings"):
        read_all(source(tmp_path, cdr(UNIQUE, "2026-11-02 08:00:10")), tmp_path)
