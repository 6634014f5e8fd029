"""Erasing a citizen's calls by number, with a proof that does not name the number."""

import hashlib
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from calls.errors import WarehouseError
from warehouse import audit, removal
from warehouse.duck import Cursor, Database

_PREFIX = re.compile(r"(?:0086|86)(?=1[3-9]\d{9}$|0\d{9,11}$)")
_SHORTEST = 5
"""Digits: anything shorter is an extension or a service number, whose calls are everybody's."""
_DIGITS = "regexp_replace({}, '[^0-9]', '', 'g')"
_WRITTEN = ("", "86", "0086", "0")
"""What switches put before a number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """The proof of one erasure; the same values are in ``erasures`` and in the audit chain."""

    erasure_id: int
    number_hash: str
    """scrypt (RFC 7914) of the number's digits with ``salt``, hexadecimal."""
    salt: str
    calls: int
    recordings: int
    held: int
    """Calls of this number that a legal hold keeps."""
    mentions: int
    """Other calls in whose transcripts the number's digits stand; a person decides on them."""
    audit_seq: int
    left: int = 0
    """Recordings whose file could not be removed yet; tried again when the warehouse opens."""


def erase(
    database: Database, number: str, actor: str, reason: str, bury: Callable[[], int]
) -> Erased:
    """Erase all calls from and to a number, save those under legal hold, in one transaction.

    WarehouseError: too short a number, no reason, or a disk that takes no more; nothing is then
    erased. Calls that are not in the warehouse yet are not seen.
    """
    digits = plain_number(number)
    if not reason.strip():
        raise WarehouseError("an erasure needs a reason", remedy="name the request")
    salt, now = secrets.token_hex(16), datetime.now(UTC)
    hashed = number_hash(digits, salt)
    with database.transaction() as cursor:
        found = _calls_of(cursor, digits)
        held = _ids(cursor, removal.HELD)
        gone = [call_id for call_id in found if call_id not in held]
        recordings = removal.delete_calls(cursor, gone)
        cursor.execute(
            "SELECT count(DISTINCT call_id) FROM utterances WHERE contains(text, $digits)"
            " AND NOT list_contains($found::TEXT[], call_id)",
            {"digits": digits, "found": found},
        )
        mentions = int(cursor.fetchall()[0][0])
        cursor.execute(
            "INSERT INTO erasures (number_hash, salt, calls, recordings, held, erased_by,"
            " erased_at, reason) VALUES ($hash, $salt, $calls, $recordings, $held, $actor, $now,"
            " $reason) RETURNING erasure_id",
            {
                "hash": hashed,
                "salt": salt,
                "calls": len(gone),
                "recordings": recordings,
                "held": len(found) - len(gone),
                "actor": actor,
                "now": now,
                "reason": reason,
            },
        )
        erasure_id = int(cursor.fetchall()[0][0])
        seq = audit.append(
            cursor,
            now,
            actor,
            "erase",
            hashed,
            {
                "erasure": erasure_id,
                "salt": salt,
                "calls": len(gone),
                "recordings": recordings,
                "held": len(found) - len(gone),
                "reason": reason,
            },
        )
    return Erased(
        erasure_id=erasure_id,
        number_hash=hashed,
        salt=salt,
        calls=len(gone),
        recordings=recordings,
        held=len(found) - len(gone),
        mentions=mentions,
        audit_seq=seq,
        left=bury(),
    )


def plain_number(number: str) -> str:
    """A number's digits without the country's prefix: what counts when numbers are compared."""
    digits = _PREFIX.sub("", re.sub(r"\D", "", number))
    if len(digits) < _SHORTEST:
        raise WarehouseError("that is no citizen's number", remedy="give all of its digits")
    return digits


def number_hash(digits: str, salt: str) -> str:
    """scrypt of a number: slow on purpose, since all numbers could be tried."""
    made = hashlib.scrypt(digits.encode(), salt=bytes.fromhex(salt), n=2**14, r=8, p=1)
    return made.hex()


def _calls_of(cursor: Cursor, digits: str) -> list[str]:
    written = [prefix + digits for prefix in _WRITTEN]
    sides = " OR ".join(
        f"list_contains($written::TEXT[], {_DIGITS.format(side)})" for side in ("caller", "called")
    )
    cursor.execute(f"SELECT call_id FROM calls WHERE {sides}", {"written": written})
    return [str(call_id) for (call_id,) in cursor.fetchall()]


def _ids(cursor: Cursor, sql: str) -> set[str]:
    cursor.execute(sql)
    return {str(call_id) for (call_id,) in cursor.fetchall()}
