"""来有迎声: what passes, what fails, and everything that is only doubt."""

import pytest

from calls.call import SideQuality
from calls.hit import Status
from calls.speech import Word
from tests.scoring.scripted import (
    A,
    C,
    Judge,
    courtesy,
    make_call,
    make_transcript,
    utterance,
)


@pytest.mark.parametrize(
    ("text", "start", "status"),
    [
        ("您好，天津便民专线，请问有什么可以帮您", 0.5, Status.PASS),
        ("你好，请讲", 0.5, Status.PASS),
        ("天津便民专线，您好", 0.5, Status.PASS),
        ("喂，您好", 1.0, Status.PASS),
        ("早上好，便民专线", 1.0, Status.PASS),
        ("您好请问什么事", 1.0, Status.PASS),
        ("您好", 3.0, Status.PASS),
        ("您好", 3.001, Status.FAIL),
        ("喂，找谁", 0.5, Status.FAIL),
        ("什么事？您好", 0.5, Status.FAIL),
        ("请问找谁，您好", 0.5, Status.FAIL),
        ("喂，说吧", 0.5, Status.FAIL),
        ("这里是天津市政务服务便民专线话务员八零一二您好", 0.5, Status.FAIL),
    ],
)
def test_the_first_words(judge: Judge, text: str, start: float, status: Status) -> None:
    transcript = make_transcript((A, start, start + 2, text), (C, 6, 8, "我想反映个事"))
    assert judge("greeting", make_call(), transcript).status is status


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([(A, 0.5, 1.0, "喂"), (A, 1.5, 2.5, "您好")], Status.PASS),
        ([(A, 0.5, 1.0, "喂"), (C, 1.2, 2.0, "喂"), (A, 2.2, 3, "您好请讲")], Status.PASS),
        ([(A, 0.5, 1.5, "什么事"), (A, 2.0, 3.0, "您好")], Status.FAIL),
    ],
)
def test_a_greeting_in_pieces(judge: Judge, lines: list[object], status: Status) -> None:
    transcript = make_transcript(*lines)  # type: ignore[arg-type]
    assert judge("greeting", make_call(), transcript).status is status


def test_a_late_greeting_says_how_late(judge: Judge) -> None:
    item = judge("greeting", make_call(), make_transcript((A, 4.2, 5, "您好")))
    assert item.explanation == "接听后 4.2 秒才开口（“您好”），晚于 3 秒。"


def test_an_unclear_first_utterance_is_a_review(judge: Judge) -> None:
    first = utterance((A, 0.5, 2, "零号天津变"), log_probability=-1.3)
    item = judge("greeting", make_call(), make_transcript(first))
    assert (item.status, item.earned) == (Status.REVIEW, 10)


@pytest.mark.parametrize(
    ("language", "probability", "status"),
    [
        ("ja", 0.8, Status.REVIEW),
        ("ja", 0.79, Status.FAIL),
        ("zh", 0.99, Status.FAIL),
        ("", 0.0, Status.FAIL),
    ],
)
def test_mandarin_text_of_another_language_is_unclear(
    judge: Judge, language: str, probability: float, status: Status
) -> None:
    first = utterance((A, 0.5, 2, "臭臭臭臭"), language=language, language_probability=probability)
    assert judge("greeting", make_call(), make_transcript(first)).status is status


def test_low_word_probabilities_are_unclear_too(judge: Judge) -> None:
    words = (Word(start_ms=500, end_ms=2000, char_start=0, char_end=3, probability=0.2),)
    first = utterance((A, 0.5, 2, "零号天"), words=words)
    assert judge("greeting", make_call(), make_transcript(first)).status is Status.REVIEW


def test_speech_without_text_before_a_late_greeting_is_a_review(judge: Judge) -> None:
    transcript = make_transcript((A, 0.8, 1.6, ""), (A, 5, 7, "便民专线请讲"))
    assert judge("greeting", make_call(), transcript).status is Status.REVIEW


def test_a_middling_reading_is_a_review(judge: Judge) -> None:
    transcript = make_transcript((A, 0.5, 2, "零号，便民专线"))
    hit = courtesy("greeting", 0.5, 1.0, "零号", status=Status.REVIEW)
    assert judge("greeting", make_call(), transcript, hit).status is Status.REVIEW


def test_a_reading_that_the_audio_confirms_is_a_pass(judge: Judge) -> None:
    transcript = make_transcript((A, 0.5, 2, "零号，便民专线"))
    hit = courtesy("greeting", 0.5, 1.0, "您好")
    assert judge("greeting", make_call(), transcript, hit).status is Status.PASS


def test_the_callers_greeting_does_not_count(judge: Judge) -> None:
    transcript = make_transcript((C, 0.2, 1, "您好"), (A, 1.5, 2.5, "说吧"))
    assert judge("greeting", make_call(), transcript).status is Status.FAIL


def test_an_agent_who_is_not_heard_at_all_is_a_review(judge: Judge) -> None:
    transcript = make_transcript((C, 1, 3, "喂，喂"))
    assert judge("greeting", make_call(), transcript).status is Status.REVIEW


def test_a_call_that_ended_at_once_is_na(judge: Judge) -> None:
    transcript = make_transcript(length=2.0)
    assert judge("greeting", make_call(length=2.0), transcript).status is Status.NA


def test_a_mono_mix_never_accuses(judge: Judge) -> None:
    transcript = make_transcript((A, 0.5, 2, "喂，找谁"), apart=False)
    item = judge("greeting", make_call(), transcript)
    assert item.status is Status.REVIEW
    assert "单声道" in item.explanation


@pytest.mark.parametrize(
    "quality",
    [
        SideQuality(channel=A, mos=2.0),
        SideQuality(channel=A, one_way=True),
        SideQuality(channel=C, packets=80, lost=20),
    ],
)
def test_a_bad_line_never_accuses(judge: Judge, quality: SideQuality) -> None:
    call = make_call(quality=(quality,))
    item = judge("greeting", call, make_transcript((A, 0.5, 2, "喂，找谁")))
    assert item.status is Status.REVIEW
    assert "线路质量差" in item.explanation


def test_without_a_recording_it_is_na(judge: Judge) -> None:
    assert judge("greeting", make_call()).status is Status.NA
