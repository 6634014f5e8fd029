"""The whole scorecard: its sum, its order, switched-off rules, and what must always hold."""

import dataclasses
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calls.call import (
    Call,
    Channel,
    EndedBy,
    EndReason,
    Hold,
    SideQuality,
    Signalling,
)
from calls.codec import from_json, to_json
from calls.hit import Candidate, Hit, Kind, Severity, Status
from calls.scorecard import Item, Scorecard
from calls.speech import SpeechSpan, Transcript, Utterance, Word
from scoring import rules as rules_file
from scoring.judge import RULES, score, total
from tests.scoring.scripted import (
    INVITED,
    VERSIONS,
    A,
    C,
    make_call,
    make_hit,
    make_transcript,
)

GOOD = make_transcript(
    (A, 0.8, 3, "您好，天津便民专线，请问有什么可以帮您"),
    (C, 3.5, 7, "我想问一下公积金怎么提取"),
    (A, 8, 12, "请您稍等，我帮您查一下，好吗"),
    (C, 12.2, 12.8, "好的"),
    (A, 36, 42, "让您久等了，您可以到公积金中心办理，请带上身份证"),
    (C, 42.5, 44, "好的明白了"),
    (A, 45, 48, "请问还有其他需要帮助的吗"),
    (C, 48.5, 50, "没有了，谢谢"),
    (A, 51, 53, "感谢您的来电，再见"),
    length=55,
)
BOOK = rules_file.load()


def item(status: Status, earned: float, weight: float) -> Item:
    return Item(rule="r", status=status, earned=earned, weight=weight, clause="c")


@pytest.mark.parametrize(
    ("items", "score_"),
    [
        ([], None),
        ([item(Status.NA, 0, 10)], None),
        ([item(Status.PASS, 10, 10), item(Status.NA, 0, 90)], 100.0),
        ([item(Status.PASS, 10, 10), item(Status.FAIL, 0, 20)], 33.3),
        ([item(Status.REVIEW, 5, 5), item(Status.FAIL, 0, 5)], 50.0),
        ([item(Status.PASS, 0, 0)], None),
    ],
)
def test_the_score_is_earned_by_applicable(items: list[Item], score_: float | None) -> None:
    assert total(items) == score_


def test_a_good_call_scores_full_marks_with_every_rule_heard(card: Any) -> None:
    made: Scorecard = card(make_call(ended_by=EndedBy.AGENT, length=55), GOOD)
    assert made.score == 100.0
    assert tuple(i.rule for i in made.items) == RULES
    assert {i.status for i in made.items} == {Status.PASS}
    assert all(i.explanation.endswith("。") and i.clause for i in made.items)
    assert made.versions == VERSIONS


def test_a_scorecard_survives_the_codec(card: Any) -> None:
    made = card(make_call(), GOOD, make_hit("L_insult", 40, 41, "闭嘴"))
    assert from_json(to_json(made), Scorecard) == made


def test_a_rule_that_is_switched_off_leaves_the_score(
    card: Any, edited: Callable[..., Path]
) -> None:
    rules = rules_file.load(edited(("[three_rings]\non = true", "[three_rings]\non = false")))
    made = card(make_call(ring=30), GOOD, rules=rules)
    assert made.items[0].status is Status.NA
    assert made.items[0].explanation == "此项规则已停用。"
    assert made.score == 100.0


def test_coaching_figures(card: Any) -> None:
    quiet = SpeechSpan(channel=A, start_ms=0, end_ms=6000, level_dbfs=-30.0)
    loud = SpeechSpan(channel=A, start_ms=10_000, end_ms=16_000, level_dbfs=-19.0)
    caller = SpeechSpan(channel=C, start_ms=12_000, end_ms=18_000, level_dbfs=-20.0)
    said = Utterance(channel=A, start_ms=0, end_ms=6000, text="您好，" + "这" * 28)
    transcript = Transcript(
        call_id="call-1", duration_ms=60_000, utterances=(said,), speech=(quiet, loud, caller)
    )
    assert card(make_call(), transcript).coaching == {
        "chars_per_minute": 150.0,
        "loudness_jumps": 1.0,
        "talk_share": 0.667,
        "longest_silence_s": 42.0,
        "overlap_s": 4.0,
    }
    assert card(make_call()).coaching is None


