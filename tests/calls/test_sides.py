"""A mono mix's utterances to sides: only what is surely the caller's leaves the agent's side."""

import pytest

from calls.call import Channel, VoiceSpan
from calls.sides import assign
from calls.speech import SpeechSpan, Transcript, Utterance

A, C = Channel.AGENT, Channel.CALLER


def transcript(*texts: str, sides_apart: bool = False) -> Transcript:
    """One utterance a second."""
    said = tuple(
        Utterance(channel=A, start_ms=at * 1_000, end_ms=at * 1_000 + 800, text=text)
        for at, text in enumerate(texts)
    )
    speech = tuple(SpeechSpan(channel=A, start_ms=u.start_ms, end_ms=u.end_ms) for u in said)
    return Transcript(
        call_id="a", duration_ms=9_000, utterances=said, speech=speech, sides_apart=sides_apart
    )


def voices(*numbers: int, sure: bool = True) -> tuple[VoiceSpan, ...]:
    return tuple(
        VoiceSpan(start_ms=at * 1_000, end_ms=at * 1_000 + 900, voice=number, sure=sure)
        for at, number in enumerate(numbers)
    )


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        (("喂", "您好", "嗯"), [A, C, A]),
        (("喂，你好", "您好，请问有什么可以帮您", "路灯坏了"), [C, A, C]),
        (("工号一零一为您服务", "你好", "请讲"), [A, C, A]),
    ],
)
def test_who_greets_is_the_agent_else_who_speaks_first(
    texts: tuple[str, ...], wanted: list[Channel]
) -> None:
    told = assign(transcript(*texts), voices(0, 1, 0))
    assert [u.channel for u in told.utterances] == wanted
    assert [s.channel for s in told.speech] == wanted
    assert told.sides_apart is False


def test_what_is_not_sure_stays_with_the_agent() -> None:
    told = assign(transcript("喂", "我要下班啦"), voices(0, 1, sure=False))
    assert [u.channel for u in told.utterances] == [A, A]
    halves = (*voices(0), VoiceSpan(start_ms=1_000, end_ms=1_400, voice=0),
              VoiceSpan(start_ms=1_400, end_ms=1_800, voice=1))  # fmt: skip
    assert assign(transcript("喂", "我要下班啦"), halves).utterances[1].channel is A


def test_sides_that_are_apart_are_left_alone() -> None:
    apart = transcript("喂", "您好", sides_apart=True)
    assert assign(apart, voices(0, 1)) is apart
    mixed = transcript("喂", "您好")
    assert assign(mixed, ()) is mixed
