"""What every engine keeps to, whichever it is: shape, order, times, nothing out of nothing.

sherpa-onnx runs on a model of SenseVoice's form and, where SANSHENG_SHERPA_MODEL names the folder
of a real one, on that too: no package that installs offline holds such weights.
"""

import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from asr.engine import Claim, Engine, open_engine
from asr.settings import AsrSettings
from asr.text import is_supported
from asr.windows import MODEL_RATE
from calls.errors import EngineError
from calls.resample import resample
from calls.wav import Samples
from tests.asr.scripted import speech
from tests.asr.sounds import RATE
from tests.asr.toy_model import write_toy_model

REAL_MODEL = os.environ.get("SANSHENG_SHERPA_MODEL", "")
WINDOW_S = 30


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("faster-whisper", marks=pytest.mark.model),
        "sherpa-onnx, toy model",
        pytest.param(
            "sherpa-onnx, real model",
            marks=pytest.mark.skipif(
                not REAL_MODEL,
                reason="no SenseVoice or Paraformer model here: name its folder in "
                "SANSHENG_SHERPA_MODEL",
            ),
        ),
    ],
)
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    match request.param:
        case "faster-whisper":
            return open_engine(AsrSettings())
        case "sherpa-onnx, toy model":
            folder = write_toy_model(tmp_path_factory.mktemp("toy"))
        case _:
            folder = Path(REAL_MODEL)
    return open_engine(AsrSettings(engine="sherpa-onnx", model=str(folder)))


def said() -> Samples:
    """您好，很高兴为您服务。"""
    return resample(speech(), RATE, MODEL_RATE)


def quiet(seconds: float) -> Samples:
    return np.zeros(round(seconds * MODEL_RATE), np.float32)


def test_it_says_what_it_is(engine: Engine) -> None:
    assert engine.name.split()[0] in ("faster-whisper", "sherpa-onnx")
    name, digest = engine.model.rsplit(maxsplit=1)
    assert name
    assert (len(digest), int(digest, 16) >= 0) == (8, True)
    assert engine.batch_size >= 1
    assert engine.lanes >= 1


def test_windows_are_heard_in_their_order(engine: Engine) -> None:
    later = np.concatenate([quiet(3), said()])
    heard = engine.hear([said(), quiet(1), later])
    assert len(heard) == 3
    assert [bool(heard[place].pieces) for place in (0, 2)] == [True, True]
    # A first word may begin anywhere in the pause before it, but ends where it was said.
    assert heard[0].pieces[0].end_ms < 1_500 < 2_800 < heard[2].pieces[0].end_ms


def test_times_are_in_order_and_in_the_window(engine: Engine) -> None:
    window = np.concatenate([quiet(1), said(), quiet(1), said()])
    [heard] = engine.hear([window])
    pieces = heard.pieces
    assert pieces
    assert all(a.start_ms <= b.start_ms for a, b in pairwise(pieces))
    length_ms = len(window) * 1000 // MODEL_RATE
    assert all(0 <= piece.start_ms <= piece.end_ms <= length_ms for piece in pieces)
    assert all(piece.text for piece in pieces)
    assert all(0 <= piece.probability <= 1 for piece in pieces)


@pytest.mark.parametrize("seconds", [0, 0.02, 1, WINDOW_S])
def test_nothing_is_heard_in_silence(engine: Engine, seconds: float) -> None:
    [heard] = engine.hear([quiet(seconds)])
    assert not is_supported(heard.pieces, heard, round(seconds * 1000), "")


def test_no_windows_are_no_work(engine: Engine) -> None:
    assert engine.hear([]) == []


def test_it_scores_a_text_or_says_that_it_cannot(engine: Engine) -> None:
    claims = [Claim("", phrase, "") for phrase in ("您好很高兴为您服务", "我要下班啦")]
    if engine.can_score:
        there, elsewhere = engine.score(said(), claims)
        assert elsewhere < there < 0
    else:
        with pytest.raises(EngineError, match="cannot score"):
            engine.score(said(), claims)
