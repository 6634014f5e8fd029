"""Recordings of every form become 8 kHz with the caller left, and what cannot be is named."""

import hashlib
import math
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from calls import wav
from calls.call import Channel
from calls.errors import RecordingError
from importer.audio import Keep, Sides, bring_in
from importer.g711 import decode_alaw, decode_ulaw


def pitch(samples: wav.Samples) -> int:
    """Hertz of the loudest tone."""
    spectrum = np.abs(np.fft.rfft(samples))
    return round(int(spectrum.argmax()) * 8_000 / len(samples))


def sine(hertz: int, rate: int, seconds: float = 1.0) -> wav.Samples:
    at = np.arange(int(rate * seconds)) / rate
    return np.asarray(np.sin(2 * math.pi * hertz * at) * 0.3, np.float32)


@pytest.mark.parametrize("coding", ["ALAW", "ULAW"])
def test_g711_tables_are_libsndfiles(tmp_path: Path, coding: str) -> None:
    path = tmp_path / "all.wav"
    soundfile.write(path, np.zeros(256, np.int16), 8_000, subtype=coding)
    raw = bytearray(path.read_bytes())
    raw[-256:] = bytes(range(256))
    path.write_bytes(raw)
    decode = decode_alaw if coding == "ALAW" else decode_ulaw
    assert np.array_equal(wav.read(path, 0), decode(bytes(range(256))))


@pytest.mark.parametrize(
    ("name", "rate", "form", "subtype"),
    [
        ("a.wav", 16_000, "WAV", "PCM_16"),
        ("a.wav", 44_100, "WAV", "PCM_24"),
        ("a.wav", 8_000, "WAV", "ALAW"),
        ("a.wav", 8_000, "WAV", "ULAW"),
        ("a.flac", 48_000, "FLAC", "PCM_16"),
        ("a.ogg", 44_100, "OGG", "VORBIS"),
        ("a.opus", 48_000, "OGG", "OPUS"),
        ("a.mp3", 44_100, "MP3", "MPEG_LAYER_III"),
    ],
)
@pytest.mark.parametrize("left", [Channel.CALLER, Channel.AGENT])
def test_stereo_of_every_form(
    tmp_path: Path, name: str, rate: int, form: str, subtype: str, left: Channel
) -> None:
    path = tmp_path / name
    pair = np.stack([sine(440, rate), sine(880, rate)], axis=1)
    soundfile.write(path, pair, rate, subtype=subtype, format=form)
    before = path.read_bytes()
    recording = bring_in(Sides(both=path, left=left), tmp_path)
    heard = [pitch(wav.read(tmp_path / "recording.wav", side)[1_000:7_000]) for side in (0, 1)]
    wanted = [440, 880] if left is Channel.CALLER else [880, 440]
    assert heard == pytest.approx(wanted, abs=2)
    assert recording.channels == (Channel.CALLER, Channel.AGENT)
    assert recording.duration_ms == pytest.approx(1_000, abs=60)
    assert path.read_bytes() == before


def test_gsm_in_wav(tmp_path: Path) -> None:
    path = tmp_path / "a.wav49"
    soundfile.write(path, sine(440, 8_000), 8_000, subtype="GSM610", format="WAV")
    bring_in(Sides(both=path), tmp_path)
    assert pitch(wav.read(tmp_path / "recording.wav", 0)[:7_000]) == pytest.approx(440, abs=2)


def test_two_files_of_different_rate_and_length(tmp_path: Path) -> None:
    wav.write(tmp_path / "c.wav", sine(440, 16_000, 2), 16_000)
    (tmp_path / "a.alaw").write_bytes(b"\xd5" * 8_000)
    recording = bring_in(Sides(caller=tmp_path / "c.wav", agent=tmp_path / "a.alaw"), tmp_path)
    assert recording.duration_ms == 2_000
    assert not wav.read(tmp_path / "recording.wav", 1, start_ms=1_000).any()


def test_one_mono_file_stays_mono_and_says_that_its_sides_are_mixed(tmp_path: Path) -> None:
    wav.write(tmp_path / "m.wav", sine(440, 8_000), 8_000)
    recording = bring_in(Sides(both=tmp_path / "m.wav"), tmp_path)
    assert recording.channels == ()
    assert wav.inspect(tmp_path / "recording.wav").channels == 1


def test_a_recording_that_began_before_the_answer_loses_its_beginning(tmp_path: Path) -> None:
    whole = np.concatenate([sine(440, 8_000, 5), sine(880, 8_000, 3)])
    wav.write(tmp_path / "m.wav", whole, 8_000)
    recording = bring_in(Sides(both=tmp_path / "m.wav"), tmp_path, talk_ms=3_000)
    assert recording.duration_ms == 3_000
    assert pitch(wav.read(tmp_path / "recording.wav", 0)) == 880


