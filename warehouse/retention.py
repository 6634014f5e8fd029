"""How long recordings, transcripts and scores are kept, and what a legal hold keeps beyond that."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from calls.errors import WarehouseError
from warehouse import audit, removal
from warehouse.duck import Cursor, Database
from warehouse.settings import WarehouseSettings

_AT_ONCE = 2_000
"""Calls of one transaction: bounds the memory, and how long other writers wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retained:
    """What a run of retention took away."""

    recordings: int = 0
    transcripts: int = 0
    calls: int = 0
    """Calls whose scores went, and with them the whole call."""
    held: int = 0
    """Calls past their period that a legal hold keeps whole."""
    left: int = 0
    """Recordings without a row whose file could not be removed; the next run tries again."""


def retain(
    database: Database, periods: WarehouseSettings, bury: Callable[[], int], now: datetime
) -> Retained:
    """Take away what is past its period; a period of None keeps for ever.

    A call's age counts from its start. May be stopped and run again: every step is whole.
    """
    calls = _past(database, periods.scores_days, now, "true", removal.delete_calls)
    speech = _past(
        database, periods.transcripts_days, now, "transcript_json IS NOT NULL", _take_speech
    )
    sound = _past(
        database, periods.recordings_days, now, "recording IS NOT NULL", removal.delete_recordings
    )
    held = _held(database, periods, now)
    done = Retained(recordings=sound, transcripts=speech, calls=calls, held=held, left=bury())
    if sound or speech or calls:
        detail = {"recordings": sound, "transcripts": speech, "calls": calls, "held": held}
        with database.transaction() as cursor:
            audit.append(cursor, now, "retention", "retain", "", detail)
    return done


def hold(database: Database, call_id: str, actor: str, reason: str) -> None:
    """Put a call under legal hold: neither retention nor erasure takes it."""
    if not reason.strip():
        raise WarehouseError("a hold needs a reason", remedy="name the case")
    now = datetime.now(UTC)
    with database.transaction() as cursor:
        cursor.execute("SELECT 1 FROM calls WHERE call_id = $id", {"id": call_id})
        if not cursor.fetchall():
            raise WarehouseError(f"no call {call_id}", remedy="give its whole call_id")
        if _is_held(cursor, call_id):
            raise WarehouseError(f"call {call_id} is under hold already")
        cursor.execute(
            "INSERT INTO holds VALUES ($id, $actor, $now, $reason, NULL, NULL)",
            {"id": call_id, "actor": actor, "now": now, "reason": reason},
        )
        audit.append(cursor, now, actor, "hold", call_id, {"reason": reason})


def release(database: Database, call_id: str, actor: str) -> None:
    """Lift a call's legal hold; what is past its period goes with the next run."""
    now = datetime.now(UTC)
    with database.transaction() as cursor:
        if not _is_held(cursor, call_id):
            raise WarehouseError(f"call {call_id} is not under hold")
        cursor.execute(
            "UPDATE holds SET released_by = $actor, released_at = $now"
            " WHERE call_id = $id AND released_at IS NULL",
            {"id": call_id, "actor": actor, "now": now},
        )
        audit.append(cursor, now, actor, "release", call_id, {})


def _is_held(cursor: Cursor, call_id: str) -> bool:
    cursor.execute(f"SELECT 1 FROM ({removal.HELD}) WHERE call_id = $id", {"id": call_id})
    return bool(cursor.fetchall())


def _take_speech(cursor: Cursor, call_ids: list[str]) -> int:
    removal.delete_speech(cursor, call_ids)
    return len(call_ids)


def _past(
    database: Database,
    days: int | None,
    now: datetime,
    has: str,
    take: Callable[[Cursor, list[str]], int],
) -> int:
    """Take from every call older than ``days`` that has the thing; returns how many things.

    Deleting whole calls counts the calls.
    """
    if days is None:
        return 0
    total = 0
    while True:
        with database.transaction() as cursor:
            cursor.execute(
                "SELECT call_id FROM calls LEFT JOIN records USING (call_id)"
                f" WHERE invited_at < $before AND {has} AND call_id NOT IN ({removal.HELD})"
                f" ORDER BY invited_at LIMIT {_AT_ONCE}",
                {"before": now - timedelta(days=days)},
            )
            call_ids = [str(call_id) for (call_id,) in cursor.fetchall()]
            if call_ids:
                take(cursor, call_ids)
        total += len(call_ids)
        if len(call_ids) < _AT_ONCE:
            return total


def _held(database: Database, periods: WarehouseSettings, now: datetime) -> int:
    days = [
        d
        for d in (periods.recordings_days, periods.transcripts_days, periods.scores_days)
        if d is not None
    ]
    if not days:
        return 0
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM calls"
            f" WHERE invited_at < $before AND call_id IN ({removal.HELD})",
            {"before": now - timedelta(days=min(days))},
        )
        return int(cursor.fetchall()[0][0])
