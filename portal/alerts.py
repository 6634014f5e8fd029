"""What somebody should know now: a critical phrase, a low three-ring rate, a deaf tap.

An alert is raised once; a rate or a tap stays open until it has recovered, and may then be raised
again. Alerts and the letters that carry them are rows of the warehouse, written together: what was
raised before a kill is sent after it. An alert names calls and taps, never a person, a number or a
word that was said: it leaves the site's doors.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import structlog

from calls.hit import Severity
from portal.live_findings import LiveFindings
from portal.ports import Board, Cursor, LiveFinding, Store
from portal.settings import PortalSettings, Webhook
from portal.sql import statement

log = structlog.get_logger()

_MOST = 100
"""Critical calls told in one look."""
_MOST_LETTERS = 1000
"""Letters that wait at once; beyond it the oldest are given up."""
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_KEPT = timedelta(days=90)


class Kind(StrEnum):
    """What an alert is about."""

    LIVE_PHRASE = "live_phrase"
    CRITICAL_PHRASE = "critical_phrase"
    THREE_RINGS = "three_rings"
    TAP_DEAF = "tap_deaf"


_MOMENTS = frozenset({Kind.LIVE_PHRASE, Kind.CRITICAL_PHRASE})
"""What happens and is over; the others stay open until they are well again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One thing to tell."""

    kind: Kind
    subject: str
    """The call's id, the tap's name, or the rate (0–1) as text."""
    at: datetime
    agent: str | None = None
    """Whose call it is: who may see it on the board. It is never sent."""


def address_key(hook: Webhook) -> str:
    """What a letter calls its address: a hash, since the address holds the robot's key."""
    return hashlib.sha256(f"{hook.kind} {hook.url.get_secret_value()}".encode()).hexdigest()[:16]


@dataclass
class Alarms:
    """Looks for what is new; what has been told is in the warehouse."""

    store: Store
    settings: PortalSettings
    board: Callable[[], Board] | None
    live: LiveFindings

    def look(self, now: datetime) -> list[Alert]:
        """Raise what has come up since the last look and close what is well; ``now`` is aware."""
        open_now = self.store.rows("SELECT kind, subject FROM alerts WHERE closed_at IS NULL")
        low = any(row["kind"] == Kind.THREE_RINGS for row in open_now)
        deaf = {row["subject"] for row in open_now if row["kind"] == Kind.TAP_DEAF}
        heard = self.live.untold()
        raised = self._live(heard)
        until = self._latest()
        mark = self._mark()
        if mark is not None and until > mark:
            raised += self._critical(mark, now, {alert.subject for alert in raised})
        is_low, rate = self._rate(now, low)
        if is_low and not low:
            raised.append(Alert(kind=Kind.THREE_RINGS, subject=f"{rate:.3f}", at=now))
        is_deaf = self._deaf()
        raised += [
            Alert(kind=Kind.TAP_DEAF, subject=name, at=now) for name in sorted(is_deaf - deaf)
        ]
        well = [(Kind.TAP_DEAF, name) for name in deaf - is_deaf]
        if low and not is_low:
            well += [
                (Kind.THREE_RINGS, r["subject"]) for r in open_now if r["kind"] == "three_rings"
            ]
        if raised or well or until != mark:
            self.store.write(lambda cursor: self._keep(cursor, raised, well, until, now))
        self.live.told(heard)
        return raised

    def _keep(
        self,
        cursor: Cursor,
        raised: Iterable[Alert],
        well: Iterable[tuple[str, str]],
        until: datetime,
        now: datetime,
    ) -> None:
        for kind, subject in well:
            cursor.execute(
                "UPDATE alerts SET closed_at = $now"
                " WHERE kind = $kind AND subject = $subject AND closed_at IS NULL",
                {"kind": kind, "subject": subject, "now": now},
            )
        for alert in raised:
            post(cursor, alert, self.settings.webhooks)
        cursor.execute("DELETE FROM alerts WHERE closed_at < $old", {"old": now - _KEPT})
        cursor.execute(
            "INSERT OR REPLACE INTO alert_marks VALUES ($kind, $until)",
            {"kind": Kind.CRITICAL_PHRASE, "until": until},
        )

    def _live(self, heard: Iterable[LiveFinding]) -> list[Alert]:
        """One alert a call, for the first critical phrase that is heard in it."""
        critical: dict[str, LiveFinding] = {}
        for one in heard:
            if one.severity is Severity.CRITICAL:
                critical.setdefault(one.call_id, one)
        known = self.store.rows(
            "SELECT subject FROM alerts WHERE kind = $kind"
            " AND subject IN (SELECT unnest($ids::TEXT[]))",
            {"kind": Kind.LIVE_PHRASE, "ids": list(critical)},
        )
        told = {row["subject"] for row in known}
        return [
            Alert(kind=Kind.LIVE_PHRASE, subject=call_id, at=one.heard_at, agent=one.agent)
            for call_id, one in critical.items()
            if call_id not in told
        ]

    def _critical(self, since: datetime, now: datetime, told: set[str]) -> list[Alert]:
        params = {"since": since, "many": _MOST}
        rows = self.store.rows(statement("alert_critical"), params, max_rows=_MOST)
        return [
            Alert(kind=Kind.CRITICAL_PHRASE, subject=r["call_id"], at=now, agent=r["agent"])
            for r in rows
            if r["call_id"] not in told
        ]

    def _rate(self, now: datetime, low: bool) -> tuple[bool, float]:
        """Whether the rate is low, and the rate; few calls change nothing."""
        since = now - timedelta(minutes=self.settings.alert_minutes)
        (found,) = self.store.rows(statement("alert_rate"), {"since": since})
        if found["calls"] < self.settings.alert_calls:
            return low, 0.0
        return found["rate"] < self.settings.alert_rate, found["rate"]

    def _deaf(self) -> set[str]:
        return {tap.name for tap in self.board().taps if not tap.hears} if self.board else set()

    def _latest(self) -> datetime:
        (found,) = self.store.rows("SELECT max(ingested_at) AS at FROM calls")
        return found["at"] or _BEGINNING

    def _mark(self) -> datetime | None:
        """Up to which call the alerts have looked; None at the very first start."""
        found = self.store.rows("SELECT seen_at FROM alert_marks")
        return found[0]["seen_at"] if found else None


def post(cursor: Cursor, alert: Alert, hooks: Iterable[Webhook]) -> None:
    """Write an alert and a letter for every address, in the caller's transaction."""
    closed = alert.at if alert.kind in _MOMENTS else None
    cursor.execute(
        "INSERT INTO alerts (kind, subject, agent, raised_at, closed_at)"
        " VALUES ($kind, $subject, $agent, $at, $closed) RETURNING alert_id",
        {
            "kind": alert.kind,
            "subject": alert.subject,
            "agent": alert.agent,
            "at": alert.at,
            "closed": closed,
        },
    )
    ((alert_id,),) = cursor.fetchall()
    for hook in hooks:
        cursor.execute(
            "INSERT INTO letters (alert_id, hook, tries, due_at) VALUES ($alert, $hook, 0, $at)",
            {"alert": alert_id, "hook": address_key(hook), "at": alert.at},
        )
    cursor.execute(
        "DELETE FROM letters WHERE letter_id <= (SELECT max(letter_id) FROM letters) - $most"
        " RETURNING letter_id",
        {"most": _MOST_LETTERS},
    )
    if lost := len(cursor.fetchall()):
        log.error("alerts given up", letters=lost, reason="too many wait")