TEXTS = (
    "您好",
    "喂，什么事",
    "好的",
    "嗯",
    "请稍等",
    "不归我管",
    "不行",
    "为什么",
    "再见",
    "还有其他问题吗",
    "没有了",
    "等一下",
    "是人社局负责",
    "请文明用语",
    "，。",
    "",
    "A1 2345678",
)
FAMILIES = ("greeting", "assent", "C_not_my_job", "L_insult", "farewell", "dissent", "无")
ms = st.integers(0, 90_000)
channel = st.sampled_from(Channel)


@st.composite
def utterances(draw: st.DrawFn) -> Utterance:
    text = draw(st.sampled_from(TEXTS) | st.text(max_size=12))
    word = Word(
        start_ms=draw(ms),
        end_ms=draw(ms),
        char_start=draw(st.integers(0, 5)),
        char_end=draw(st.integers(0, 14)),
        probability=draw(st.floats(0, 1)),
    )
    return Utterance(
        channel=draw(channel),
        start_ms=draw(ms),
        end_ms=draw(ms),
        text=text,
        words=(word,) if draw(st.booleans()) else (),
        log_probability=draw(st.floats(-8, 0)),
        language=draw(st.sampled_from(["zh", "yue", ""])),
        language_probability=draw(st.floats(0, 1)),
    )


@st.composite
def transcripts(draw: st.DrawFn) -> Transcript | None:
    if draw(st.integers(0, 9)) == 0:
        return None
    spans = draw(
        st.lists(
            st.builds(
                SpeechSpan,
                channel=channel,
                start_ms=ms,
                end_ms=ms,
                level_dbfs=st.floats(-90, 0),
            ),
            max_size=6,
        )
    )
    return Transcript(
        call_id="call-1",
        duration_ms=draw(ms),
        utterances=tuple(draw(st.lists(utterances(), max_size=8))),
        speech=tuple(spans),
        sides_apart=draw(st.booleans()),
    )


@st.composite
def hits(draw: st.DrawFn) -> Hit:
    return Hit(
        candidate=Candidate(
            kind=draw(st.sampled_from(Kind)),
            family=draw(st.sampled_from(FAMILIES)),
            phrase_id="F1",
            phrase=draw(st.sampled_from(TEXTS)),
            severity=draw(st.sampled_from(Severity)),
            channel=draw(channel),
            utterance=draw(st.integers(-1, 20)),
            char_start=draw(st.integers(0, 9)),
            char_end=draw(st.integers(0, 9)),
            start_ms=draw(ms),
            end_ms=draw(ms),
            heard=draw(st.sampled_from(TEXTS)),
            score=draw(st.floats(0, 1)),
        ),
        status=draw(st.sampled_from(Status)),
        confidence=draw(st.floats(0, 1)),
    )


@st.composite
def any_calls(draw: st.DrawFn) -> Call:
    base = make_call(
        ring=draw(st.none() | st.floats(0, 60)),
        length=draw(st.floats(0, 90)),
        ended_by=draw(st.sampled_from(EndedBy)),
        end_reason=draw(st.sampled_from(EndReason)),
        answered=draw(st.booleans()),
        complete=draw(st.booleans()),
        holds=tuple(
            draw(
                st.lists(
                    st.builds(Hold, start_ms=ms, end_ms=ms, by=channel),
                    max_size=3,
                )
            )
        ),
        quality=tuple(
            draw(
                st.lists(
                    st.builds(
                        SideQuality,
                        channel=channel,
                        packets=st.integers(0, 9),
                        lost=st.integers(0, 9),
                        mos=st.none() | st.floats(1, 4.5),
                        one_way=st.booleans(),
                    ),
                    max_size=2,
                )
            )
        ),
    )
    # A tap's clocks may step: an end before the invitation must not stop the judge.
    if draw(st.integers(0, 9)) == 0:
        base = dataclasses.replace(base, ended_at=INVITED, invited_at=base.ended_at)
    signalling = draw(st.none() | st.sampled_from(Signalling))
    return dataclasses.replace(base, signalling=signalling)


