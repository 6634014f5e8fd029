"""中止先征得同意: request, assent, hold, thanks; silences as holds; every exemption."""

from typing import Any

import pytest

from calls.call import Hold
from calls.hit import Status
from tests.scoring.scripted import A, C, Judge, courtesy, make_call, make_transcript, utterance

RULE = "hold_consent"
ASK = (A, 8.0, 10.0, "请您稍等，我帮您查一下，好吗")
YES = (C, 10.5, 11.5, "好的")
BACK = (A, 40.0, 42.0, "让您久等了")
MORE = (A, 40.0, 42.0, "这个要带身份证")
HELD = make_call(holds=(Hold(start_ms=12_000, end_ms=40_000, by=A),))


def test_no_wait_is_na(judge: Judge) -> None:
    transcript = make_transcript((A, 1, 3, "您好"), (C, 4, 20, "我说一下情况"), (A, 21, 58, "好"))
    assert judge(RULE, make_call(), transcript).status is Status.NA


@pytest.mark.parametrize("call", [HELD, make_call()], ids=["sip hold", "silence"])
@pytest.mark.parametrize(
    ("lines", "status", "said"),
    [
        ([ASK, YES, BACK], Status.PASS, "都先征得同意"),
        ([ASK, YES, (A, 40, 42, "不好意思，查到了")], Status.PASS, "都先征得同意"),
        ([ASK, YES, (A, 40, 42, "感谢您的耐心等待")], Status.PASS, "都先征得同意"),
        ([ASK, YES, MORE], Status.FAIL, "没有致谢或致歉"),
        ([ASK, BACK], Status.FAIL, "没有得到同意"),
        ([ASK, (C, 10.5, 11.5, "不行，我没时间等"), BACK], Status.FAIL, "没有得到同意"),
        ([(A, 8, 10, "这个事啊"), YES, BACK], Status.FAIL, "没有征询"),
        ([ASK, YES], Status.PASS, "都先征得同意"),
    ],
)
def test_request_assent_hold_thanks(
    judge: Judge, call: Any, lines: list[Any], status: Status, said: str
) -> None:
    # The caller's last words keep the rest of the call from being another silence.
    transcript = make_transcript((A, 1, 3, "您好"), *lines, (C, 43, 59, "我再说说我的情况啊"))
    item = judge(RULE, call, transcript)
    assert (item.status, said in item.explanation) == (status, True), item.explanation


@pytest.mark.parametrize(
    ("silent", "status"), [(20.0, Status.NA), (20.001, Status.FAIL), (25.0, Status.FAIL)]
)
def test_a_silence_longer_than_twenty_seconds_is_a_hold(
    judge: Judge, silent: float, status: Status
) -> None:
    transcript = make_transcript(
        (A, 1, 10, "您说的情况"), (A, 10 + silent, 50, "这个要带身份证"), (C, 50.5, 59, "好的")
    )
    assert judge(RULE, make_call(), transcript).status is status


def test_listening_to_a_long_story_is_no_hold(judge: Judge) -> None:
    transcript = make_transcript(
        (A, 1, 3, "您好请讲"), (C, 4, 50, "事情是这样的"), (A, 51, 58, "好")
    )
    assert judge(RULE, make_call(), transcript).status is Status.NA


@pytest.mark.parametrize(("asked", "status"), [(2.0, Status.PASS), (1.999, Status.FAIL)])
def test_the_request_comes_at_most_ten_seconds_before(
    judge: Judge, asked: float, status: Status
) -> None:
    transcript = make_transcript(
        (A, asked - 1.5, asked, "请稍等"), YES, BACK, (C, 43, 59, "我再说说我的情况啊")
    )
    assert judge(RULE, HELD, transcript).status is status


def test_the_caller_may_consent_first(judge: Judge) -> None:
    transcript = make_transcript(
        (C, 4, 6, "你帮我查查吧，我等着"),
        (A, 7, 10, "好的，我给您查一下"),
        BACK,
        (C, 43, 59, "说说"),
    )
    assert judge(RULE, HELD, transcript).status is Status.PASS


