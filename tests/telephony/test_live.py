"""What the live board is told of a call, by the events of its journal."""

from datetime import UTC, datetime, timedelta

from calls.call import EventKind
from telephony.live import LiveCall

START = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


def test_a_call_rings_talks_and_is_held() -> None:
    call = LiveCall(call_id="c", agent="1001", state="ringing", since=START)
    seen = []
    for second, kind in enumerate(
        (
            EventKind.INVITE,
            EventKind.RINGING,
            EventKind.RINGING,
            EventKind.ANSWERED,
            EventKind.CONFIRMED,
            EventKind.HOLD,
            EventKind.RESUME,
            EventKind.DTMF,
        )
    ):
        call = call.after(kind, START + timedelta(seconds=second))
        seen.append((call.state, (call.since - START).seconds))
    assert seen == [
        ("ringing", 0),
        ("ringing", 1),
        ("ringing", 1),
        ("talking", 3),
        ("talking", 3),
        ("held", 5),
        ("talking", 6),
        ("talking", 6),
    ]
