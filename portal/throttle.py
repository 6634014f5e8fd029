"""Wrong guesses by address: beyond so many in a quarter of an hour an address is refused."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

_WINDOW = timedelta(minutes=15)


@dataclass
class Throttle:
    """Counts in memory; used by one thread at a time."""

    most: int
    _failures: dict[str, deque[datetime]] = field(default_factory=dict)

    def refuses(self, address: str, now: datetime) -> bool:
        """Whether the address has guessed wrong too often lately."""
        recent = self._failures.get(address)
        while recent and now - recent[0] > _WINDOW:
            recent.popleft()
        return recent is not None and len(recent) >= self.most

    def note(self, address: str, now: datetime) -> None:
        """Count one wrong guess."""
        for known, times in list(self._failures.items()):
            if not times or now - times[-1] > _WINDOW:
                del self._failures[known]
        self._failures.setdefault(address, deque(maxlen=self.most)).append(now)
