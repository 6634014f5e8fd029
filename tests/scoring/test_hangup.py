"""挂断先征得同意: who hung up, consent in any order, every exemption, the veto."""

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from calls.call import (
    Call,
    Channel,
    EndedBy,
    EndReason,
    EventKind,
    LegEvent,
    SideQuality,
    Signalling,
)
from calls.hit import Status
from tests.scoring.scripted import (
    A,
    C,
    Judge,
    courtesy,
    make_call,
    make_transcript,
    utterance,
)

AGENT = make_call(ended_by=EndedBy.AGENT)
RULE = "hangup_consent"


@pytest.mark.parametrize(
    ("call", "status"),
    [
        (make_call(ended_by=EndedBy.CALLER), Status.PASS),
        (make_call(ended_by=EndedBy.UNKNOWN), Status.NA),
        (make_call(ended_by=EndedBy.NETWORK), Status.NA),
        (make_call(ended_by=EndedBy.AGENT, end_reason=EndReason.LOST), Status.NA),
        (make_call(ended_by=EndedBy.AGENT, complete=False), Status.NA),
        (AGENT, Status.FAIL),
    ],
)
def test_the_side_that_hung_up(judge: Judge, call: Call, status: Status) -> None:
    transcript = make_transcript((A, 50, 52, "您带上身份证去办"))
    assert judge(RULE, call, transcript).status is status


def test_a_caller_who_hung_up_passes_without_a_recording_too(judge: Judge) -> None:
    assert judge(RULE, make_call()).status is Status.PASS
    assert judge(RULE, AGENT).status is Status.NA


def test_signalling_that_nobody_saw_is_na(judge: Judge) -> None:
    call = dataclasses.replace(AGENT, signalling=Signalling.NONE)
    assert judge(RULE, call, make_transcript((A, 50, 52, "好"))).status is Status.NA


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([(A, 50, 52, "请问还有其他需要帮助的吗"), (C, 53, 54, "没有了")], Status.PASS),
        ([(A, 50, 52, "那我先挂了可以吗"), (C, 53, 54, "好的好的")], Status.PASS),
        ([(A, 50, 52, "那我先挂了可以吗"), (C, 53, 54, "嗯")], Status.PASS),
        ([(A, 50, 52, "那我先挂了可以吗"), (C, 53, 54, "行，谢谢您")], Status.PASS),
        ([(C, 50, 52, "没别的事了，再见")], Status.PASS),
        ([(C, 50, 52, "那就这样吧"), (A, 53, 54, "再见")], Status.PASS),
        ([(C, 50, 54, "行那我就按你说的去窗口办理谢谢你啊再见")], Status.PASS),
        ([(A, 50, 52, "那我先挂了可以吗")], Status.FAIL),
        ([(A, 50, 52, "那我先挂了可以吗"), (C, 53, 54, "不行")], Status.FAIL),
        ([(A, 50, 52, "那我先挂了可以吗"), (C, 53, 54, "号的")], Status.REVIEW),
        ([(A, 50, 52, "还有其他问题吗"), (C, 53, 55, "等等，我还有一个事")], Status.FAIL),
        ([(A, 50, 52, "还有其他问题吗"), (C, 53, 55, "上回他们说可以的那个证明呢")], Status.FAIL),
        ([(C, 50, 51, "那就这样吧"), (C, 52, 54, "等一下我还没说完呢")], Status.FAIL),
        ([(A, 50, 52, "带上身份证就行")], Status.FAIL),
        ([(C, 50, 52, "好的谢谢")], Status.REVIEW),
    ],
)
def test_consent_in_any_order(judge: Judge, lines: list[Any], status: Status) -> None:
    assert judge(RULE, AGENT, make_transcript(*lines)).status is status


def test_an_objection_that_was_settled_is_settled(judge: Judge) -> None:
    transcript = make_transcript(
        (A, 46, 48, "请问还有其他问题吗"),
        (C, 48.5, 50, "等一下，要带照片吗"),
        (A, 51, 52, "要带两张"),
        (C, 53, 54, "好的"),
    )
    assert judge(RULE, AGENT, transcript).status is Status.PASS


@pytest.mark.parametrize(
    ("asked", "status"), [(45.0, Status.PASS), (44.999, Status.FAIL), (30.0, Status.FAIL)]
)
def test_request_and_assent_lie_in_the_last_fifteen_seconds(
    judge: Judge, asked: float, status: Status
) -> None:
    transcript = make_transcript((A, asked - 2, asked, "还有别的问题吗"), (C, 46, 47, "好"))
    assert judge(RULE, AGENT, transcript).status is status


def test_hits_serve_as_request_and_assent(judge: Judge) -> None:
    transcript = make_transcript((A, 50, 52, "您看咱们今儿就到这儿行吧"), (C, 53, 54, "成嘞"))
    hits = (
        courtesy("hangup_consent", 50, 52, "您看咱们今天就先到这里"),
        courtesy("assent", 53, 54, "成", channel=C),
    )
    assert judge(RULE, AGENT, transcript, *hits).status is Status.PASS


