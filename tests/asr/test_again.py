"""A second reading: of which sound, what of it is kept, and what it leaves alone."""

from dataclasses import replace
from pathlib import Path

from asr.again import read_again
from calls.call import Channel
from calls.speech import Again, SpeechSpan, Transcript, Utterance
from tests.asr.scripted import ScriptedEngine, line, record

SIDES = (Channel.CALLER, Channel.AGENT)
ASKED = SpeechSpan(channel=Channel.CALLER, start_ms=1000, end_ms=1800)
TOLD = SpeechSpan(channel=Channel.AGENT, start_ms=2000, end_ms=4000)
TALK = Transcript(
    call_id="call-1",
    duration_ms=10_000,
    utterances=(Utterance(channel=Channel.AGENT, start_ms=2000, end_ms=4000, text="别忘我"),),
    speech=(ASKED, TOLD),
)


def read(
    folder: Path, engine: ScriptedEngine, talk: Transcript = TALK, *spans: SpeechSpan
) -> Transcript:
    return read_again(engine, record(folder, line(10), line(10, seed=2)), SIDES, talk, spans)


def test_the_likely_texts_of_a_stretch_are_kept_beside_its_own(tmp_path: Path) -> None:
    engine = ScriptedEngine(others=["別問我", "别问我", "别闻我"])
    told = read(tmp_path, engine, TALK, TOLD)
    assert told == replace(
        TALK,
        again=(
            Again(channel=Channel.AGENT, start_ms=2000, end_ms=4000, texts=("别问我", "别闻我")),
        ),
    )
    assert engine.lengths[0] in range(16 * 2800, 16 * 2900)


def test_what_nobody_can_have_said_is_left_out(tmp_path: Path) -> None:
    unsayable = ["", "even white here", "好" * 60, "别问我去" * 8, "。。。"]
    told = read(tmp_path, ScriptedEngine(others=[*unsayable[:4], "别问我"]), TALK, TOLD)
    assert told.again[0].texts == ("别问我",)
    none = read(tmp_path, ScriptedEngine(others=unsayable), TALK, TOLD)
    assert none.again[0].texts == ()


def test_a_stretch_is_read_again_only_once(tmp_path: Path) -> None:
    first = read(tmp_path, ScriptedEngine(others=["别问我"]), TALK, TOLD)
    engine = ScriptedEngine(others=["别问他"])
    both = read(tmp_path, engine, first, ASKED, TOLD)
    assert [again.texts for again in both.again] == [("别问我",), ("别问他",)]
    assert len(engine.lengths) == 1


def test_an_engine_that_cannot_tell_changes_nothing(tmp_path: Path) -> None:
    engine = ScriptedEngine(others=["别问我"], can_score=False)
    assert read(tmp_path, engine, TALK, TOLD) is TALK
    assert engine.lengths == []
