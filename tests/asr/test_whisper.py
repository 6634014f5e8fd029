"""The real model on real sound: what it hears, what it must not hear, and was it said."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from rapidfuzz.distance import Levenshtein

from asr.check import check
from asr.ears import transcribe
from asr.engine import Claim, Engine, open_engine
from asr.settings import AsrSettings
from asr.windows import MODEL_RATE
from calls import wav
from calls.call import Channel
from calls.hit import Candidate, Kind
from calls.resample import resample
from calls.text import normalise
from sansheng.demo import CALLS, demo_calls
from tests.asr.scripted import at, record, speech
from tests.asr.sounds import RATE, music, noise, silence, tone
from voices.truth import AGENT_FILE, CALLER_FILE

pytestmark = pytest.mark.model

SIDES = (Channel.CALLER, Channel.AGENT)
MOST_ERRORS = 0.35
"""Character error rate on the demo's two noisy calls; the mean over more speech is in docs."""


@pytest.fixture(scope="module")
def engine() -> Engine:
    return open_engine(AsrSettings())


@pytest.mark.parametrize("name", ["good", "bad"])
def test_each_side_is_heard_on_its_own(engine: Engine, tmp_path: Path, name: str) -> None:
    recording = tmp_path / "call.wav"
    wav.join(CALLS / name / CALLER_FILE, CALLS / name / AGENT_FILE, recording)
    transcript = transcribe(engine, name, recording, SIDES)
    [truth] = [call.truth for call in demo_calls() if call.name == name]
    for side in SIDES:
        said = "".join(normalise(t.text).text for t in truth.turns if t.channel is side)
        heard = "".join(normalise(u.text).text for u in transcript.utterances if u.channel is side)
        assert Levenshtein.distance(said, heard) / len(said) <= MOST_ERRORS
    for utterance in transcript.utterances:
        assert utterance.language == "zh"
        assert [w.char_start for w in utterance.words] == sorted(
            w.char_start for w in utterance.words
        )
        assert all(a.start_ms <= b.start_ms for a, b in pairwise(utterance.words))


def test_a_clip_read_again_has_several_likely_texts(engine: Engine) -> None:
    texts = engine.alternatives(resample(speech(), RATE, MODEL_RATE), 5)
    assert 2 <= len(set(texts)) == len(texts) <= 5
    assert all(Levenshtein.distance("您好很高兴为您服务", normalise(t).text) < 7 for t in texts[:2])


def test_an_hour_on_which_nobody_speaks_yields_no_text(engine: Engine, tmp_path: Path) -> None:
    hour = np.concatenate(
        [
            noise(1200, -42),
            noise(700, -55) + tone(700, 450, on_s=1, off_s=4),
            noise(300, -55) + tone(300, 697, 1209, on_s=0.1, off_s=0.1),
            noise(700, -50) + music(700),
            silence(700),
        ]
    )
    recording = record(tmp_path, hour, noise(len(hour) / RATE, -48, seed=9))
    assert transcribe(engine, "call-1", recording, SIDES).utterances == ()


def test_the_other_side_is_not_written_down_twice(engine: Engine, tmp_path: Path) -> None:
    spoken = at(6, (1, speech()))
    recording = record(tmp_path, spoken * np.float32(0.02) + noise(6, -66, seed=3), spoken)
    transcript = transcribe(engine, "call-1", recording, SIDES)
    assert {u.channel for u in transcript.utterances} == {Channel.AGENT}


def test_what_was_said_scores_far_above_what_was_not(engine: Engine) -> None:
    window = resample(speech("bad/agent.wav", 6800, 10_800), RATE, MODEL_RATE)
    rest = "你明天再打过来"
    said, alike, other = engine.score(
        window,
        [
            Claim("", "我要下班啦", rest),
            Claim("", "我要吃饭啦", rest),
            Claim("", "请您稍等一下", rest),
        ],
    )
    assert said > -1.5
    assert said - alike > 0.8
    assert said - other > 2


def test_a_phrase_is_confirmed_in_the_call_and_its_likeness_is_not(
    engine: Engine, tmp_path: Path
) -> None:
    recording = tmp_path / "call.wav"
    wav.join(CALLS / "bad" / CALLER_FILE, CALLS / "bad" / AGENT_FILE, recording)
    transcript = transcribe(engine, "bad", recording, SIDES)
    [place] = [i for i, u in enumerate(transcript.utterances) if "下班" in u.text]
    utterance = transcript.utterances[place]
    end = utterance.text.index("下班") + 3

    def ask(phrase: str) -> float:
        proposed = Candidate(
            kind=Kind.FORBIDDEN,
            family="F_off_duty",
            phrase_id="F1",
            phrase=phrase,
            channel=Channel.AGENT,
            utterance=place,
            char_start=0,
            char_end=end,
            start_ms=utterance.start_ms,
            end_ms=utterance.end_ms,
            heard=utterance.text[:end],
            score=0.8,
            by="sound",
        )
        [reading] = check(engine, recording, SIDES, transcript, [proposed])
        assert reading is not None
        return reading.probability

    assert ask("我要下班啦") > 0.9
    assert ask("我要上班去") < 0.9
    assert ask("别再打来了") < 0.35


def test_engines_are_all_alike_to_the_rest_of_the_house(engine: Engine) -> None:
    window = resample(speech(), RATE, MODEL_RATE)
    first, second = engine.hear([window, np.zeros(MODEL_RATE, np.float32)])
    assert first.pieces
    assert all(0 <= p.start_ms <= p.end_ms <= 30_000 for p in first.pieces)
    assert all(0 <= p.probability <= 1 for p in first.pieces)
    assert first.log_probability <= 0
    assert 0 <= second.no_speech <= 1
    assert engine.hear([]) == []
    assert engine.score(window, []) == []
    assert engine.name.startswith("faster-whisper ")
    assert "whisper-base" in engine.model
