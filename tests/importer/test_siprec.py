"""Recordings of other SIPREC servers: the offers of real clients, with audio beside them."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from calls import wav
from calls.call import Call, Channel, Signalling
from calls.errors import ImportSourceError, RecordingError, SanshengError
from sansheng.commands.import_ import Kind, open_source
from sansheng.settings import Settings
from tests.importer.conftest import record

OFFERS = Path(__file__).parents[1] / "telephony" / "data" / "siprec"
CISCO = "cisco-siprec-offer"
RULE = Settings.model_validate({"telephony": {"siprec": {"agents": ["7301", "1002"]}}})


def document(name: str) -> bytes:
    """The metadata of a real client's offer."""
    (path,) = OFFERS.glob(f"*{name}*")
    raw = path.read_bytes()
    begin, end = raw.index(b"<recording"), raw.rindex(b"</recording>")
    return raw[begin : end + len(b"</recording>")]


def calls_of(folder: Path, settings: Settings = RULE) -> list[Call]:
    source = open_source(Kind.SIPREC, folder, None, settings)
    return [source.read(item, folder) for item in source.items()]


def test_each_streams_file_goes_to_its_side(tmp_path: Path) -> None:
    (tmp_path / "c1.xml").write_bytes(document(CISCO))
    record(tmp_path / "c1-1.wav", 4, 1)
    record(tmp_path / "c1-2.wav", 3, 1)
    (call,) = calls_of(tmp_path)
    assert (call.agent, call.caller) == ("7301", "7300")
    assert call.invited_at == datetime(2017, 6, 23, 12, 16, 6, 40_000, UTC)
    assert (call.ring_ms, call.signalling, call.duration_ms) == (None, Signalling.NONE, 4_000)
    assert call.recording is not None
    assert [o.name for o in call.recording.originals] == ["c1-2.wav", "c1-1.wav"]
    assert not wav.read(tmp_path / "recording.wav", 0, start_ms=3_000).any()
    assert wav.read(tmp_path / "recording.wav", 1, start_ms=3_000).any()


def test_one_folder_a_call_needs_labels_alone(tmp_path: Path) -> None:
    folder = tmp_path / "in" / "a"
    record(folder / "16777227.wav", 2, 1)
    record(folder / "16777228.wav", 2, 1)
    (folder / "metadata.xml").write_bytes(document("acme"))
    source = open_source(Kind.SIPREC, tmp_path / "in", None, RULE)
    (call,) = [source.read(item, tmp_path) for item in source.items()]
    assert (call.agent, call.caller) == ("1002", "9000")
    assert call.recording is not None
    assert call.recording.channels == (Channel.CALLER, Channel.AGENT)


@pytest.mark.parametrize("channels", [1, 2])
def test_one_file_of_both_needs_no_rule(tmp_path: Path, channels: int) -> None:
    record(tmp_path / "c1.wav", 2, channels)
    (tmp_path / "c1.xml").write_bytes(document(CISCO))
    (call,) = calls_of(tmp_path, Settings())
    assert (call.agent, call.caller) == ("", "")
    assert call.recording is not None
    assert len(call.recording.channels) == (2 if channels == 2 else 0)


def test_names_that_begin_alike_and_sessions_written_twice(tmp_path: Path) -> None:
    for name in ("c1", "c1-2"):
        (tmp_path / f"{name}.xml").write_bytes(document(CISCO))
        record(tmp_path / f"{name}.wav", 1)
    (tmp_path / "c3.xml").write_bytes(document("acme"))
    record(tmp_path / "c3.wav", 1)
    assert len(calls_of(tmp_path)) == 2


def bad_label(folder: Path) -> None:
    record(folder / "c1-1.wav", 1, 1)
    record(folder / "c1-9.wav", 1, 1)


def twice(folder: Path) -> None:
    record(folder / "c1-1.wav", 1, 1)
    record(folder / "c1_1.wav", 1, 1)


def without_audio(folder: Path) -> None:
    assert folder.is_dir()


@pytest.mark.parametrize(
    ("audio", "text", "said"),
    [
        (bad_label, document(CISCO), "cannot be told"),
        (twice, document(CISCO), "two recordings of the agent"),
        (without_audio, document(CISCO), "no audio"),
        (bad_label, b"<recording", "metadata"),
        (bad_label, b"<recording/>", "no time"),
        (bad_label, document(CISCO).replace(b"2017", b"1970"), "no time"),
    ],
)
def test_what_cannot_be_used_says_why(
    tmp_path: Path, audio: object, text: bytes, said: str
) -> None:
    assert callable(audio)
    audio(tmp_path)
    (tmp_path / "c1.xml").write_bytes(text)
    with pytest.raises(SanshengError, match=said):
        calls_of(tmp_path)


def test_without_a_rule_two_files_are_not_guessed_at(tmp_path: Path) -> None:
    record(tmp_path / "c1-1.wav", 1, 1)
    record(tmp_path / "c1-2.wav", 1, 1)
    (tmp_path / "c1.xml").write_bytes(document(CISCO))
    with pytest.raises(RecordingError, match="agents"):
        calls_of(tmp_path, Settings())


def test_no_metadata_at_all(tmp_path: Path) -> None:
    with pytest.raises(ImportSourceError, match=r"\.xml"):
        calls_of(tmp_path)
