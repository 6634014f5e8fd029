"""A call heard while it goes on: what is closed, what waits, and that nothing is heard twice."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from asr.draft import Draft, HeardSpan
from asr.ears import overhear, transcribe
from asr.lanes import in_lanes
from calls.call import Channel
from calls.speech import SpeechSpan, Utterance
from tests.asr.scripted import ScriptedEngine, at, line, record, speech
from tests.asr.test_ears import SIDES, heard

WORDS = heard(("您", 600, 800), ("好", 800, 1000))


def span(start_ms: int, end_ms: int, channel: Channel = Channel.AGENT) -> SpeechSpan:
    return SpeechSpan(channel=channel, start_ms=start_ms, end_ms=end_ms)


def draft(*spans: SpeechSpan) -> Draft:
    return Draft(
        engine="scripted 1",
        model="none",
        heard=tuple(
            HeardSpan(
                span=each,
                utterance=Utterance(
                    channel=each.channel, start_ms=each.start_ms, end_ms=each.end_ms, text="您好"
                ),
            )
            for each in spans
        ),
    )


@pytest.mark.parametrize(
    ("asked", "known"),
    [
        (span(1000, 3000), True),
        (span(1090, 2910), True),
        (span(1091, 3000), False),
        (span(1000, 3091), False),
        (span(1000, 3000, Channel.CALLER), False),
    ],
)
def test_a_stretch_is_the_same_within_three_frames(asked: SpeechSpan, known: bool) -> None:
    found = draft(span(1000, 3000)).find(asked)
    assert (found is not None) == known
    if found is not None:
        assert found.utterance is not None
        assert (found.utterance.start_ms, found.utterance.end_ms) == (asked.start_ms, asked.end_ms)


def test_speech_counts_when_a_pause_has_closed_it(tmp_path: Path) -> None:
    # The second stretch runs into the end: it may go on.
    tail = record(tmp_path, line(15), at(15, (1, speech()), (12.2, speech())))
    engine = ScriptedEngine(heard=[WORDS])
    found = overhear(engine, Draft(), tail, SIDES)
    [only] = found.heard
    assert abs(only.span.start_ms - 1000) <= 200
    assert [u.text for u in found.utterances] == ["您好"]
    assert (found.engine, found.model) == ("scripted 1", "none")


def test_little_speech_waits_for_more_and_not_for_ever(tmp_path: Path) -> None:
    engine = ScriptedEngine(heard=[WORDS])
    early = record(tmp_path, line(6), at(6, (1, speech())))
    nothing = overhear(engine, Draft(), early, SIDES)
    assert (nothing.heard, engine.batches) == ((), [])
    late = record(tmp_path, line(14), at(14, (1, speech())))
    assert len(overhear(engine, nothing, late, SIDES).heard) == 1


def test_a_tails_words_have_the_calls_times(tmp_path: Path) -> None:
    tail = record(tmp_path, line(15), at(15, (2, speech())))
    found = overhear(ScriptedEngine(heard=[WORDS]), Draft(), tail, SIDES, start_ms=60_000)
    [utterance] = found.utterances
    assert 61_800 <= utterance.start_ms <= 62_200
    assert all(utterance.start_ms - 200 <= w.start_ms <= utterance.end_ms for w in utterance.words)


def test_nothing_is_heard_twice(tmp_path: Path) -> None:
    recording = record(tmp_path, line(20), at(20, (1, speech()), (8, speech())))
    engine = ScriptedEngine(heard=[WORDS, WORDS])
    known = overhear(engine, Draft(), recording, SIDES)
    assert len(known.heard) == 2
    assert overhear(engine, known, recording, SIDES) is known
    asked = sum(engine.batches)
    transcript = transcribe(engine, "call-1", recording, SIDES, draft=known)
    assert sum(engine.batches) == asked
    assert transcript.utterances == known.utterances
    assert len(transcript.speech) == 2


def test_a_long_hold_is_read_once(tmp_path: Path) -> None:
    engine = ScriptedEngine(heard=[WORDS])
    spoken = record(tmp_path, line(20), at(20, (1, speech()), (18, speech())))
    known = overhear(engine, Draft(), spoken, SIDES)
    # The last stretch runs into the end: it is not settled.
    assert 17_500 <= known.settled_ms <= 18_100
    silent = record(tmp_path, line(70), line(70))
    held = overhear(engine, known, silent, SIDES, start_ms=known.settled_ms + 5_000)
    assert held.settled_ms == known.settled_ms + 75_000
    assert held.heard == known.heard
    shorter = record(tmp_path, line(20), line(20))
    assert overhear(engine, held, shorter, SIDES, start_ms=held.settled_ms) is held


def test_a_call_with_a_draft_hears_only_the_rest(tmp_path: Path) -> None:
    recording = record(tmp_path, line(20), at(20, (1, speech()), (8, speech())))
    whole = transcribe(ScriptedEngine(), "call-1", recording, SIDES)
    first, second = whole.speech
    engine = ScriptedEngine(heard=[WORDS])
    transcript = transcribe(engine, "call-1", recording, SIDES, draft=draft(first))
    assert sum(engine.batches) == 1
    assert engine.lengths[0] < 4 * 16_000
    assert [u.start_ms for u in transcript.utterances] == [first.start_ms, second.start_ms]


@pytest.mark.parametrize(
    "other", [Draft(engine="scripted 2", model="none"), Draft(engine="scripted 1", model="other")]
)
def test_another_engines_draft_is_not_believed(tmp_path: Path, other: Draft) -> None:
    recording = record(tmp_path, line(6), at(6, (1, speech())))
    [only] = transcribe(ScriptedEngine(), "call-1", recording, SIDES).speech
    engine = ScriptedEngine(heard=[WORDS])
    transcribe(engine, "call-1", recording, SIDES, draft=replace(other, heard=draft(only).heard))
    assert engine.batches == [1]


def test_lanes_keep_the_order_and_draw_no_more_than_they_need() -> None:
    drawn: list[int] = []

    def items() -> Iterator[int]:
        for n in range(9):
            drawn.append(n)
            yield n

    results = in_lanes(2, lambda n: n * n, items())
    assert next(results) == 0
    assert len(drawn) == 3
    assert list(results) == [n * n for n in range(1, 9)]


def test_a_lanes_error_comes_in_its_place() -> None:
    results = in_lanes(2, lambda n: 6 // n, [3, 2, 0, 1])
    assert [next(results), next(results)] == [2, 3]
    with pytest.raises(ZeroDivisionError):
        next(results)
