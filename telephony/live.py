"""Calls under way, as the live board shows them: no number, no name of a citizen."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from calls.call import EventKind

State = Literal["ringing", "talking", "held"]

_STATES: dict[EventKind, State] = {
    EventKind.RINGING: "ringing",
    EventKind.ANSWERED: "talking",
    EventKind.HOLD: "held",
    EventKind.RESUME: "talking",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCall:
    """One call under way."""

    call_id: str
    agent: str
    """Empty while nobody knows (SIPREC before its metadata)."""
    state: State
    since: datetime
    """When the state began; for a ringing call, what the three rings count from."""
    rang: bool = False
    """Whether the agent's leg said that it rings; only its first word counts."""
    mute: bool = False
    """Whether a side has sent no RTP since the answer, though it was time."""

    def after(self, kind: EventKind, at: datetime) -> "LiveCall":
        """The call after an event of its journal; most events change nothing."""
        state = _STATES.get(kind)
        if state is None or (self.rang and state == self.state):
            return self
        return replace(self, state=state, since=at, rang=True)
