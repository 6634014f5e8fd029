"""The sherpa-onnx engine: the real library on a model of SenseVoice's form, and what is refused."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from asr.check import check
from asr.ears import transcribe
from asr.engine import Claim, open_engine
from asr.onnx_file import read_metadata
from asr.settings import AsrSettings
from calls.call import Channel
from calls.errors import EngineError
from calls.hit import Candidate, Kind, Status
from phrasebook.book import load
from phrasebook.verdict import decide
from tests.asr.scripted import at, line, record, speech
from tests.asr.sounds import noise
from tests.asr.toy_model import (
    PARAFORMER_TIMES_S,
    TOKENS,
    write_toy_model,
    write_toy_paraformer,
)

BURST = noise(0.5, -10)
WINDOW_RATE = 16_000


def settings(folder: Path) -> AsrSettings:
    return AsrSettings(engine="sherpa-onnx", model=str(folder))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_toy_model(tmp_path / "toy-sense-voice")


def window(*bursts: float, length: float = 5.0) -> np.ndarray:
    """A quiet window with bursts of sound at these seconds."""
    samples = np.zeros(round(length * WINDOW_RATE), np.float32)
    sound = np.random.default_rng(1).normal(0, 0.3, WINDOW_RATE // 2).astype(np.float32)
    for start in bursts:
        first = round(start * WINDOW_RATE)
        samples[first : first + len(sound)] = sound
    return samples


def test_words_come_with_their_times(model: Path) -> None:
    [heard] = open_engine(settings(model)).hear([window(1.0, 3.0)])
    assert [piece.text for piece in heard.pieces] == ["好", "好"]
    assert [piece.start_ms for piece in heard.pieces] == pytest.approx([1_000, 3_000], abs=100)
    assert all(0 < piece.end_ms - piece.start_ms <= 400 for piece in heard.pieces)


def test_a_words_start_is_a_space(tmp_path: Path) -> None:
    folder = write_toy_model(tmp_path / "toy", word="▁ok")
    [heard] = open_engine(settings(folder)).hear([window(1.0)])
    assert [piece.text for piece in heard.pieces] == [" ok"]


@pytest.mark.parametrize(
    ("tag", "language", "probability", "no_speech"),
    [
        ("<|zh|>", "zh", 1.0, 0.0),
        ("<|yue|>", "yue", 1.0, 0.0),
        ("<|nospeech|>", "", 0.0, 1.0),
    ],
)
def test_the_language_is_told(
    tmp_path: Path, tag: str, language: str, probability: float, no_speech: float
) -> None:
    folder = write_toy_model(tmp_path / "toy", language=tag)
    [heard] = open_engine(settings(folder)).hear([window(1.0)])
    assert (heard.language, heard.language_probability) == (language, probability)
    assert heard.no_speech == no_speech


def test_a_paraformer_tells_times_but_no_language(tmp_path: Path) -> None:
    folder = write_toy_paraformer(tmp_path / "toy-paraformer")
    first, second = open_engine(settings(folder)).hear([window(1.0), window(2.0)])
    assert [piece.text for piece in first.pieces] == ["好", " hel", "lo", " ok"]
    assert [piece.start_ms for piece in first.pieces] == [s * 1000 for s in PARAFORMER_TIMES_S]
    assert (first.language, first.language_probability) == ("", 0.0)
    assert second == first


def test_a_paraformer_without_times_is_refused(tmp_path: Path) -> None:
    engine = open_engine(settings(write_toy_paraformer(tmp_path / "toy", timed=False)))
    with pytest.raises(EngineError, match="when its words were said"):
        engine.hear([window(1.0)])


def test_what_the_model_does_not_tell_is_in_doubt(model: Path) -> None:
    """These models tell no probability; scoring must not take their text for clear."""
    engine = open_engine(settings(model))
    [heard] = engine.hear([window(1.0)])
    assert heard.log_probability < -1.0
    assert all(piece.probability < 0.35 for piece in heard.pieces)


def test_a_call_is_transcribed_and_what_was_said_stays_a_question(
    model: Path, tmp_path: Path
) -> None:
    engine = open_engine(settings(model))
    recording = record(tmp_path, line(10), at(10, (4.0, speech())))
    transcript = transcribe(engine, "call-1", recording, tuple(Channel))
    [utterance] = transcript.utterances
    assert (utterance.channel, set(utterance.text)) == (Channel.AGENT, {"好"})
    assert (transcript.engine, transcript.model) == (engine.name, engine.model)
    assert engine.name.startswith("sherpa-onnx ")
    assert engine.model.startswith("toy-sense-voice ")
    candidate = Candidate(
        kind=Kind.FORBIDDEN,
        family="F_off_duty",
        phrase_id="F168",
        phrase="我要下班啦",
        channel=Channel.AGENT,
        utterance=0,
        char_start=0,
        char_end=1,
        start_ms=utterance.start_ms,
        end_ms=utterance.end_ms,
        heard="好",
        score=1.0,
        by="text",
    )
    readings = check(engine, recording, tuple(Channel), transcript, [candidate])
    assert readings == [None]
    [hit] = decide(load(), transcript, [candidate], readings)
    assert (hit.status, hit.reason) == (Status.REVIEW, "not_checked")
    with pytest.raises(EngineError, match="cannot score"):
        engine.score(window(1.0), [Claim("", "我要下班啦", "")])
    with pytest.raises(EngineError, match="one text only"):
        engine.alternatives(window(1.0), 5)


def no_folder(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()


def spoil_tokens(text: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        (folder / "tokens.txt").write_text(text, "utf-8")

    return spoil


def cut_weights(folder: Path) -> None:
    weights = folder / "model.onnx"
    weights.write_bytes(weights.read_bytes()[:-2_000])


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (no_folder, "no folder"),
        (lambda folder: (folder / "model.onnx").unlink(), "model.int8.onnx"),
        (lambda folder: (folder / "model.onnx").write_text("hello"), "no ONNX model"),
        (lambda folder: (folder / "model.onnx").write_bytes(b""), "lack encoder_output_size"),
        (cut_weights, "torn"),
        (lambda folder: (folder / "tokens.txt").unlink(), "tokens.txt"),
        (lambda folder: (folder / "tokens.txt").write_bytes(b"\xff\xfe"), "tokens.txt"),
        (spoil_tokens("<blk> 0\n好 1\n"), f"writes {len(TOKENS)}"),
        (spoil_tokens("<blk> 0\n好 2\n"), "line 2"),
        (spoil_tokens("<blk> 0\n好\n"), "line 2"),
        (lambda folder: write_toy_model(folder, metadata={"neg_mean": None}), "lack neg_mean"),
        (lambda folder: write_toy_model(folder, metadata={"with_itn": None}), "lack with_itn"),
        (lambda folder: write_toy_model(folder, metadata={"lang_auto": None}), "no SenseVoice"),
    ],
)
def test_a_wrong_folder_is_one_clear_line(
    model: Path, spoil: Callable[[Path], object], says: str
) -> None:
    spoil(model)
    with pytest.raises(EngineError) as caught:
        open_engine(settings(model))
    assert says in caught.value.message
    assert caught.value.remedy
    assert "\n" not in str(caught.value)


def test_the_default_model_is_whispers(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="embedded is no folder"):
        open_engine(AsrSettings(engine="sherpa-onnx"))


def test_the_smaller_weights_are_taken_unless_others_are_asked_for(
    model: Path, tmp_path: Path
) -> None:
    write_toy_model(tmp_path / "other", word="▁ok")
    (tmp_path / "other" / "model.onnx").rename(model / "model.int8.onnx")
    [small] = open_engine(settings(model)).hear([window(1.0)])
    whole = AsrSettings(engine="sherpa-onnx", model=str(model), compute_type="float32")
    [large] = open_engine(whole).hear([window(1.0)])
    assert ([p.text for p in small.pieces], [p.text for p in large.pieces]) == ([" ok"], ["好"])


def test_a_package_that_is_not_there_says_how_to_get_it(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sherpa_onnx", None)
    with pytest.raises(EngineError, match=r"sansheng\[sherpa\]"):
        open_engine(settings(model))


def test_metadata_is_read_as_it_was_written(model: Path) -> None:
    found = read_metadata(model / "model.onnx")
    assert (found["vocab_size"], found["lang_yue"]) == (str(len(TOKENS)), "7")
