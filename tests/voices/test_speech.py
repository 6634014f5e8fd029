"""The real voices: they speak, the cache serves, and what cannot be said is refused."""

from pathlib import Path

import numpy as np
import pytest

from calls.errors import EngineError
from voices import speech


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech, "_cache_folder", lambda: tmp_path)


@pytest.mark.parametrize(
    ("text", "voice"), [("您好", "nobody"), ("  ", "jf_alpha")], ids=["voice", "text"]
)
def test_what_cannot_be_said_is_refused(text: str, voice: str) -> None:
    with pytest.raises(EngineError):
        speech.speak(text, voice)


@pytest.mark.voices
def test_a_sentence_is_spoken_once_and_faster_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = speech.speak("请稍等。", "jf_nezumi", 0.8)
    fast = speech.speak("请稍等。", "jf_nezumi", 1.3)
    assert 0.3 < len(fast) / 8_000 < len(slow) / 8_000 < 4
    assert float(np.abs(slow).max()) > 0.05
    assert speech.spoken_already("请稍等。", "jf_nezumi", 0.8)
    monkeypatch.setattr(speech, "_synthesize", None)
    assert np.array_equal(speech.speak("请稍等。", "jf_nezumi", 0.8), slow)


@pytest.mark.voices
def test_a_turn_that_is_too_long_says_so() -> None:
    with pytest.raises(EngineError, match="phonemes"):
        speech.speak("请稍等" * 200, "jf_alpha")
