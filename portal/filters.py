"""How values look on a page: times, scores, shares, masked numbers."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from calls.masks import mask_number

NOTHING = "–"


def clock_ms(ms: int | None) -> str:
    """Milliseconds as ``m:ss``, the way a player shows them."""
    if ms is None:
        return NOTHING
    seconds = ms // 1000
    return f"{seconds // 60}:{seconds % 60:02d}"


def clock_tenths(ms: int | None) -> str:
    """Milliseconds as ``m:ss.t``: a place in the audio."""
    return NOTHING if ms is None else f"{clock_ms(ms)}.{ms % 1000 // 100}"


def seconds(ms: int | None) -> str:
    """Milliseconds as seconds with one decimal."""
    return NOTHING if ms is None else f"{ms / 1000:.1f}"


def score(value: float | None) -> str:
    """A score of 100 with one decimal at most."""
    return NOTHING if value is None else f"{value:.1f}".removesuffix(".0")


def share(value: float | None) -> str:
    """A share 0–1 as per cent with one decimal."""
    return NOTHING if value is None else f"{value * 100:.1f}%"


def table(zone: ZoneInfo) -> Mapping[str, Callable[..., Any]]:
    """The filters by name; times are shown in ``zone``."""

    def moment(at: datetime | None) -> str:
        return NOTHING if at is None else f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S}"

    def minute(at: datetime | None) -> str:
        return NOTHING if at is None else f"{at.astimezone(zone):%m-%d %H:%M}"

    def day(at: datetime | None) -> str:
        return NOTHING if at is None else f"{at.astimezone(zone):%Y-%m-%d}"

    return {
        "clock_ms": clock_ms,
        "clock_tenths": clock_tenths,
        "seconds": seconds,
        "score": score,
        "share": share,
        "moment": moment,
        "minute": minute,
        "day": day,
        "masked": mask_number,
    }