@pytest.mark.parametrize(
    "words", ["您等一下我去拿身份证", "你稍等我找找", "我拿支笔记一下", "等我一下，我翻翻"]
)
def test_exempt_a_caller_who_asks_to_wait_or_fetches_papers(judge: Judge, words: str) -> None:
    transcript = make_transcript(
        (A, 1, 9, "麻烦您念一下证件号"),
        (C, 10, 12, words),
        (A, 40, 42, "好"),
        (C, 43, 59, "是这个"),
    )
    item = judge(RULE, make_call(), transcript)
    assert (item.status, "来电人要求" in item.explanation) == (Status.NA, True)


@pytest.mark.parametrize("words", ["你帮我查一下我的工单", "给我看看办到哪了", "你替我记一下"])
def test_a_caller_who_wants_something_looked_up_does_not_ask_to_wait(
    judge: Judge, words: str
) -> None:
    transcript = make_transcript((A, 1, 9, "您好"), (C, 10, 12, words), (A, 40, 42, "已经派出去了"))
    assert judge(RULE, make_call(), transcript).status is Status.FAIL


def test_exempt_a_caller_who_holds(judge: Judge) -> None:
    call = make_call(holds=(Hold(start_ms=12_000, end_ms=40_000, by=C),))
    transcript = make_transcript((A, 1, 11, "您好请讲"), (A, 41, 58, "您好"))
    assert judge(RULE, call, transcript).status is Status.NA


def test_short_words_inside_a_hold_do_not_start_another(judge: Judge) -> None:
    transcript = make_transcript(
        (A, 1, 3, "您好"),
        ASK,
        YES,
        (A, 25, 26, "正在查"),
        (A, 50, 52, "让您久等了"),
        (C, 53, 59, "没关系"),
    )
    assert judge(RULE, make_call(), transcript).status is Status.PASS


@pytest.mark.parametrize(
    "lines",
    [
        [utterance((A, 8, 10, "情商的"), log_probability=-1.5), YES, BACK],
        [ASK, (C, 10.5, 11.5, ""), BACK],
        [ASK, YES, (A, 40, 42, "")],
        [ASK, (C, 10.5, 11.5, "号"), BACK],
    ],
)
def test_doubt_is_a_review(judge: Judge, lines: list[Any]) -> None:
    transcript = make_transcript((A, 1, 3, "您好"), *lines, (C, 43, 59, "我再说说我的情况啊"))
    assert judge(RULE, HELD, transcript).status is Status.REVIEW


def test_hits_serve_as_request_assent_and_thanks(judge: Judge) -> None:
    transcript = make_transcript(
        (A, 8, 10, "我瞅一眼啊"),
        (C, 10.5, 11.5, "成嘞"),
        (A, 40, 42, "劳您候着了"),
        (C, 43, 59, "啊"),
    )
    hits = (
        courtesy("hold_consent", 8, 10, "我看一下"),
        courtesy("assent", 10.5, 11.5, "成", channel=C),
        courtesy("hold_return", 40, 42, "让您久等了"),
    )
    assert judge(RULE, HELD, transcript, *hits).status is Status.PASS
    assert judge(RULE, HELD, transcript, *hits[1:]).status is Status.FAIL


def test_the_worst_of_several_holds_decides(judge: Judge) -> None:
    call = make_call(
        holds=(
            Hold(start_ms=12_000, end_ms=40_000, by=A),
            Hold(start_ms=50_000, end_ms=55_000, by=A),
        )
    )
    transcript = make_transcript(ASK, YES, BACK, (C, 43, 44, "嗯"), (A, 56, 58, "这个要带身份证"))
    item = judge(RULE, call, transcript)
    assert item.status is Status.FAIL
    assert "0:50" in item.explanation
