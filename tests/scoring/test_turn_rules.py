"""Rules on what follows what: answers, requests, shirking, refusals, interruptions, language."""

from typing import Any

import pytest

from calls.call import EndedBy, Hold
from calls.hit import Status
from calls.speech import SpeechSpan
from tests.scoring.scripted import (
    A,
    C,
    Judge,
    courtesy,
    make_call,
    make_hit,
    make_transcript,
    utterance,
)

CALL = make_call()


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([(C, 5, 7, "低保在哪儿申请？"), (A, 8, 10, "在街道办事处")], Status.PASS),
        ([(C, 5, 7, "低保在哪儿申请"), (A, 15, 17, "在街道办事处")], Status.PASS),
        ([(C, 5, 7, "低保在哪儿申请"), (A, 15.001, 17, "在街道办事处")], Status.FAIL),
        ([(C, 5, 7, "低保在哪儿申请"), (A, 14, 15, ""), (A, 20, 22, "在街道")], Status.PASS),
        ([(C, 5, 7, "我反映个情况"), (A, 20, 22, "您说")], Status.NA),
        (
            [(C, 5, 7, "在哪办呢"), (C, 8, 20, "我去年也办过这个事"), (A, 21, 22, "在街")],
            Status.PASS,
        ),
        ([(C, 5, 7, "在哪办呢"), (C, 16, 20, "喂"), (A, 21, 22, "在街道")], Status.FAIL),
        ([(C, 5, 7, "在哪儿办啊"), (A, 7.5, 8, "哦"), (C, 12, 14, "在哪儿办呢")], Status.FAIL),
        ([(C, 5, 7, "在哪儿办啊"), (A, 7.5, 8, "嗯"), (C, 9, 14, "我是河西的")], Status.PASS),
        ([(C, 5, 7, "在哪儿办啊"), (A, 7.5, 8, "嗯"), (C, 12, 14, "我是河西的")], Status.PASS),
        ([(C, 50, 52, "在哪儿办啊"), (A, 52.5, 53, "哦")], Status.FAIL),
        ([(C, 5, 7, "在哪儿办啊"), (A, 7.5, 8, "嗯"), (A, 9, 11, "在街道")], Status.PASS),
        ([utterance((C, 5, 7, "哪儿"), log_probability=-2.0)], Status.NA),
    ],
)
def test_answers_questions(judge: Judge, lines: list[Any], status: Status) -> None:
    assert judge("answers_questions", CALL, make_transcript(*lines)).status is status


def test_a_bare_sound_that_is_unclear_is_a_review(judge: Judge) -> None:
    transcript = make_transcript(
        (C, 5, 7, "在哪儿办啊"),
        utterance((A, 7.5, 8, "哦"), log_probability=-2.0),
        (C, 12, 14, "在哪儿办呢"),
        (A, 14.5, 16, "在街道办事处"),
    )
    assert judge("answers_questions", CALL, transcript).status is Status.REVIEW


def test_silence_within_a_sip_hold_is_the_hold_rules_matter(judge: Judge) -> None:
    call = make_call(holds=(Hold(start_ms=8_000, end_ms=40_000, by=A),))
    transcript = make_transcript((C, 5, 7, "在哪儿办啊"), (A, 41, 43, "在街道办事处"))
    assert judge("answers_questions", call, transcript).status is Status.PASS


def test_a_mono_mix_cannot_tell_who_was_silent(judge: Judge) -> None:
    transcript = make_transcript((C, 5, 7, "在哪儿办啊"), (A, 30, 32, "在街道"), apart=False)
    assert judge("answers_questions", CALL, transcript).status is Status.NA


@pytest.mark.parametrize(
    ("texts", "status"),
    [
        (["请您说一下地址", "麻烦您留一下电话"], Status.PASS),
        (["说一下地址", "麻烦您留一下电话"], Status.PASS),
        (["说一下地址", "留一下电话", "请稍等"], Status.FAIL),
        (["说一下地址", "留一下电话"], Status.FAIL),
        (["请您说一下地址"], Status.NA),
        ([], Status.NA),
        (["申请表提供一下", "核对一下"], Status.FAIL),
        (["我核对一下", "您说得对"], Status.NA),
        (["让您稍等了", "说一下地址"], Status.NA),
        (["您说一下地址", "您留一下电话"], Status.REVIEW),
        (["您说一下地址", "留一下电话", "核对一下"], Status.FAIL),
    ],
)
def test_please_first(judge: Judge, texts: list[str], status: Status) -> None:
    lines: list[Any] = [(A, 5.0 * n, 5.0 * n + 2, text) for n, text in enumerate(texts)]
    assert judge("please_first", CALL, make_transcript(*lines)).status is status


