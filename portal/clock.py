"""The wall clock in one place, so that a test can pass its own."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The time now, aware UTC."""
    return datetime.now(UTC)