def g729() -> bytes:
    head = struct.pack(
        "<4sI4s4sI2H2I2H", b"RIFF", 60, b"WAVE", b"fmt ", 16, 0x83, 1, 8_000, 1_000, 10, 0
    )
    return head + struct.pack("<4sI", b"data", 20) + bytes(20)


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.g729", b"x" * 20, "G.729"),
        ("a.wav", g729(), "G.729"),
        ("a.gsm", b"x" * 33, "without a header"),
        ("a.wav", b"", "empty, torn"),
        ("a.wav", b"RIFF\x00\x00", "empty, torn"),
        ("a.mp3", b"nothing of music in here", "empty, torn"),
        ("a.ulaw", b"", "empty"),
        ("none.wav", None, "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_named(
    tmp_path: Path, name: str, data: bytes | None, said: str
) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(RecordingError, match=said) as caught:
        bring_in(Sides(both=tmp_path / name), tmp_path)
    assert name in caught.value.message
    assert not (tmp_path / "recording.wav").exists()


def test_one_side_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="only one side"):
        bring_in(Sides(caller=tmp_path / "c.wav"), tmp_path)


def untouched(path: Path) -> tuple[int, int, int, int]:
    """What a change of the file would show; reading it moves only its time of access."""
    about = path.stat()
    return about.st_ino, about.st_mode, about.st_size, about.st_mtime_ns


@pytest.mark.parametrize("coding", ["PCM_16", "ALAW", "ULAW"])
@pytest.mark.parametrize("channels", [1, 2])
def test_what_needs_no_change_is_kept_byte_for_byte(
    tmp_path: Path, coding: wav.Coding, channels: int
) -> None:
    path = tmp_path / "13800000000.wav"
    wav.write(path, np.stack([sine(440, 8_000)] * channels, 1), 8_000, coding)
    before = untouched(path)
    recording = bring_in(Sides(both=path), tmp_path)
    kept = (tmp_path / recording.path).read_bytes()
    assert kept == path.read_bytes()
    assert untouched(path) == before
    (original,) = recording.originals
    assert original.sha256 == recording.sha256 == hashlib.sha256(kept).hexdigest()
    assert (original.name, original.size) == (path.name, len(kept))
    assert recording.channels == (() if channels == 1 else (Channel.CALLER, Channel.AGENT))


def test_the_copy_is_no_second_name_of_the_original(tmp_path: Path) -> None:
    """Later stages may mend, move or erase the copy; the original must not follow."""
    path = tmp_path / "a.wav"
    wav.write(path, sine(440, 8_000), 8_000)
    bring_in(Sides(both=path), tmp_path)
    before = path.read_bytes()
    (tmp_path / "recording.wav").write_bytes(b"gone")
    assert path.read_bytes() == before


def test_a_header_of_unknown_length_is_mended_in_the_copy_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    wav.write(path, sine(440, 8_000), 8_000)
    data = bytearray(path.read_bytes())
    data[40:44] = b"\xff" * 4
    torn = bytes(data)
    path.write_bytes(torn)
    recording = bring_in(Sides(both=path), tmp_path)
    kept = (tmp_path / "recording.wav").read_bytes()
    assert (path.read_bytes(), kept[40:44]) == (torn, struct.pack("<I", len(torn) - 44))
    assert recording.originals[0].sha256 == hashlib.sha256(torn).hexdigest()
    assert recording.sha256 == hashlib.sha256(kept).hexdigest()


@pytest.mark.parametrize(("keep", "name"), [("flac", "recording.flac"), ("opus", "recording.opus")])
def test_recordings_may_be_kept_smaller(tmp_path: Path, keep: Keep, name: str) -> None:
    wav.write(tmp_path / "r.wav", sine(440, 8_000, 5), 8_000)
    wav.write(tmp_path / "t.wav", sine(880, 8_000, 5), 8_000)
    sides = Sides(caller=tmp_path / "r.wav", agent=tmp_path / "t.wav")
    recording = bring_in(sides, tmp_path, keep=keep)
    kept = tmp_path / name
    assert recording.path == name
    assert kept.stat().st_size < 0.8 * 4 * 40_000
    assert recording.sha256 == hashlib.sha256(kept.read_bytes()).hexdigest()
    assert [o.name for o in recording.originals] == ["r.wav", "t.wav"]
    for side, (file, hertz) in enumerate((("r.wav", 440), ("t.wav", 880))):
        heard = wav.read(kept, side)
        assert pitch(heard[8_000:16_000]) == pytest.approx(hertz, abs=2)
        if keep == "flac":
            assert np.array_equal(heard, wav.read(tmp_path / file, 0))
