"""Both sides of a call that is still being recorded."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from calls import wav
from calls.call import Channel, Mode
from calls.wav import Samples
from telephony.journal import Head, Journal, StreamFile
from telephony.sides import PIPELINE_MS, side_file, so_far, whose

RATE = 8000
SKIP = PIPELINE_MS * RATE // 1000


def ramp(seconds: float, first: int) -> Samples:
    """Samples that tell where they are."""
    return ((first + np.arange(int(seconds * RATE))) % 30_000 / 32768).astype(np.float32)


def growing(path: Path, samples: Samples, odd: bytes = b"") -> None:
    """A WAV as the library leaves it while it writes: no lengths yet, perhaps half a sample."""
    wav.write(path, samples, RATE)
    data = bytearray(path.read_bytes())
    data[4:8] = data[40:44] = bytes(4)
    path.write_bytes(bytes(data) + odd)


def live(folder: Path, *streams: StreamFile) -> None:
    journal = Journal(
        folder,
        Head(
            call_id="call-1",
            mode=Mode.SIPREC if streams else Mode.BRIDGE,
            caller="1",
            called="2",
            agent="1001",
            invited_at=datetime.now(UTC),
        ),
    )
    if streams:
        journal.streams(streams)
    journal.close()


def test_a_bridged_call_is_read_while_it_grows(tmp_path: Path) -> None:
    live(tmp_path)
    growing(tmp_path / side_file(Channel.CALLER), ramp(3.0, 0), odd=b"\x01")
    growing(tmp_path / side_file(Channel.AGENT), ramp(2.5, 7))
    target = tmp_path / "tail.wav"
    assert so_far(tmp_path, target, 1000)
    caller, agent = (wav.read(target, side) for side in (0, 1))
    assert len(caller) == len(agent) == int(1.5 * RATE) - SKIP
    np.testing.assert_allclose(caller[:100], ramp(3.0, RATE + SKIP)[:100], atol=1e-4)
    np.testing.assert_allclose(agent[:100], ramp(3.0, RATE + SKIP + 7)[:100], atol=1e-4)


def test_before_the_answer_there_is_nothing(tmp_path: Path) -> None:
    live(tmp_path)
    assert not so_far(tmp_path, tmp_path / "tail.wav", 0)


def test_what_is_asked_for_may_not_be_there_yet(tmp_path: Path) -> None:
    live(tmp_path)
    for channel in Channel:
        growing(tmp_path / side_file(channel), ramp(1.0, 0))
    assert not so_far(tmp_path, tmp_path / "tail.wav", 5000)


@pytest.mark.parametrize("side", [None, Channel.CALLER])
def test_streams_of_unknown_sides_are_not_heard(tmp_path: Path, side: Channel | None) -> None:
    streams = (
        StreamFile(file="stream-1.wav", label="1", side=Channel.CALLER),
        StreamFile(file="stream-2.wav", label="2", side=side),
    )
    live(tmp_path, *streams)
    for stream in streams:
        growing(tmp_path / stream.file, ramp(1.0, 0))
    assert not so_far(tmp_path, tmp_path / "tail.wav", 0)
    assert whose(tmp_path) == {"stream-1.wav": "caller", "stream-2.wav": side or ""}


def test_a_later_stream_comes_in_its_place(tmp_path: Path) -> None:
    streams = (
        StreamFile(file="stream-1.wav", label="1", side=Channel.CALLER),
        StreamFile(file="stream-2.wav", label="2", side=Channel.AGENT),
        StreamFile(file="stream-3.wav", label="3", side=Channel.AGENT, start_ms=1000, lag_ms=20),
    )
    live(tmp_path, *streams)
    growing(tmp_path / "stream-1.wav", ramp(2.0, 0))
    growing(tmp_path / "stream-2.wav", np.zeros(RATE, np.float32))
    growing(tmp_path / "stream-3.wav", ramp(1.0, 100))
    target = tmp_path / "tail.wav"
    assert so_far(tmp_path, target, 0)
    agent = wav.read(target, 1)
    begins = RATE - SKIP - 20 * RATE // 1000
    assert not agent[:begins].any()
    assert agent[begins] == pytest.approx(100 / 32768, abs=1e-4)