@settings(max_examples=300)
@given(any_calls(), transcripts(), st.lists(hits(), max_size=6))
def test_no_input_makes_a_rule_raise_and_scores_stay_in_bounds(
    call: Call, transcript: Transcript | None, found: list[Hit]
) -> None:
    made = score(call, transcript, found, BOOK, VERSIONS)
    applicable = [i for i in made.items if i.status is not Status.NA]
    assert (made.score is None) == (not applicable)
    assert made.score is None or 0 <= made.score <= 100
    for judged in made.items:
        assert 0 <= judged.earned <= judged.weight
        assert judged.veto is None or judged.status is Status.FAIL
        assert judged.rule != "mandarin" or judged.status is not Status.FAIL
    assert score(call, transcript, found, BOOK, VERSIONS) == made


@settings(max_examples=200)
@given(any_calls(), transcripts(), st.lists(hits(), max_size=6), st.sampled_from(["mono", "line"]))
def test_a_mono_recording_or_a_bad_line_accuses_nobody(
    call: Call, transcript: Transcript | None, found: list[Hit], way: str
) -> None:
    if way == "mono" and transcript is not None:
        transcript = dataclasses.replace(transcript, sides_apart=False)
    elif way == "line":
        bad = tuple(SideQuality(channel=side, mos=1.0) for side in Channel)
        call = dataclasses.replace(call, quality=bad)
    made = score(call, transcript, found, BOOK, VERSIONS)
    assert accused(made) <= {"three_rings"}
    assert all(item.veto is None for item in made.items)


@settings(max_examples=100)
@given(any_calls(), st.lists(hits(), max_size=6))
def test_what_was_not_heard_is_judged_by_the_signalling_alone(call: Call, found: list[Hit]) -> None:
    made = score(call, None, found, BOOK, VERSIONS)
    judged = {item.rule for item in made.items if item.status is not Status.NA}
    assert judged <= {"three_rings", "hangup_consent"}
    assert accused(made) <= {"three_rings"}
    assert made.findings == ()


HARMLESS = ("好的", "明白", "对的", "是的")


def accused(card_: Scorecard) -> set[str]:
    return {i.rule for i in card_.items if i.status is Status.FAIL}


SCENES: tuple[tuple[Call, Transcript, tuple[Hit, ...]], ...] = (
    (make_call(ended_by=EndedBy.AGENT, length=55), GOOD, ()),
    (
        make_call(ended_by=EndedBy.CALLER, length=80),
        make_transcript(
            (A, 1, 3, "您好，便民专线"),
            (C, 4, 8, "路灯坏了归谁管啊"),
            (A, 9, 11, "这个不归我管"),
            (C, 12, 14, "那我找谁"),
            (A, 17, 19, "您稍等"),
            (C, 20, 21, "行"),
            (A, 46, 49, "久等了，是城管委，我给您登记"),
            (C, 55, 58, "谢谢"),
            (A, 70, 72, "再见"),
            length=80,
        ),
        (make_hit("C_not_my_job", 9, 11, "不归我管"),),
    ),
)


def _free_places(transcript: Transcript) -> list[tuple[int, int]]:
    """Silent times between the first and the last word, well clear of both sides."""
    busy = sorted((u.start_ms, u.end_ms) for u in transcript.utterances)
    return [(a[1] + 600, b[0] - 600) for a, b in pairwise(busy) if b[0] - a[1] >= 2000]


@settings(max_examples=200)
@given(st.data())
def test_harmless_speech_never_adds_a_violation(data: st.DataObject) -> None:
    call, transcript, found = data.draw(st.sampled_from(SCENES))
    start, end = data.draw(st.sampled_from(_free_places(transcript)))
    at = data.draw(st.integers(start, end - 500))
    extra = Utterance(
        channel=data.draw(channel),
        start_ms=at,
        end_ms=at + 500,
        text=data.draw(st.sampled_from(HARMLESS)),
    )
    more = dataclasses.replace(
        transcript,
        utterances=tuple(sorted((*transcript.utterances, extra), key=lambda u: u.start_ms)),
        speech=(
            *transcript.speech,
            SpeechSpan(channel=extra.channel, start_ms=at, end_ms=at + 500),
        ),
    )
    before = accused(score(call, transcript, found, BOOK, VERSIONS))
    after = accused(score(call, more, found, BOOK, VERSIONS))
    assert after <= before
