"""One clock for the tap: the monotonic one, pinned once to the wall clock.

A step of the wall clock during a call would otherwise shorten or stretch a ring.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant on both clocks."""

    at: datetime
    """Aware UTC."""
    monotonic_ms: float


class Clock:
    """The monotonic clock with the wall-clock reading it was pinned to."""

    def __init__(self) -> None:
        self._pin_ns = time.monotonic_ns()
        self._pin_at = datetime.now(UTC)

    def now(self) -> Moment:
        """This instant."""
        elapsed_ns = time.monotonic_ns() - self._pin_ns
        return Moment(
            self._pin_at + timedelta(microseconds=elapsed_ns // 1000),
            (self._pin_ns + elapsed_ns) / 1e6,
        )
