"""Recordings made of sounds."""

from pathlib import Path

import numpy as np
import pytest

from calls import wav
from calls.wav import Samples
from tests.asr.sounds import RATE, MakeCall, silence


@pytest.fixture
def make_call(tmp_path: Path) -> MakeCall:
    """A recording of two sides in A-law; the shorter side is filled with silence."""

    def make(*, caller: Samples | None = None, agent: Samples | None = None) -> Path:
        sides = [s if s is not None else silence(0) for s in (caller, agent)]
        both = np.zeros((max(map(len, sides)), 2), np.float32)
        for column, side in enumerate(sides):
            both[: len(side), column] = side
        path = tmp_path / "call.wav"
        wav.write(path, both, RATE, "ALAW")
        return path

    return make
