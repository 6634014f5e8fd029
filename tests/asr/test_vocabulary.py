"""The cut vocabulary: what it can spell, and that the model hears and scores with it as before."""

from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

from asr.engine import Claim
from asr.model import embedded_model
from asr.settings import AsrSettings
from asr.vocabulary import Cut
from asr.whisper import WhisperEngine
from asr.windows import MODEL_RATE
from calls.resample import resample
from calls.wav import Samples
from tests.asr.scripted import speech
from tests.asr.sounds import RATE

pytestmark = pytest.mark.model

WHOLE = 51_865


@pytest.fixture(scope="module")
def cut() -> Cut:
    return Cut(embedded_model())


@pytest.fixture(scope="module")
def engine() -> WhisperEngine:
    return WhisperEngine(AsrSettings())


@pytest.fixture(scope="module")
def window() -> Samples:
    return resample(speech(), RATE, MODEL_RATE)


def test_a_tenth_of_the_vocabulary_is_kept(cut: Cut) -> None:
    kept = [token for token in range(WHOLE) if token in cut]
    assert len(kept) == len(cut) < WHOLE / 8
    assert cut.inside(kept) == list(range(len(cut)))
    assert cut.outside(cut.inside(kept)) == kept


@pytest.mark.parametrize(
    "text",
    [
        "您好，这里是12345便民热线，请问有什么可以帮您？",
        "龘靐齉爩，𠮷野家",
        "我的WiFi密码是 extraordinarily long, 您記得嗎",
        "Привет, こんにちは, 안녕하세요 🙂",
    ],
)
def test_any_text_can_be_spelled(cut: Cut, text: str) -> None:
    tokenizer = Tokenizer.from_file(str(embedded_model() / "tokenizer.json"))
    spelled = cut.spelled(tokenizer.encode(text, add_special_tokens=False).ids)
    assert all(token in cut for token in spelled)
    assert tokenizer.decode(spelled) == text


def test_the_cut_weights_are_the_kept_rows_and_nothing_else_changes(cut: Cut) -> None:
    whole = (embedded_model() / "model.bin").read_bytes()
    files = cut.files()
    row = 512 * 2
    assert len(whole) - len(files["model.bin"]) == (WHOLE - len(cut)) * row
    assert files["model.bin"][-1_000_000:] == whole[-1_000_000:]
    assert sorted(files["vocabulary.txt"].splitlines()) == sorted(
        (embedded_model() / "vocabulary.txt").read_bytes().splitlines()
    )


def test_the_whole_vocabulary_hears_and_scores_alike(
    engine: WhisperEngine, window: Samples
) -> None:
    whole = WhisperEngine(AsrSettings(model=str(embedded_model())))
    assert whole.model != engine.model
    [one], [other] = engine.hear([window]), whole.hear([window])
    assert [p.text.strip() for p in one.pieces[:10]] == [p.text.strip() for p in other.pieces[:10]]
    assert one.language == other.language == "zh"
    assert one.no_speech == pytest.approx(other.no_speech, abs=0.02)
    claims = [Claim("您好,", "很高兴为您服务", ""), Claim("您好,", "很生气为您服务", "")]
    for scored, known in zip(
        engine.score(window, claims), whole.score(window, claims), strict=True
    ):
        assert scored == pytest.approx(known, abs=0.3)


def test_a_word_that_was_cut_can_be_scored(engine: WhisperEngine, window: Samples) -> None:
    said, foreign = engine.score(
        window, [Claim("您好,", "很高兴为您服务", ""), Claim("您好,", "extraordinarily", "")]
    )
    assert said > foreign + 1


def test_words_come_of_half_the_steps_and_their_times_of_all(
    engine: WhisperEngine, window: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = dict[str, int]()

    class Watched:
        def __getattr__(self, name: str) -> Any:
            def call(encoded: Any, *given: Any, **named: Any) -> Any:
                steps[name] = np.asarray(encoded).shape[1]
                return getattr(model, name)(encoded, *given, **named)

            return call

    model = engine._model
    monkeypatch.setattr(engine, "_model", Watched())
    [heard] = engine.hear([window])
    assert steps == {"generate": 750, "detect_language": 750, "align": 1500}
    assert heard.pieces[-1].end_ms > 1800
