"""The audit chain: each entry's hash covers the one before, so that a change anywhere shows."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from warehouse.duck import Cursor

Detail = Mapping[str, str | int | None]
_BLOCK = 10_000
_SEPARATOR = "\x1f"


def append(
    cursor: Cursor, at: datetime, actor: str, action: str, subject: str, detail: Detail
) -> int:
    """Add an entry within the caller's transaction; returns its number."""
    last = cursor.execute("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1").fetchall()
    seq, before = (int(last[0][0]) + 1, str(last[0][1])) if last else (1, "")
    entry: dict[str, Any] = {
        "seq": seq,
        "happened_at": at,
        "actor": actor,
        "action": action,
        "subject": subject,
        "detail": json.dumps(dict(detail), ensure_ascii=False, sort_keys=True),
    }
    entry["hash"] = _chained(before, entry)
    cursor.execute(
        "INSERT INTO audit (seq, happened_at, actor, action, subject, detail, hash)"
        " VALUES ($seq, $happened_at, $actor, $action, $subject, $detail, $hash)",
        entry,
    )
    return seq


def first_broken(cursor: Cursor) -> int | None:
    """The number of the first entry that does not fit the chain; None when all do."""
    cursor.execute(
        "SELECT seq, happened_at, actor, action, subject, detail, hash FROM audit ORDER BY seq"
    )
    names = cursor.columns
    before, expected = "", 1
    while rows := cursor.fetchmany(_BLOCK):
        for row in rows:
            entry = dict(zip(names, row, strict=True))
            if entry["seq"] != expected or _chained(before, entry) != entry["hash"]:
                return expected
            before, expected = entry["hash"], expected + 1
    return None


def _chained(before: str, entry: Mapping[str, Any]) -> str:
    parts = [before, str(entry["seq"]), entry["happened_at"].isoformat(timespec="microseconds")]
    parts += [entry[key] for key in ("actor", "action", "subject", "detail")]
    return hashlib.sha256(_SEPARATOR.join(parts).encode()).hexdigest()
