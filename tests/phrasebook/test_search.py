"""Candidates: on the right side, at the right place, in the right turn."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from calls.call import Channel
from calls.hit import Candidate, Kind
from calls.speech import SpeechSpan, Transcript
from phrasebook.book import Phrasebook
from phrasebook.search import search

MakeCall = Callable[..., Transcript]


def forbidden(candidates: tuple[Candidate, ...]) -> list[Candidate]:
    return [c for c in candidates if c.kind is Kind.FORBIDDEN]


def courtesy(candidates: tuple[Candidate, ...]) -> set[tuple[str, str]]:
    return {(c.channel.value, c.family) for c in candidates if c.kind is Kind.COURTESY}


def test_a_phrase_is_found_at_its_words_and_time(book: Phrasebook, make_call: MakeCall) -> None:
    call = make_call(("agent", "您好，请讲"), ("caller", "低保怎么办"), ("agent", "我要下班啦"))
    (found,) = [c for c in forbidden(search(book, call)) if c.by == "text"]
    assert (found.family, found.phrase, found.heard) == ("F_off_duty", "我要下班啦", "我要下班啦")
    said = call.utterances[found.utterance]
    assert said.text[found.char_start : found.char_end] == found.heard
    assert (found.start_ms, found.end_ms) == (said.start_ms, said.end_ms)


def test_the_caller_is_never_hit(book: Phrasebook, make_call: MakeCall) -> None:
    call = make_call(("agent", "您好"), ("caller", "我要下班啦，神经病，你什么态度"))
    assert not forbidden(search(book, call))


def test_a_misheard_phrase_is_proposed_by_sound(book: Phrasebook, make_call: MakeCall) -> None:
    call = make_call(("caller", "你好"), ("agent", "快点,我这里就忙能"))
    assert any(c.by == "sound" and "正忙呢" in c.phrase for c in forbidden(search(book, call)))


@pytest.mark.parametrize(("text", "hit"), [("不行", True), ("不行啊", True), ("您看行不行", False)])
def test_whole_phrases_need_a_whole_clause(
    book: Phrasebook, make_call: MakeCall, text: str, hit: bool
) -> None:
    call = make_call(("caller", "能办吗"), ("agent", text))
    found = [c for c in forbidden(search(book, call)) if c.by == "text"]
    assert bool(found) is hit


def test_an_opening_phrase_counts_before_the_caller_spoke(
    book: Phrasebook, make_call: MakeCall
) -> None:
    first = forbidden(search(book, make_call(("agent", "找谁"))))
    later = forbidden(search(book, make_call(("caller", "喂"), ("agent", "找谁"))))
    assert [c.guards for c in first if c.by == "text"] == [()]
    assert [c.guards for c in later if c.by == "text"] == [("position",)]


@pytest.mark.parametrize(
    ("text", "guarded"),
    [
        ("你说", False),
        ("你说吧", False),
        ("喂，什么事情，你说吧", True),
        ("请问什么事，你说", True),
    ],
)
def test_a_bare_phrase_beside_other_clauses_is_left_to_a_person(
    book: Phrasebook, make_call: MakeCall, text: str, guarded: bool
) -> None:
    found = [c for c in forbidden(search(book, make_call(("agent", text)))) if c.phrase == "你说"]
    assert all(("passing" in c.guards) is guarded for c in found)
    assert found or guarded


def test_courtesy_is_found_on_both_sides(book: Phrasebook, make_call: MakeCall) -> None:
    call = make_call(
        ("agent", "您好，请问有什么可以帮您"),
        ("caller", "我问社保"),
        ("agent", "请您稍等，我帮您查一下好吗"),
        ("caller", "好的"),
        ("agent", "让您久等了，还有其他需要帮助的吗"),
        ("caller", "没有了，谢谢"),
        ("agent", "那我先挂了，可以吗，再见"),
        ("caller", "嗯，再见"),
    )
    found = courtesy(search(book, call))
    assert {
        ("agent", "greeting"),
        ("agent", "hold_consent"),
        ("caller", "assent"),
        ("agent", "hold_return"),
        ("agent", "further_help"),
        ("caller", "no_more"),
        ("caller", "thanks"),
        ("agent", "hangup_consent"),
        ("agent", "farewell"),
        ("caller", "farewell"),
    } <= found


def test_assent_is_a_whole_clause(book: Phrasebook, make_call: MakeCall) -> None:
    call = make_call(("agent", "您稍等好吗"), ("caller", "不行，我着急"))
    assert ("caller", "assent") not in courtesy(search(book, call))
    assert ("caller", "dissent") in courtesy(search(book, call))


@pytest.mark.parametrize(
    ("text", "waits"), [("稍等，我查一下", True), ("我找找", True), ("你帮我查一下工单", False)]
)
def test_who_wants_something_looked_up_does_not_ask_to_wait(
    book: Phrasebook, make_call: MakeCall, text: str, waits: bool
) -> None:
    found = courtesy(search(book, make_call(("agent", "您好"), ("caller", text))))
    assert (("caller", "caller_wait") in found) is waits


def test_short_speech_without_words_is_asked_about(book: Phrasebook, make_call: MakeCall) -> None:
    quiet = SpeechSpan(channel=Channel.AGENT, start_ms=100, end_ms=900)
    long = SpeechSpan(channel=Channel.AGENT, start_ms=2000, end_ms=9000)
    call = make_call(speech=(quiet, long))
    found = forbidden(search(book, call))
    assert [(c.phrase, c.by, c.utterance, c.start_ms) for c in found] == [
        ("找谁！", "audio", -1, 100)
    ]


@pytest.mark.parametrize(("log_probability", "asked"), [(-1.27, True), (-0.1, False)])
def test_a_garbled_sentence_is_asked_about_where_the_recogniser_doubts_it(
    book: Phrasebook, make_call: MakeCall, log_probability: float, asked: bool
) -> None:
    call = make_call(("agent", "您好，请讲"), ("caller", "你好"), ("agent", "你闹气好运气"))
    said = replace(call.utterances[2], log_probability=log_probability)
    call = replace(call, utterances=(*call.utterances[:2], said))
    found = [c for c in forbidden(search(book, call)) if c.by == "audio"]
    assert any(c.phrase == "你脑子有问题" for c in found) is asked
    assert len(found) <= 3


def test_a_missing_greeting_is_asked_about(book: Phrasebook, make_call: MakeCall) -> None:
    call = make_call(("agent", "天津便民专线"), ("caller", "我问社保"))
    asked = [c for c in search(book, call) if c.by == "audio" and c.kind is Kind.COURTESY]
    assert {c.family for c in asked if c.utterance == 0} == {"greeting", "farewell"}


def test_short_clips_bring_few_candidates(book: Phrasebook, make_call: MakeCall) -> None:
    turns = [("agent", "这个嗯"), ("caller", "是这样")] * 40
    assert len(forbidden(search(book, make_call(*turns)))) <= 3 * 40


def test_an_empty_call_has_no_candidates(book: Phrasebook, make_call: MakeCall) -> None:
    assert search(book, make_call()) == ()


def test_a_garbled_phrase_is_asked_about_in_its_place(
    book: Phrasebook, make_call: MakeCall
) -> None:
    call = make_call(("agent", "您好，请讲"), ("caller", "你好"), ("agent", "不错,我们可以接著我"))
    said = replace(call.utterances[2], log_probability=-1.2)
    call = replace(call, utterances=(*call.utterances[:2], said))
    (found,) = [c for c in forbidden(search(book, call)) if c.phrase == "别找我"]
    assert (found.by, found.heard) == ("audio", "接著我")
    assert said.start_ms < found.start_ms < found.end_ms == said.end_ms
