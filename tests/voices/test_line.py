"""The line's figures are what they say: level, noise, crosstalk, band."""

import numpy as np
import pytest

from calls.wav import Samples
from voices import line


def tone(hertz: float, seconds: float = 1.0, rate: int = line.TELEPHONE_RATE) -> Samples:
    return np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate).astype(np.float32)


def rms_db(samples: Samples) -> float:
    return float(10 * np.log10(np.mean(samples.astype(np.float64) ** 2)))


@pytest.mark.parametrize("level", [-35.0, -22.0, -15.0])
def test_level_is_of_the_speech_not_of_the_pauses(level: float) -> None:
    speech = np.concatenate([tone(800) * 0.1, np.zeros(16_000, np.float32)])
    assert line.active_level_dbfs(line.set_level(speech, level)) == pytest.approx(level, abs=0.2)


def test_level_of_silence_is_minus_infinity() -> None:
    assert line.active_level_dbfs(np.zeros(800, np.float32)) == float("-inf")


def test_noise_has_its_level_and_comes_from_the_generator() -> None:
    silence = np.zeros(80_000, np.float32)
    first, again, other = (
        line.add_noise(silence, -50, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert rms_db(first) == pytest.approx(-50, abs=0.1)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_crosstalk_is_the_other_side_attenuated() -> None:
    silence, other = np.zeros(8_000, np.float32), tone(500)
    assert rms_db(line.add_crosstalk(silence, other, -36)) - rms_db(other) == pytest.approx(-36)


@pytest.mark.parametrize(("hertz", "passes"), [(60, False), (1_000, True), (3_900, False)])
def test_telephone_band(hertz: int, passes: bool) -> None:
    loss = rms_db(line.telephone_band(tone(hertz))) - rms_db(tone(hertz))
    assert (loss > -1) is passes
    assert passes or loss < -20


def test_decimation_keeps_the_band_and_does_not_alias() -> None:
    assert rms_db(line.decimate(tone(1_000, rate=24_000), 3)) == pytest.approx(-3, abs=0.2)
    assert rms_db(line.decimate(tone(7_000, rate=24_000), 3)) < -40


def test_a_filter_longer_than_the_samples_keeps_their_length() -> None:
    assert len(line.telephone_band(np.ones(10, np.float32))) == 10
