"""Times as other systems write them, to aware UTC."""

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from calls.errors import ImportSourceError, SettingsError


def zone(name: str) -> ZoneInfo:
    """The time zone of this IANA name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise SettingsError(
            f"[importer] time_zone {name!r} is unknown", remedy="write it as Asia/Shanghai"
        ) from error


def read_time(text: str, local: tzinfo, form: str = "") -> datetime | None:
    """A time in ``form`` (strptime), else ISO 8601 or seconds since the epoch; None when empty.

    A time without a zone is in ``local``.
    """
    text = text.strip()
    if not text or text in ("0", "null", "None"):
        return None
    try:
        if form:
            moment = datetime.strptime(text, form)  # noqa: DTZ007
        elif text.replace(".", "", 1).isdecimal():
            return from_epoch(float(text))
        else:
            moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ImportSourceError(
            "a time is written in a way that cannot be read", remedy="see docs/import.md on times"
        ) from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=local)).astimezone(UTC)


def from_epoch(seconds: float) -> datetime:
    """Seconds since 1970 as aware UTC."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise ImportSourceError("a time lies beyond all calendars") from error
