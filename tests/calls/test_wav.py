"""Recordings: read in blocks, joined to equal length, mended after a kill, refused clearly."""

import struct
from pathlib import Path

import numpy as np
import pytest

from calls import wav
from calls.errors import RecordingError

RATE = 8000


def tone(seconds: float, level: float = 0.5) -> wav.Samples:
    time = np.arange(int(seconds * RATE)) / RATE
    return (level * np.sin(2 * np.pi * 440 * time)).astype(np.float32)


@pytest.mark.parametrize("coding", ["PCM_16", "ALAW", "ULAW"])
def test_two_sides_become_left_and_right(tmp_path: Path, coding: wav.Coding) -> None:
    wav.write(tmp_path / "caller.wav", tone(1.0), RATE, coding)
    wav.write(tmp_path / "agent.wav", tone(0.5, 0.1), RATE, coding)
    info = wav.join(tmp_path / "caller.wav", tmp_path / "agent.wav", tmp_path / "both.wav", coding)
    assert (info.frames, info.channels, info.coding) == (RATE, 2, coding)
    assert np.allclose(wav.read(tmp_path / "both.wav", 0), tone(1.0), atol=0.03)
    right = wav.read(tmp_path / "both.wav", 1)
    assert np.abs(right[: RATE // 2]).max() > 0.09
    assert np.abs(right[RATE // 2 + 1 :]).max() < 0.001


def test_a_part_is_read_by_its_times(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    wav.write(path, np.linspace(-1, 1, RATE, dtype=np.float32), RATE)
    part = wav.read(path, 0, start_ms=250, end_ms=500)
    assert len(part) == RATE // 4
    assert abs(part[0] - -0.5) < 0.001


def test_blocks_are_the_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    wav.write(path, tone(2.3), RATE)
    parts = list(wav.blocks(path, block_ms=500))
    assert [len(p) for p in parts] == [4000] * 4 + [2400]


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 10**6])
def test_a_torn_header_is_mended(tmp_path: Path, size: int) -> None:
    path = tmp_path / "torn.wav"
    wav.write(path, tone(1.0), RATE)
    data = bytearray(path.read_bytes())
    at = data.index(b"data") + 4
    data[4:8] = data[at : at + 4] = struct.pack("<I", size)
    path.write_bytes(data)
    assert wav.mend(path)
    assert wav.inspect(path).frames == RATE
    assert not wav.mend(path)


def test_what_is_no_audio_is_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty.wav"
    wav.write(empty, np.zeros(0, np.float32), RATE)
    noise = tmp_path / "noise.wav"
    noise.write_bytes(b"\x00\x01\x02" * 500)
    for path, says in (
        (empty, "no audio"),
        (noise, "torn or of an unknown form"),
        (tmp_path / "absent.wav", "does not exist"),
    ):
        with pytest.raises(RecordingError, match=says):
            wav.inspect(path)
    for path in (noise, tmp_path / "absent.wav"):
        with pytest.raises(RecordingError):
            wav.mend(path)


def test_a_channel_that_is_not_there_is_refused(tmp_path: Path) -> None:
    wav.write(tmp_path / "x.wav", tone(0.1), RATE)
    with pytest.raises(RecordingError, match="no channel 1"):
        wav.read(tmp_path / "x.wav", 1)


def test_mix_puts_each_part_at_its_place(tmp_path: Path) -> None:
    first, late, early = (tmp_path / f"{name}.wav" for name in ("first", "late", "early"))
    wav.write(first, np.full(800, 0.25, np.float32), 8000)
    wav.write(late, np.full(800, 0.5, np.float32), 8000)
    wav.write(early, np.full(800, 0.5, np.float32), 8000)
    target = tmp_path / "mix.wav"
    info = wav.mix([(first, 0), (late, 50), (early, -50)], target, block_ms=40)
    assert info.duration_ms == 150
    mixed = wav.read(target, 0)
    expected = np.repeat([0.75, 0.75, 0.5], 400)
    assert np.allclose(mixed, expected, atol=1e-3)


def test_mix_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="nothing to mix"):
        wav.mix([], tmp_path / "mix.wav")


@pytest.mark.parametrize("coding", ["PCM_16", "ALAW"])
def test_a_torn_file_is_told_from_a_short_one(tmp_path: Path, coding: wav.Coding) -> None:
    path = tmp_path / "a.wav"
    wav.write(path, np.zeros(8000, np.float32), 8000, coding)
    assert wav.inspect(path).duration_ms == 1000
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(RecordingError, match="torn"):
        wav.inspect(path)
    assert wav.mend(path)
    assert wav.inspect(path).frames in (8000 - 100, 8000 - 50)
