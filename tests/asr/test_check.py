"""Was it said? Which questions are asked of the audio, in which place, and what they come to."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.check import Calibration, calibration, check
from asr.engine import Claim
from calls.call import Channel
from calls.hit import Candidate, Kind, Reading
from calls.speech import SpeechSpan, Transcript, Utterance
from tests.asr.scripted import ScriptedEngine, line, record

SIDES = (Channel.CALLER, Channel.AGENT)
HEARD = Utterance(channel=Channel.AGENT, start_ms=2000, end_ms=4000, text="好的刀下班了再见")
TALK = Transcript(
    call_id="call-1",
    duration_ms=10_000,
    utterances=(HEARD,),
    speech=(SpeechSpan(channel=Channel.AGENT, start_ms=2000, end_ms=4000),),
)


def candidate(phrase: str, start: int, end: int, **changes: object) -> Candidate:
    values: dict[str, object] = {
        "kind": Kind.FORBIDDEN,
        "family": "F_off_duty",
        "phrase_id": "F1",
        "phrase": phrase,
        "channel": Channel.AGENT,
        "utterance": 0,
        "char_start": start,
        "char_end": end,
        "start_ms": 2400,
        "end_ms": 3400,
        "heard": HEARD.text[start:end],
        "score": 0.8,
        "by": "sound",
    }
    return Candidate(**(values | changes))  # type: ignore[arg-type]


def ask(tmp_path: Path, engine: ScriptedEngine, *candidates: Candidate) -> list[Reading | None]:
    return check(engine, record(tmp_path, line(10), line(10, seed=2)), SIDES, TALK, candidates)


def test_a_phrase_is_put_in_the_place_of_what_was_heard(tmp_path: Path) -> None:
    engine = ScriptedEngine(scores={"我要下班了": -0.4, "刀下班了": -1.9})
    [reading] = ask(tmp_path, engine, candidate("我要下班了", 2, 6))
    assert engine.asked[0] == [
        Claim("好的", "我要下班了", "再见"),
        Claim("好的", "刀下班了", "再见"),
    ]
    assert reading is not None
    assert (reading.phrase_logprob, reading.heard_logprob) == (-0.4, -1.9)
    assert reading.probability > 0.95


def test_a_phrase_is_asked_as_the_engine_would_write_it(tmp_path: Path) -> None:
    engine = ScriptedEngine(
        scores={"不知道问别人去吧": -1.6, "不知道,问别人去吧": -1.9, "刀下班了": -0.5}
    )
    [reading] = ask(tmp_path, engine, candidate("不知道，问别人去吧！", 2, 6))
    assert reading is not None
    assert reading.phrase_logprob == -1.6
    assert [claim.phrase for claim in engine.asked[0]] == [
        "不知道问别人去吧",
        "不知道,问别人去吧",
        "刀下班了",
    ]


def test_one_stretch_is_encoded_once_for_all_its_questions(tmp_path: Path) -> None:
    engine = ScriptedEngine(scores={"我要下班了": -0.4, "下班了": -0.5, "刀下班了": -1.9})
    readings = ask(tmp_path, engine, candidate("我要下班了", 2, 6), candidate("下班了", 2, 6))
    assert [len(claims) for claims in engine.asked] == [3]
    assert [r.phrase_logprob for r in readings if r] == [-0.4, -0.5]


def test_speech_without_text_is_asked_about_with_the_audio_around_it(tmp_path: Path) -> None:
    engine = ScriptedEngine(scores={"找谁": -0.6, "": 0.0})
    [reading] = ask(tmp_path, engine, candidate("找谁", 0, 0, utterance=-1, heard="", by="audio"))
    assert reading is not None
    assert reading.phrase_logprob == reading.heard_logprob == -0.6
    assert engine.lengths[0] >= 16 * (1000 + 2 * 1500)


def test_where_the_audio_has_nothing_to_add_it_is_not_asked(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    assert ask(
        tmp_path,
        engine,
        candidate("再见", 6, 8, kind=Kind.COURTESY, by="text"),
        candidate("推诿", 0, 8, by="meaning"),
    ) == [None, None]
    assert engine.asked == []


def test_courtesy_that_only_sounded_alike_is_asked(tmp_path: Path) -> None:
    engine = ScriptedEngine(scores={"您好": -0.3, "好的": -0.2})
    [reading] = ask(tmp_path, engine, candidate("您好", 0, 2, kind=Kind.COURTESY))
    assert reading is not None


@given(st.floats(-12, 0), st.floats(-12, 0))
def test_a_probability_is_one_and_rises_with_the_phrase(phrase: float, heard: float) -> None:
    curve = calibration()
    probability = curve.probability(phrase, heard)
    assert 0 <= probability <= 1
    assert curve.probability(min(0.0, phrase + 0.5), heard) >= probability


def test_a_phrase_far_behind_what_was_heard_was_not_said() -> None:
    # Measured on speech over A-law: said −0.7, not said −6 (docs/ears.md).
    assert calibration().probability(-0.7, -0.5) > 0.9
    assert calibration().probability(-6.0, -0.3) < 0.05


def test_the_curve_is_what_its_file_says() -> None:
    curve = Calibration(version="t", intercept=0.0, phrase=1.0, margin=0.0)
    assert curve.probability(0.0, 0.0) == pytest.approx(0.5)
