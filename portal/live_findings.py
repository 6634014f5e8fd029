"""What is heard during calls under way: told by the service, shown on the live board, alerted on.

A live finding is a first word: the call's own analysis comes after its end and stands alone on the
scorecard. Nothing here is evidence, and nothing of it is kept over a restart but the alert.
"""

import threading
from collections import deque
from dataclasses import dataclass, field

from portal.ports import LiveFinding

_MOST = 500
"""Findings kept for the board; the oldest go first."""


@dataclass
class LiveFindings:
    """Takes findings from any thread, each once."""

    fresh: threading.Event = field(default_factory=threading.Event)
    """Set when something waits for the alerts, so that they need not look first."""
    _kept: deque[LiveFinding] = field(default_factory=lambda: deque(maxlen=_MOST))
    _untold: list[LiveFinding] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def tell(self, finding: LiveFinding) -> None:
        """Take one finding; the same one again (call, family, place) changes nothing."""
        with self._lock:
            if any(finding.same_as(known) for known in self._kept):
                return
            self._kept.append(finding)
            self._untold = [*self._untold, finding][-_MOST:]
        self.fresh.set()

    def of(self, call_id: str) -> tuple[LiveFinding, ...]:
        """What was heard in one call so far, in its order."""
        with self._lock:
            found = [one for one in self._kept if one.call_id == call_id]
        return tuple(sorted(found, key=lambda one: one.at_ms))

    def untold(self) -> tuple[LiveFinding, ...]:
        """What the alerts have not dealt with."""
        self.fresh.clear()
        with self._lock:
            return tuple(self._untold)

    def told(self, those: tuple[LiveFinding, ...]) -> None:
        """The alerts have dealt with these."""
        with self._lock:
            self._untold = [one for one in self._untold if one not in those]
