"""The way of a call as a drawing: ring against three rings, talk, holds, who hung up."""

from dataclasses import dataclass

from calls.call import Call

RING_LIMIT_MS = 15_000
"""Three rings at China's cadence, and GB/T 33358's fifteen seconds."""
_RING_SCALE_MS = 20_000
_WIDTH = 1000.0
"""The drawing's width in its own units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A stretch of the drawing, in its own units."""

    x: float
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """All that the drawing needs."""

    ring: Bar | None
    """None when the signalling does not tell."""
    limit_x: float
    holds: tuple[tuple[Bar, str, int, int], ...]
    """Bar, side, start and end in ms of each hold."""
    talk_ms: int | None


def timeline(call: Call, ring_ms: int | None) -> Timeline:
    """Lay out one call."""
    scale = max(_RING_SCALE_MS, (ring_ms or 0) * 1.1)
    talk = talk_ms(call)
    holds = tuple(
        (_bar(h.start_ms, min(h.end_ms, talk or h.end_ms), talk), str(h.by), h.start_ms, h.end_ms)
        for h in call.holds
    )
    return Timeline(
        ring=None if ring_ms is None else Bar(x=0, width=round(ring_ms / scale * _WIDTH, 1)),
        limit_x=round(RING_LIMIT_MS / scale * _WIDTH, 1),
        holds=holds,
        talk_ms=talk,
    )


def talk_ms(call: Call) -> int | None:
    """Length of the talk: the recording's, else from answer to end; None when not answered."""
    if call.recording and call.recording.duration_ms:
        return call.recording.duration_ms
    if call.answered_at is None:
        return None
    return int((call.ended_at - call.answered_at).total_seconds() * 1000)


def _bar(start_ms: int, end_ms: int, whole_ms: int | None) -> Bar:
    whole = max(whole_ms or end_ms, 1)
    return Bar(
        x=round(start_ms / whole * _WIDTH, 1),
        width=round(max(0, end_ms - start_ms) / whole * _WIDTH, 1),
    )
