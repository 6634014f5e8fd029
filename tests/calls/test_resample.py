"""Another rate keeps what was said and how long it took."""

import numpy as np
import pytest

from calls.errors import RecordingError
from calls.resample import resample, resample_blocks
from calls.wav import Samples


def tone(rate: int, seconds: float = 1.0) -> Samples:
    return np.sin(2 * np.pi * 440 * np.arange(int(rate * seconds)) / rate).astype(np.float32)


@pytest.mark.parametrize(("rate", "wanted"), [(8000, 16000), (16000, 8000), (44100, 8000)])
def test_a_tone_stays_the_same_tone(rate: int, wanted: int) -> None:
    changed = resample(tone(rate), rate, wanted)
    assert len(changed) == wanted
    middle = slice(wanted // 4, wanted * 3 // 4)
    assert np.abs(changed[middle] - tone(wanted)[middle]).max() < 0.01


@pytest.mark.parametrize("size", [1, 160, 7777])
def test_blocks_give_what_the_whole_gives(size: int) -> None:
    pair = np.stack([tone(11025), -tone(11025)], axis=1)
    blocks = (pair[at : at + size] for at in range(0, len(pair), size))
    joined = np.concatenate(list(resample_blocks(blocks, 11025, 8000, 2)))
    assert joined.shape[1] == 2
    assert abs(len(joined) - 8000) <= 1
    whole = resample(pair, 11025, 8000)
    assert np.abs(joined[: len(whole)] - whole[: len(joined)]).max() < 1e-3


@pytest.mark.parametrize(
    ("shape", "rate"), [((3, 2, 2), 8_000), ((9,), 0), ((9,), -8_000)], ids=str
)
def test_what_cannot_be_resampled_is_a_recording_error(shape: tuple[int, ...], rate: int) -> None:
    with pytest.raises(RecordingError, match="cannot be brought to 16000"):
        resample(np.zeros(shape, np.float32), rate, 16_000)


def test_a_block_of_other_channels_is_a_recording_error() -> None:
    blocks = [np.zeros((9, 3), np.float32)]
    with pytest.raises(RecordingError, match="cannot be brought to 8000"):
        list(resample_blocks(blocks, 44_100, 8_000, 2))
