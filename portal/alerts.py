"""What somebody should know now: a critical phrase, a low three-ring rate, a deaf tap.

An alert is raised once; a rate or a tap that has recovered may be raised again. It names calls and
taps, never a person, a number or a word that was said: it leaves the site's doors.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from portal.ports import Board, Store
from portal.settings import PortalSettings
from portal.sql import statement

_MOST = 100
"""Critical calls told in one look."""
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class Kind(StrEnum):
    """What an alert is about."""

    CRITICAL_PHRASE = "critical_phrase"
    THREE_RINGS = "three_rings"
    TAP_DEAF = "tap_deaf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One thing to tell."""

    kind: Kind
    subject: str
    """The call's id, the tap's name, or the rate (0–1) as text."""
    at: datetime


@dataclass
class Alarms:
    """Looks for what is new; keeps what it has already told."""

    store: Store
    settings: PortalSettings
    board: Callable[[], Board] | None
    _seen: datetime = field(init=False)
    _low: bool = False
    _deaf: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._seen = self._latest()

    def look(self, now: datetime) -> list[Alert]:
        """The alerts that have come up since the last look; ``now`` is aware."""
        return [*self._critical(now), *self._rate(now), *self._taps(now)]

    def _critical(self, now: datetime) -> Sequence[Alert]:
        until = self._latest()
        if until <= self._seen:
            return []
        params = {"since": self._seen, "many": _MOST}
        rows = self.store.rows(statement("alert_critical"), params, max_rows=_MOST)
        self._seen = until
        return [Alert(kind=Kind.CRITICAL_PHRASE, subject=r["call_id"], at=now) for r in rows]

    def _rate(self, now: datetime) -> Sequence[Alert]:
        since = now - timedelta(minutes=self.settings.alert_minutes)
        (found,) = self.store.rows(statement("alert_rate"), {"since": since})
        if found["calls"] < self.settings.alert_calls:
            return []
        before, self._low = self._low, found["rate"] < self.settings.alert_rate
        if before or not self._low:
            return []
        return [Alert(kind=Kind.THREE_RINGS, subject=f"{found['rate']:.3f}", at=now)]

    def _taps(self, now: datetime) -> Sequence[Alert]:
        deaf = {tap.name for tap in self.board().taps if not tap.hears} if self.board else set()
        fresh, self._deaf = sorted(deaf - self._deaf), deaf
        return [Alert(kind=Kind.TAP_DEAF, subject=name, at=now) for name in fresh]

    def _latest(self) -> datetime:
        (found,) = self.store.rows("SELECT max(ingested_at) AS at FROM calls")
        return found["at"] or _BEGINNING