@pytest.mark.parametrize(
    "lines",
    [
        [utterance((A, 50, 52, "那个天气"), log_probability=-1.4)],
        [(A, 50, 52, "那我先挂了可以吗"), (C, 53, 54, "")],
        [(A, 50, 52, "那我先挂了可以吗"), utterance((C, 53, 54, "号"), log_probability=-1.4)],
    ],
)
def test_doubt_is_a_review(judge: Judge, lines: list[Any]) -> None:
    assert judge(RULE, AGENT, make_transcript(*lines)).status is Status.REVIEW


def test_an_unsure_request_is_a_review(judge: Judge) -> None:
    transcript = make_transcript((A, 50, 52, "那我先瓜了"))
    hit = courtesy("hangup_consent", 50, 52, "那我先瓜了", status=Status.REVIEW)
    assert judge(RULE, AGENT, transcript, hit).status is Status.REVIEW


@pytest.mark.parametrize(
    ("text", "end", "status", "veto"),
    [
        ("我还没说完呢你听我把这个事", 60.0, Status.FAIL, "pending"),
        ("我还没说完呢你听我把这个事", 59.7, Status.FAIL, "pending"),
        ("我还没说完呢你听我把这个事", 59.6, Status.FAIL, None),
        ("可是他们上次说可以给我办的", 60.0, Status.FAIL, "pending"),
        ("好的谢谢您再见", 60.0, Status.PASS, None),
        ("", 60.0, Status.REVIEW, None),
    ],
)
def test_hanging_up_while_the_caller_speaks_is_a_veto(
    judge: Judge, text: str, end: float, status: Status, veto: str | None
) -> None:
    item = judge(RULE, AGENT, make_transcript((A, 40, 42, "好"), (C, 57, end, text)))
    assert (item.status, item.veto) == (status, veto)


def test_a_short_sound_of_the_caller_is_no_speech_cut_off(judge: Judge) -> None:
    transcript = make_transcript((C, 50, 51, "没别的事了"), (C, 59.5, 60, ""))
    assert judge(RULE, AGENT, transcript).status is Status.PASS


def test_unclear_words_at_the_bye_are_a_review_and_no_veto(judge: Judge) -> None:
    said = utterance((C, 57, 60, "电视机里的声音"), log_probability=-1.6)
    item = judge(RULE, AGENT, make_transcript(said))
    assert (item.status, item.veto) == (Status.REVIEW, None)


def test_exempt_silent_line_after_the_script(judge: Judge) -> None:
    transcript = make_transcript(
        (A, 1, 2, "您好，请讲"), (A, 8, 13, "对不起，您的电话没有声音，请您换一部电话再打来")
    )
    item = judge(RULE, AGENT, transcript)
    assert item.status is Status.PASS
    assert "无声" in item.explanation


def test_a_silent_line_without_the_script_is_not_exempt(judge: Judge) -> None:
    assert judge(RULE, AGENT, make_transcript((A, 1, 2, "您好，请讲"))).status is Status.FAIL


def test_the_script_does_not_help_when_the_caller_spoke(judge: Judge) -> None:
    transcript = make_transcript(
        (C, 3, 5, "我想问一下社保"), (A, 8, 13, "您的电话没有声音，请您换一部电话再打来")
    )
    assert judge(RULE, AGENT, transcript).status is Status.FAIL


@pytest.mark.parametrize(("warnings", "status"), [(1, Status.FAIL), (2, Status.PASS)])
def test_exempt_after_two_civility_warnings(judge: Judge, warnings: int, status: Status) -> None:
    lines: list[Any] = [(C, 2, 5, "你们都是废物")]
    lines += [(A, 10 + 10 * n, 12 + 10 * n, "请您文明用语") for n in range(warnings)]
    lines += [(C, 57, 60, "你们就是一群废物")]
    assert judge(RULE, AGENT, make_transcript(*lines)).status is status


def test_one_warning_in_many_words_is_one(judge: Judge) -> None:
    transcript = make_transcript(
        (A, 10, 16, "请文明用语，您如果继续使用不文明用语，我将结束通话"), (C, 40, 42, "废物")
    )
    assert judge(RULE, AGENT, transcript).status is Status.FAIL


@pytest.mark.parametrize("way", ["mono", "line"])
def test_mono_and_bad_lines_never_accuse_nor_veto(judge: Judge, way: str) -> None:
    lines = [(A, 40, 42, "好"), (C, 57, 60.0, "我还没说完呢你听我把这个事")]
    quality = (SideQuality(channel=C, mos=1.9),) if way == "line" else ()
    call = make_call(ended_by=EndedBy.AGENT, quality=quality)
    transcript = make_transcript(*lines, apart=way != "mono")
    item = judge(RULE, call, transcript)
    assert (item.status, item.veto) == (Status.REVIEW, None)


@pytest.mark.parametrize(
    ("before_end", "leg", "status"),
    [(1, A, Status.NA), (15, A, Status.NA), (16, A, Status.FAIL), (1, C, Status.FAIL)],
)
@pytest.mark.parametrize("rule", [RULE, "farewell"])
def test_a_transfer_is_neither_a_hang_up_nor_a_farewell(
    judge: Judge, rule: str, before_end: int, leg: Channel, status: Status
) -> None:
    refer = LegEvent(
        at=AGENT.ended_at - timedelta(seconds=before_end),
        monotonic_ms=0,
        leg=leg,
        kind=EventKind.REFER,
    )
    call = dataclasses.replace(AGENT, events=(refer,))
    assert judge(rule, call, make_transcript((A, 50, 52, "马上就好"))).status is status
