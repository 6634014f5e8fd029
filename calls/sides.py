"""The utterances of a mono mix to sides, by voice and greeting; low trust, and marked as such."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from calls.call import Channel, VoiceSpan
from calls.speech import SpeechSpan, Transcript, Utterance

Spoken = TypeVar("Spoken", Utterance, SpeechSpan)

GREETINGS = ("为您服务", "为你服务", "请问有什么", "有什么可以帮", "工号")
"""What only the one who answers a hotline opens with."""
_OPENING_MS = 20_000
_SHARE = 0.8
"""Share of an utterance's voiced time that must be the caller's for it to be the caller's."""


def assign(transcript: Transcript, voices: Sequence[VoiceSpan]) -> Transcript:
    """The transcript of a mono mix with the caller's utterances on the caller's side.

    The agent is the voice that greets as a hotline does within the first 20 s, else the one that
    speaks first. What is not surely the caller's stays on the agent's side, where the rules look
    and send it to review. ``sides_apart`` stays False. Sides that are apart are left alone.
    """
    if transcript.sides_apart or not voices:
        return transcript
    agent = _agent(transcript.utterances, voices)
    return replace(
        transcript,
        utterances=tuple(_placed(u, voices, agent) for u in transcript.utterances),
        speech=tuple(_placed(s, voices, agent) for s in transcript.speech),
    )


def _agent(utterances: Sequence[Utterance], voices: Sequence[VoiceSpan]) -> int:
    for utterance in utterances:
        greets = any(word in utterance.text for word in GREETINGS)
        if greets and utterance.start_ms < _OPENING_MS:
            shares = [_share(utterance, voices, voice) for voice in (0, 1)]
            if max(shares) >= _SHARE:
                return shares.index(max(shares))
    return voices[0].voice


def _placed(spoken: Spoken, voices: Sequence[VoiceSpan], agent: int) -> Spoken:
    callers = _share(spoken, voices, 1 - agent) >= _SHARE
    return replace(spoken, channel=Channel.CALLER if callers else Channel.AGENT)


def _share(spoken: Utterance | SpeechSpan, voices: Sequence[VoiceSpan], voice: int) -> float:
    """How much of the voiced part of a stretch is surely this voice's, 0–1."""
    own = total = 0
    for span in voices:
        common = min(span.end_ms, spoken.end_ms) - max(span.start_ms, spoken.start_ms)
        if common > 0:
            total += common
            own += common if span.sure and span.voice == voice else 0
    return own / total if total else 0.0
