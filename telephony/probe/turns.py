"""When a probe speaks and when it listens: the turns of a citizen who asks one question.

Plain state fed with the clock and whether the other side is heard, so that no test has to wait.
"""

from dataclasses import dataclass
from enum import StrEnum

from telephony.probe.settings import ProbeSettings

_TURN_S = 1.2
"""Silence after which a greeting or a farewell is over."""
_LAST_S = 4
"""What the other side gets to say goodbye."""


class Turn(StrEnum):
    """What the probe does."""

    GREETING = "greeting"
    """Waits for the greeting and its end."""
    ASKING = "asking"
    LISTENING = "listening"
    PARTING = "parting"
    """Says goodbye."""
    LAST = "last"
    """Waits for the other side's goodbye."""
    DONE = "done"


@dataclass
class Turns:
    """A call's turns from its answer on."""

    settings: ProbeSettings
    asks: bool
    """Whether there is a question to play."""
    parts: bool
    """Whether there is a goodbye to play."""
    turn: Turn = Turn.GREETING
    _since_ms: float | None = None
    _heard_ms: float | None = None

    def step(self, now_ms: float, *, hears: bool, played: bool) -> Turn:
        """The turn at this instant; ``played`` is whether the file of this turn is at its end."""
        if self._since_ms is None:
            self._since_ms = now_ms
        if hears:
            self._heard_ms = now_ms
        following = self._following(now_ms, played=played)
        if following is not self.turn:
            self.turn, self._since_ms, self._heard_ms = following, now_ms, None
        return self.turn

    def _following(self, now_ms: float, *, played: bool) -> Turn:
        assert self._since_ms is not None
        lasted = (now_ms - self._since_ms) / 1000
        quiet = None if self._heard_ms is None else (now_ms - self._heard_ms) / 1000
        settings = self.settings
        match self.turn:
            case Turn.GREETING:
                over = lasted >= settings.greeting_s if quiet is None else quiet >= _TURN_S
                if over or lasted >= settings.listen_s:
                    return Turn.ASKING if self.asks else Turn.LISTENING
            case Turn.ASKING if played:
                return Turn.LISTENING
            case Turn.LISTENING:
                answered = quiet is not None and quiet >= settings.quiet_s
                if answered or lasted >= settings.listen_s:
                    return Turn.PARTING if self.parts else Turn.LAST
            case Turn.PARTING if played:
                return Turn.LAST
            case Turn.LAST:
                said = quiet is not None and quiet >= _TURN_S
                if said or lasted >= (_LAST_S if self.parts else 0):
                    return Turn.DONE
        return self.turn
