"""走有送声: the last 15 s, a caller who hangs up mid-sentence, a lost line."""

import pytest

from calls.call import EndedBy, EndReason
from calls.hit import Status
from tests.scoring.scripted import (
    A,
    C,
    Judge,
    Line,
    courtesy,
    make_call,
    make_transcript,
    utterance,
)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("感谢您的来电，再见", Status.PASS),
        ("拜拜", Status.PASS),
        ("祝您生活愉快", Status.PASS),
        ("好的就这样", Status.FAIL),
    ],
)
def test_the_agents_last_words(judge: Judge, text: str, status: Status) -> None:
    transcript = make_transcript((A, 55, 57, text))
    assert judge("farewell", make_call(), transcript).status is status


@pytest.mark.parametrize(
    ("end", "status"), [(45.0, Status.PASS), (44.999, Status.FAIL), (44.0, Status.FAIL)]
)
def test_the_last_fifteen_seconds(judge: Judge, end: float, status: Status) -> None:
    transcript = make_transcript((A, end - 1, end, "再见"))
    assert judge("farewell", make_call(), transcript).status is status


def test_the_callers_farewell_is_not_the_agents(judge: Judge) -> None:
    transcript = make_transcript((C, 55, 57, "再见"))
    assert judge("farewell", make_call(), transcript).status is Status.FAIL


@pytest.mark.parametrize(
    ("channel", "end", "status"),
    [(A, 60.0, Status.NA), (C, 60.0, Status.NA), (A, 59.6, Status.NA), (A, 59.4, Status.FAIL)],
)
def test_a_caller_who_hangs_up_mid_sentence(
    judge: Judge, channel: object, end: float, status: Status
) -> None:
    transcript = make_transcript((channel, 55, end, "您可以带上身份证"))  # type: ignore[arg-type]
    assert judge("farewell", make_call(), transcript).status is status


@pytest.mark.parametrize(
    ("length", "lines", "status"),
    [
        (3.0, ((C, 0.5, 1.5, "打错了"),), Status.NA),
        (3.001, ((C, 0.5, 1.5, "打错了"),), Status.FAIL),
        (3.0, ((A, 0.3, 1.0, "喂"), (C, 1.2, 2.0, "打错了")), Status.FAIL),
    ],
)
def test_a_call_that_ended_before_a_greeting_was_due(
    judge: Judge, length: float, lines: tuple[Line, ...], status: Status
) -> None:
    call, transcript = make_call(length=length), make_transcript(*lines, length=length)
    assert judge("farewell", call, transcript).status is status


def test_an_agent_who_hangs_up_mid_sentence_is_not_excused(judge: Judge) -> None:
    transcript = make_transcript((A, 55, 60, "您可以带上身份证"))
    call = make_call(ended_by=EndedBy.AGENT)
    assert judge("farewell", call, transcript).status is Status.FAIL


@pytest.mark.parametrize(
    "call",
    [
        make_call(ended_by=EndedBy.NETWORK),
        make_call(end_reason=EndReason.LOST),
        make_call(complete=False),
    ],
)
def test_a_lost_line_or_a_torn_recording_is_na(judge: Judge, call: object) -> None:
    transcript = make_transcript((A, 55, 57, "您可以带上身份证"))
    assert judge("farewell", call, transcript).status is Status.NA  # type: ignore[arg-type]


def test_doubt_is_a_review(judge: Judge) -> None:
    middling = courtesy("farewell", 55, 56, "在建", status=Status.REVIEW)
    transcript = make_transcript((A, 55, 56, "在建"))
    assert judge("farewell", make_call(), transcript, middling).status is Status.REVIEW
    unclear = utterance((A, 55, 56, "在建"), log_probability=-1.5)
    assert judge("farewell", make_call(), make_transcript(unclear)).status is Status.REVIEW
    unheard = make_transcript((A, 30, 32, "好的"), (A, 55, 56, ""))
    assert judge("farewell", make_call(), unheard).status is Status.REVIEW