@pytest.mark.parametrize(("pause", "status"), [(1.5, Status.NA), (1.501, Status.FAIL)])
def test_what_is_said_in_one_breath_is_one_request(
    judge: Judge, pause: float, status: Status
) -> None:
    lines = ((A, 5, 7, "说一下地址"), (A, 7 + pause, 10, "留一下电话"))
    assert judge("please_first", CALL, make_transcript(*lines)).status is status


def test_a_polite_end_makes_the_whole_request_polite(judge: Judge) -> None:
    lines = ((A, 5, 6, "稍等"), (A, 7, 9, "我帮您查一下可以吗"), (A, 20, 22, "麻烦您说一下地址"))
    assert judge("please_first", CALL, make_transcript(*lines)).status is Status.PASS


def test_please_heard_by_the_phrasebook_counts_and_unclear_requests_do_not(judge: Judge) -> None:
    blurred = utterance((A, 10, 12, "清您留一下电话"), log_probability=-1.4)
    lines = ((A, 5, 7, "说一下地址"), blurred, (A, 20, 22, "核对一下"))
    assert judge("please_first", CALL, make_transcript(*lines)).status is Status.FAIL
    hits = (courtesy("please", 10, 10.3, "请"), courtesy("please", 20, 20.3, "请"))
    assert judge("please_first", CALL, make_transcript(*lines), *hits).status is Status.PASS


NO = "这个不归我管"


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([(A, 5, 7, NO)], Status.FAIL),
        ([(A, 5, 7, f"{NO}，是人社局负责")], Status.PASS),
        ([(A, 5, 7, f"人社局负责，{NO}")], Status.PASS),
        ([(A, 5, 7, NO), (C, 8, 9, "那归谁管呢"), (A, 10, 12, "您打12333")], Status.PASS),
        ([(A, 5, 7, NO), (C, 8, 9, "那怎么办"), (A, 10, 12, "我给您登记派单")], Status.PASS),
        ([(A, 5, 7, NO), (C, 8, 9, "那怎么办"), (A, 10, 12, "我给您转过去")], Status.PASS),
        (
            [
                (A, 5, 7, NO),
                (C, 8, 9, "那找谁"),
                (A, 10, 12, "这个真不清楚"),
                (C, 13, 14, "你帮我问问吧"),
                (A, 15, 17, "是区住建委"),
            ],
            Status.PASS,
        ),
        (
            [
                (A, 5, 7, NO),
                (C, 8, 9, "那找谁"),
                (A, 10, 12, "这个真不清楚"),
                (C, 13, 14, "你帮我问问吧"),
                (A, 15, 17, "问不了"),
                (C, 18, 20, "唉我都跑三趟了"),
                (A, 21, 23, "那是区住建委"),
            ],
            Status.FAIL,
        ),
        (
            [
                (A, 5, 7, NO),
                (C, 8, 9, "那找谁"),
                (A, 9.2, 9.6, "嗯"),
                (C, 9.8, 12, "总得有人管吧"),
                (A, 12.2, 12.6, "好的"),
                (C, 13, 14, "你说"),
                (A, 15, 17, "是区住建委"),
            ],
            Status.PASS,
        ),
        ([(A, 5, 7, "您刚才说窗口跟您讲不归我管")], Status.REVIEW),
        ([(A, 5, 7, "您不用找别人，我给您办")], Status.PASS),
        ([(C, 5, 7, "他们说不归我管")], Status.PASS),
        ([utterance((A, 5, 7, NO), log_probability=-1.4)], Status.REVIEW),
        (
            [(A, 5, 7, NO), (C, 8, 9, "那找谁"), (A, 10, 12, ""), (A, 12.1, 13, "啊这")],
            Status.REVIEW,
        ),
        ([(A, 5, 7, "您好请讲")], Status.PASS),
    ],
)
def test_shirking(judge: Judge, lines: list[Any], status: Status) -> None:
    item = judge("shirking", CALL, make_transcript(*lines))
    assert item.status is status, item.explanation


