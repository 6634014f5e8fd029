"""The transcript as a page shows it: masked lines with the findings' words marked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from calls.call import Channel
from calls.hit import Finding
from calls.masks import mask_text
from calls.numbers import shown
from calls.speech import Transcript, Utterance


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text, plain or marked as a finding's."""

    text: str
    finding: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One utterance."""

    channel: Channel
    start_ms: int
    end_ms: int
    pieces: tuple[Piece, ...]


def lines(transcript: Transcript, findings: Sequence[Finding]) -> list[Line]:
    """Every utterance in order, numbers in figures, with the words of each finding marked in it."""
    return [
        Line(
            channel=u.channel,
            start_ms=u.start_ms,
            end_ms=u.end_ms,
            pieces=_pieces(u, findings),
        )
        for u in transcript.utterances
    ]


def _pieces(utterance: Utterance, findings: Sequence[Finding]) -> tuple[Piece, ...]:
    text = mask_text(utterance.text)
    spans = sorted(
        (*_span(utterance, finding), place)
        for place, finding in enumerate(findings)
        if _within(utterance, finding)
    )
    pieces: list[Piece] = []
    done = 0
    for start, end, place in spans:
        if start < done:
            continue
        if start > done:
            pieces.append(Piece(text[done:start]))
        pieces.append(Piece(text[start:end], place))
        done = end
    if done < len(text):
        pieces.append(Piece(text[done:]))
    return tuple(replace(piece, text=shown(piece.text)) for piece in pieces)


def _within(utterance: Utterance, finding: Finding) -> bool:
    """Whether the middle of the finding lies in this utterance."""
    middle = (finding.start_ms + finding.end_ms) // 2
    return (
        utterance.channel is finding.channel
        and bool(utterance.text)
        and utterance.start_ms <= middle <= utterance.end_ms
    )


def _span(utterance: Utterance, finding: Finding) -> tuple[int, int]:
    """Where the words of the finding stand; the whole utterance when they are not in it."""
    start = utterance.text.find(finding.heard) if finding.heard else -1
    if start < 0:
        return 0, len(utterance.text)
    return start, start + len(finding.heard)
