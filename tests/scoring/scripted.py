"""A small language for calls: who says what, from when to when."""

from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from calls.call import Call, Channel, EndedBy, EndReason, Hold, Mode, Recording, SideQuality
from calls.hit import Candidate, Hit, Kind, Severity, Status
from calls.scorecard import Item, Versions
from calls.speech import SpeechSpan, Transcript, Utterance

INVITED = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
VERSIONS = Versions(rules="r", phrasebook="p")
A, C = Channel.AGENT, Channel.CALLER
Line = tuple[Channel, float, float, str]


def make_call(
    *,
    ring: float | None = 6.0,
    length: float = 60.0,
    ended_by: EndedBy = EndedBy.CALLER,
    end_reason: EndReason = EndReason.BYE,
    answered: bool = True,
    holds: tuple[Hold, ...] = (),
    quality: tuple[SideQuality, ...] = (),
    complete: bool = True,
) -> Call:
    """A call that rang ``ring`` seconds (None: without signalling) and lasted ``length``."""
    rang = timedelta(seconds=ring or 0)
    up = INVITED + rang if answered else None
    end = INVITED + rang + timedelta(seconds=length if answered else 0)
    return Call(
        call_id="call-1",
        mode=Mode.IMPORT if ring is None else Mode.BRIDGE,
        caller="c",
        called="d",
        agent="1001",
        invited_at=INVITED,
        ringing_at=None if ring is None else INVITED,
        answered_at=up,
        ended_at=end,
        ended_by=ended_by,
        end_reason=end_reason,
        holds=holds,
        quality=quality,
        recording=Recording(path="r.wav", complete=complete) if answered else None,
    )


def utterance(line: Line, **more: Any) -> Utterance:
    channel, start, end, text = line
    return Utterance(
        channel=channel,
        start_ms=round(start * 1000),
        end_ms=round(end * 1000),
        text=text,
        **more,
    )


def make_transcript(
    *lines: Line | Utterance | SpeechSpan, length: float = 60.0, apart: bool = True
) -> Transcript:
    """Lines of a script to a transcript; an empty text is speech that gave no words."""
    utterances: list[Utterance] = []
    speech: list[SpeechSpan] = []
    for line in lines:
        if isinstance(line, SpeechSpan):
            speech.append(line)
            continue
        said = line if isinstance(line, Utterance) else utterance(line)
        speech.append(SpeechSpan(channel=said.channel, start_ms=said.start_ms, end_ms=said.end_ms))
        if said.text:
            utterances.append(said)
    return Transcript(
        call_id="call-1",
        duration_ms=round(length * 1000),
        utterances=tuple(sorted(utterances, key=lambda u: u.start_ms)),
        speech=tuple(sorted(speech, key=lambda s: s.start_ms)),
        sides_apart=apart,
    )


def make_hit(
    family: str,
    start: float,
    end: float,
    phrase: str,
    *,
    kind: Kind = Kind.FORBIDDEN,
    status: Status = Status.FAIL,
    severity: Severity = Severity.MAJOR,
    channel: Channel = A,
    utterance: int = -1,
    confidence: float = 0.95,
) -> Hit:
    return Hit(
        candidate=Candidate(
            kind=kind,
            family=family,
            phrase_id="F000",
            phrase=phrase,
            severity=severity,
            channel=channel,
            utterance=utterance,
            char_start=0,
            char_end=len(phrase),
            start_ms=round(start * 1000),
            end_ms=round(end * 1000),
            heard=phrase,
            score=1.0,
        ),
        status=status,
        confidence=confidence,
    )


def courtesy(
    family: str,
    start: float,
    end: float,
    text: str,
    *,
    channel: Channel = A,
    status: Status = Status.PASS,
) -> Hit:
    return make_hit(family, start, end, text, kind=Kind.COURTESY, status=status, channel=channel)


class Judge(Protocol):
    """The ``judge`` fixture: one rule's item of a call's scorecard."""

    def __call__(
        self, rule: str, call: Call, transcript: Transcript | None = None, *hits: Hit
    ) -> Item: ...