@pytest.mark.parametrize(
    ("hit", "extra", "status"),
    [
        (Status.FAIL, (), Status.FAIL),
        (Status.REVIEW, (), Status.REVIEW),
        (Status.FAIL, (("referral_named", Status.PASS),), Status.PASS),
        (Status.FAIL, (("referral_named", Status.REVIEW),), Status.REVIEW),
    ],
)
def test_shirking_by_hits(
    judge: Judge, hit: Status, extra: tuple[tuple[str, Status], ...], status: Status
) -> None:
    transcript = make_transcript((A, 5, 9, "这事儿您甭跟我说"))
    hits = [make_hit("C_not_my_job", 5, 6, "不是我的事", status=hit)]
    hits += [courtesy(family, 7, 9, "x", status=s) for family, s in extra]
    assert judge("shirking", CALL, transcript, *hits).status is status


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([(A, 5, 7, "不行")], Status.FAIL),
        (
            [(A, 5, 7, "办不了"), (C, 8, 9, "为什么啊"), (A, 10, 12, "办不了就是办不了")],
            Status.FAIL,
        ),
        ([(A, 5, 7, "办不了，因为缺少材料")], Status.PASS),
        (
            [(A, 5, 7, "这个不行"), (C, 8, 9, "为什么啊"), (A, 10, 12, "根据规定要本人到场")],
            Status.PASS,
        ),
        ([(A, 5, 7, "今天办不了，您可以网上预约")], Status.PASS),
        ([(A, 5, 7, "这不可以"), (A, 8, 9, "我给您转人社局问问")], Status.PASS),
        ([(A, 5, 7, "您看这样行不行")], Status.PASS),
        ([(A, 5, 7, "您看可不可以")], Status.PASS),
        ([(C, 5, 7, "那不行")], Status.PASS),
        ([utterance((A, 5, 7, "不行"), log_probability=-1.4)], Status.REVIEW),
        ([(A, 5, 7, "您刚才说他说不行是吧")], Status.REVIEW),
    ],
)
def test_flat_refusal(judge: Judge, lines: list[Any], status: Status) -> None:
    item = judge("flat_refusal", CALL, make_transcript(*lines))
    assert item.status is status, item.explanation


def interrupted(into: float, overlap: float, words: str = "你听我说", yields: bool = True) -> Any:
    """Twice: the caller speaks from 10 (30), the agent ``into`` later, over ``overlap``."""
    lines: list[Any] = []
    for start in (10.0, 30.0):
        stop = start + into + overlap
        lines.append((C, start, stop, "我跟你讲这个事情是这样"))
        lines.append((A, start + into, stop + (1 if yields else -0.5), words))
    return lines


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (interrupted(1.0, 2.0), Status.FAIL),
        (interrupted(0.999, 2.0), Status.PASS),
        (interrupted(1.0, 1.999), Status.PASS),
        (interrupted(2.0, 3.0, yields=False), Status.PASS),
        (interrupted(2.0, 3.0, words="你听我"), Status.PASS),
        (interrupted(2.0, 3.0, words="嗯嗯"), Status.PASS),
        (interrupted(2.0, 3.0)[:2], Status.PASS),
        (interrupted(2.0, 3.0, words=""), Status.PASS),
        ([], Status.PASS),
    ],
)
def test_interruption(judge: Judge, lines: list[Any], status: Status) -> None:
    assert judge("interruption", CALL, make_transcript(*lines)).status is status


def test_an_unclear_interruption_is_a_review_and_a_mono_mix_na(judge: Judge) -> None:
    lines = interrupted(2.0, 3.0)
    blurred = [utterance(line, log_probability=-1.4) for line in lines]
    item = judge("interruption", CALL, make_transcript(*blurred))
    assert (item.status, "识别把握不足" in item.explanation) == (Status.REVIEW, True)
    mono = make_transcript(*lines, apart=False)
    assert judge("interruption", CALL, mono).status is Status.NA


def test_noise_on_the_callers_side_is_not_talked_down(judge: Judge) -> None:
    lines = [(c, s, e, "" if c is C else t) for c, s, e, t in interrupted(2.0, 3.0)]
    assert judge("interruption", CALL, make_transcript(*lines)).status is Status.PASS


@pytest.mark.parametrize(
    ("language", "probability", "length", "status"),
    [
        ("zh", 1.0, 10, Status.PASS),
        ("yue", 0.95, 10, Status.REVIEW),
        ("yue", 0.79, 10, Status.NA),
        ("yue", 0.95, 2.9, Status.NA),
    ],
)
def test_mandarin_is_only_ever_a_review(
    judge: Judge, language: str, probability: float, length: float, status: Status
) -> None:
    said = utterance(
        (A, 5, 5 + length, "你好"), language=language, language_probability=probability
    )
    assert judge("mandarin", CALL, make_transcript(said)).status is status


def test_a_little_of_another_language_passes(judge: Judge) -> None:
    other = utterance((A, 20, 22.9, "ok"), language="en", language_probability=0.99)
    transcript = make_transcript((A, 1, 11, "您好"), other)
    assert judge("mandarin", make_call(ended_by=EndedBy.AGENT), transcript).status is Status.PASS


@pytest.mark.parametrize(
    ("language", "probability", "status"),
    [
        ("yue", 0.95, Status.REVIEW),
        ("yue", 0.79, Status.NA),
        ("zh", 0.95, Status.PASS),
        ("", 0.0, Status.NA),
    ],
)
def test_speech_that_gave_no_words_has_a_language(
    judge: Judge, language: str, probability: float, status: Status
) -> None:
    silent = SpeechSpan(
        channel=A,
        start_ms=5_000,
        end_ms=9_000,
        language=language,
        language_probability=probability,
    )
    assert judge("mandarin", CALL, make_transcript(silent)).status is status
