"""From recording to transcript around an engine that hears what it was told to."""

from pathlib import Path

import pytest

from asr.ears import transcribe
from asr.engine import Heard, Piece
from calls.call import Channel
from tests.asr.scripted import ScriptedEngine, at, line, record, speech

SIDES = (Channel.CALLER, Channel.AGENT)


def heard(*words: tuple[str, int, int], no_speech: float = 0.0) -> Heard:
    pieces = tuple(Piece(text, start, end, 0.9) for text, start, end in words)
    return Heard(pieces=pieces, log_probability=-0.1, no_speech=no_speech)


def test_words_come_back_to_their_place_in_the_call(tmp_path: Path) -> None:
    # One window for the caller, one for the agent with two clips in it.
    recording = record(
        tmp_path,
        at(12, (4, speech())),
        at(12, (1, speech()), (8, speech("bad/agent.wav", 7200, 9000))),
    )
    engine = ScriptedEngine(
        heard=[
            heard(("你", 500, 700), ("好", 700, 900)),
            heard(("您", 450, 600), ("好", 600, 800), ("再", 4100, 4300), ("見", 4300, 4500)),
        ]
    )
    transcript = transcribe(engine, "call-1", recording, SIDES)
    assert [(u.channel, u.text) for u in transcript.utterances] == [
        (Channel.AGENT, "您好"),
        (Channel.CALLER, "你好"),
        (Channel.AGENT, "再见"),
    ]
    for utterance, start_ms in zip(transcript.utterances, (1000, 4000, 8000), strict=True):
        first = utterance.words[0]
        assert abs(first.start_ms - start_ms) <= 500
        assert utterance.start_ms - 400 <= first.start_ms <= utterance.end_ms
        assert utterance.text[first.char_start : first.char_end] == utterance.text[0]
    assert transcript.duration_ms == 12_000
    assert (transcript.engine, transcript.model) == ("scripted 1", "none")
    assert transcript.sides_apart


def test_speech_without_text_stays_on_record(tmp_path: Path) -> None:
    recording = record(tmp_path, line(6), at(6, (1, speech())))
    transcript = transcribe(ScriptedEngine(), "call-1", recording, SIDES)
    assert transcript.utterances == ()
    assert [span.channel for span in transcript.speech] == [Channel.AGENT]


def test_speech_keeps_its_language_where_no_text_is_kept(tmp_path: Path) -> None:
    recording = record(tmp_path, line(6), at(6, (1, speech())))
    foreign = Heard((), log_probability=-2.0, language="ja", language_probability=0.9934)
    transcript = transcribe(ScriptedEngine(heard=[foreign]), "call-1", recording, SIDES)
    [span] = transcript.speech
    assert (transcript.utterances, span.language, span.language_probability) == ((), "ja", 0.993)


def test_silence_never_reaches_the_engine(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    progress: list[float] = []
    transcript = transcribe(
        engine,
        "call-1",
        record(tmp_path, line(60), line(60, seed=2)),
        SIDES,
        progress=progress.append,
    )
    assert (transcript.utterances, transcript.speech, engine.batches) == ((), (), [])


def test_an_invention_over_music_is_left_out(tmp_path: Path) -> None:
    recording = record(tmp_path, line(6), at(6, (1, speech())))
    engine = ScriptedEngine(heard=[heard(("谢谢观看", 400, 2000), no_speech=0.9)])
    assert transcribe(engine, "call-1", recording, SIDES).utterances == ()


def test_the_sites_words_are_the_prompt(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    recording = record(tmp_path, line(6), at(6, (1, speech())))
    transcribe(engine, "call-1", recording, SIDES, hotwords=("社保中心", "和平路"))
    assert engine.prompts == ["社保中心 和平路"]


@pytest.mark.parametrize("minutes", [2, 8])
def test_a_long_call_goes_in_small_batches(tmp_path: Path, minutes: int) -> None:
    talk = at(60 * minutes, *((n * 5 + 1.0, speech()) for n in range(12 * minutes)))
    engine = ScriptedEngine()
    shares: list[float] = []
    transcribe(
        engine,
        "call-1",
        record(tmp_path, line(60 * minutes, seed=3), talk),
        SIDES,
        progress=shares.append,
    )
    assert max(engine.batches) <= engine.batch_size
    assert max(engine.lengths) <= 30 * 16_000 + 16
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)
    # Windows are filled: 3.3 s a clip with its pads, at least six in thirty seconds.
    assert sum(engine.batches) <= 12 * minutes / 6


def test_the_windows_of_a_short_call_are_shared_by_the_lanes(tmp_path: Path) -> None:
    talk = at(80, *((n * 5 + 1.0, speech()) for n in range(15)))
    engine = ScriptedEngine(batch_size=8, lanes=2)
    transcribe(engine, "call-1", record(tmp_path, line(80), talk), SIDES)
    assert sorted(engine.batches) == [1, 2]


def test_a_mono_mix_is_one_side_and_says_so(tmp_path: Path) -> None:
    engine = ScriptedEngine(heard=[heard(("你", 500, 700), ("好", 700, 900))])
    transcript = transcribe(engine, "call-1", record(tmp_path, at(6, (1, speech()))), ())
    assert not transcript.sides_apart
    assert [u.channel for u in transcript.utterances] == [Channel.AGENT]
