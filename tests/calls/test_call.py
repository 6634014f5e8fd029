"""Ring time: what is known, and what is honestly not."""

from datetime import UTC, datetime, timedelta

import pytest

from calls.call import Call, Mode, Signalling

START = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


def at(seconds: float | None) -> datetime | None:
    return None if seconds is None else START + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("mode", "signalling", "ringing", "answered", "ring_ms"),
    [
        (Mode.BRIDGE, None, 0.5, 6.7, 6200),
        (Mode.BRIDGE, None, None, 6.7, 6700),
        (Mode.BRIDGE, None, 0.5, None, 39500),
        (Mode.BRIDGE, Signalling.NONE, 0.5, 6.7, None),
        (Mode.SIPREC, None, None, 0.0, None),
        (Mode.SIPREC, Signalling.FEED, 1.0, 6.0, 5000),
        (Mode.SIPREC, None, 1.0, 6.0, 5000),
        (Mode.IMPORT, None, None, 0.0, None),
        (Mode.IMPORT, None, None, 9.0, 9000),
        (Mode.IMPORT, None, 1.0, 9.0, 8000),
        (Mode.PROBE, None, 1.0, 0.9, 0),
    ],
)
def test_ring_time(
    mode: Mode,
    signalling: Signalling | None,
    ringing: float | None,
    answered: float | None,
    ring_ms: int | None,
) -> None:
    call = Call(
        call_id="c",
        mode=mode,
        caller="",
        called="",
        agent="",
        invited_at=START,
        ringing_at=at(ringing),
        answered_at=at(answered),
        ended_at=START + timedelta(seconds=40),
        signalling=signalling,
    )
    assert call.ring_ms == ring_ms
    assert call.duration_ms == (0 if answered is None else round((40 - answered) * 1000))
