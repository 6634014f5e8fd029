"""Calls that a kill or a full disk broke are closed with what was kept."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from calls import wav
from calls.call import Call, Channel, EndedBy, EndReason, EventKind, LegEvent, Mode, SideQuality
from calls.codec import read_record
from calls.handover import CALL_FILE, JOURNAL_FILE, Spool, Stage
from telephony.finish import finish_live
from telephony.journal import Head, Journal
from telephony.quality import measure, rate_sides
from telephony.sides import side_file

START = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)
RATE = 8000


def _live(spool: Spool, *kinds: tuple[EventKind, Channel, int], call_id: str = "a1") -> Path:
    folder = spool.begin(call_id)
    journal = Journal(
        folder,
        Head(
            call_id=call_id, mode=Mode.BRIDGE, caller="c", called="d", agent="1", invited_at=START
        ),
    )
    for kind, leg, ms in kinds:
        at = START + timedelta(milliseconds=ms)
        journal.event(LegEvent(at=at, monotonic_ms=float(ms), leg=leg, kind=kind))
    journal.close()
    return folder


def _tone(seconds: float, amplitude: float) -> wav.Samples:
    tone = amplitude * np.sin(np.arange(int(seconds * RATE)) / 5)
    return tone.astype(np.float32)


def _sides(folder: Path, seconds: float) -> None:
    for channel in Channel:
        wav.write(folder / side_file(channel), _tone(seconds, 0.3), RATE)


def _tear(path: Path) -> None:
    """A WAV as a killed process leaves it: no sizes in its header, half a sample at its end."""
    with path.open("r+b") as file:
        for offset in (4, 40):
            file.seek(offset)
            file.write(bytes(4))
        file.seek(0, os.SEEK_END)
        file.write(b"\x01")


ANSWERED = (
    (EventKind.INVITE, Channel.AGENT, 0),
    (EventKind.RINGING, Channel.AGENT, 100),
    (EventKind.ANSWERED, Channel.AGENT, 2100),
)


def test_a_killed_call_is_mended_and_closed(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    folder = _live(spool, *ANSWERED)
    _sides(folder, 3)
    for channel in Channel:
        _tear(folder / side_file(channel))
    with (folder / JOURNAL_FILE).open("ab") as journal:
        journal.write(b'{"schema":1,"event":{"at":"2026-')

    assert finish_live(spool, "ALAW") == ["a1"]

    done = spool.folder(Stage.RECORDED, "a1")
    call = read_record(done / CALL_FILE, Call)
    assert (call.ended_by, call.end_reason) == (EndedBy.NETWORK, EndReason.LOST)
    assert call.ring_ms == 2000
    assert call.recording is not None
    assert not call.recording.complete
    assert wav.inspect(done / call.recording.path).duration_ms == pytest.approx(3000, abs=20)


def test_a_recording_that_a_full_disk_cut_is_not_called_complete(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    ending = ((EventKind.BYE, Channel.CALLER, 12_100), (EventKind.CLOSED, Channel.CALLER, 12_150))
    folder = _live(spool, *ANSWERED, *ending)
    _sides(folder, 3)
    assert finish_live(spool, "ALAW") == ["a1"]
    call = read_record(spool.folder(Stage.RECORDED, "a1") / CALL_FILE, Call)
    assert (call.ended_by, call.end_reason) == (EndedBy.CALLER, EndReason.BYE)
    assert call.recording is not None
    assert not call.recording.complete


def test_empty_sides_leave_a_call_without_a_recording(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    folder = _live(spool, *ANSWERED)
    for channel in Channel:
        (folder / side_file(channel)).write_bytes(b"")
    assert finish_live(spool, "ALAW") == ["a1"]
    call = read_record(spool.folder(Stage.RECORDED, "a1") / CALL_FILE, Call)
    assert call.recording is None


def test_a_folder_without_a_journal_is_set_aside(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.begin("b1")
    _live(spool, *ANSWERED)
    assert finish_live(spool, "ALAW") == ["a1"]
    assert [folder.name for folder in spool.waiting(Stage.FAILED)] == ["b1"]


def test_a_call_that_a_process_holds_is_left_alone(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    folder = _live(spool, *ANSWERED)
    with spool.claim(folder) as mine:
        assert mine
        assert finish_live(spool, "ALAW") == []
    assert folder.is_dir()


def test_loudness_of_silence_speech_and_clipping(tmp_path: Path) -> None:
    path = tmp_path / "side.wav"
    wav.write(path, np.concatenate([_tone(1, 0), _tone(1, 0.5)]), RATE)
    half = measure(path)
    assert half.silence_share == pytest.approx(0.5, abs=0.01)
    assert half.level_dbfs == pytest.approx(-9.0, abs=0.3)
    assert half.clipped_share == 0
    wav.write(path, np.clip(_tone(1, 3), -1, 1), RATE)
    assert measure(path).clipped_share > 0.5


def test_a_dead_side_is_one_way_and_loss_costs_mos(tmp_path: Path) -> None:
    sides = {channel: tmp_path / side_file(channel) for channel in Channel}
    wav.write(sides[Channel.CALLER], _tone(1, 0.5), RATE)
    wav.write(sides[Channel.AGENT], _tone(1, 0), RATE)
    known = (
        SideQuality(channel=Channel.CALLER, packets=500, codec="PCMA"),
        SideQuality(channel=Channel.AGENT, packets=400, lost=100, codec="PCMA"),
    )
    caller, agent = rate_sides(known, sides)
    assert (caller.one_way, agent.one_way) == (False, True)
    assert caller.mos is not None
    assert agent.mos is not None
    assert agent.mos < 3 < 4 < caller.mos

    wav.write(sides[Channel.CALLER], _tone(1, 0), RATE)
    assert not any(side.one_way for side in rate_sides(known, sides))
