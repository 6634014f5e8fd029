"""The second factor: codes of an authenticator app (RFC 6238), and recovery codes for a lost one.

The only user of pyotp and segno. A code counts once, and one step of 30 s early or late; recovery
codes are kept as argon2id hashes and count once each.
"""

import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyotp
import segno

from portal import passwords
from portal.ports import Cursor, Store

STEP_S = 30
_SKEW = (0, -1, 1)
"""Steps that a telephone's clock may be off."""
_ISSUER = "Sansheng"
_RECOVERY_CODES = 10
_RECOVERY_BYTES = 5
_CODE = re.compile(r"\d{6}")
_RECOVERY = re.compile(r"[0-9a-f]{10}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """What a telephone needs to make codes."""

    secret: str
    svg: str
    """The same as a QR code, black on white."""


@dataclass(frozen=True, slots=True)
class SecondFactors:
    """The second factors of all users."""

    store: Store

    def enrolled(self, user_id: str) -> bool:
        """Whether the user signs in with a code."""
        row = self._row(user_id)
        return row is not None and row["confirmed_at"] is not None

    def users(self) -> set[str]:
        """Everybody who signs in with a code."""
        sql = "SELECT user_id FROM second_factors WHERE confirmed_at IS NOT NULL"
        return {row["user_id"] for row in self.store.rows(sql)}

    def begin(self, user_id: str) -> Enrolment:
        """The secret to scan; the same one until it has been confirmed with a code."""
        row = self._row(user_id)
        secret = row["secret"] if row else pyotp.random_base32()
        if row is None:
            sql = "INSERT INTO second_factors VALUES ($user, $secret, NULL, 0)"
            self._run(sql, user=user_id, secret=secret)
        uri = pyotp.TOTP(secret).provisioning_uri(name=user_id, issuer_name=_ISSUER)
        svg = segno.make(uri, micro=False).svg_inline(scale=5, light="#fff", dark="#000")
        return Enrolment(secret=secret, svg=svg)

    def confirm(self, user_id: str, code: str, now: datetime) -> list[str]:
        """Turn the factor on with a first code; the recovery codes to show once, else none."""
        row = self._row(user_id)
        if row is None or row["confirmed_at"] is not None or not self._take(row, code, now):
            return []
        codes = [secrets.token_hex(_RECOVERY_BYTES) for _ in range(_RECOVERY_CODES)]
        hashes = [passwords.new_hash(code) for code in codes]

        def turn_on(cursor: Cursor) -> None:
            cursor.execute(
                "UPDATE second_factors SET confirmed_at = $now WHERE user_id = $user",
                {"user": user_id, "now": now},
            )
            cursor.execute("DELETE FROM recovery_codes WHERE user_id = $user", {"user": user_id})
            for hashed in hashes:
                cursor.execute(
                    "INSERT INTO recovery_codes VALUES ($user, $hash, NULL)",
                    {"user": user_id, "hash": hashed},
                )

        self.store.write(turn_on)
        return codes

    def matches(self, user_id: str, code: str, now: datetime) -> bool:
        """Whether a code, or a recovery code, is right and unused; it is used up by this."""
        row = self._row(user_id)
        if row is None or row["confirmed_at"] is None:
            return False
        plain = re.sub(r"[\s-]", "", code).lower()
        if _RECOVERY.fullmatch(plain):
            return self._recover(user_id, plain, now)
        return self._take(row, plain, now)

    def recovery_left(self, user_id: str) -> int:
        """How many recovery codes are unused."""
        sql = (
            "SELECT count(*) AS many FROM recovery_codes WHERE user_id = $user AND used_at IS NULL"
        )
        return int(self.store.rows(sql, {"user": user_id})[0]["many"])

    def remove(self, user_id: str) -> None:
        """Turn the factor off and forget its secret and recovery codes."""
        self._run("DELETE FROM second_factors WHERE user_id = $user", user=user_id)
        self._run("DELETE FROM recovery_codes WHERE user_id = $user", user=user_id)

    def _take(self, row: dict[str, Any], code: str, now: datetime) -> bool:
        """Whether a code is one of a step that nobody has used, nor any later one."""
        if not _CODE.fullmatch(code) or not code.isascii():
            return False
        here, totp = int(now.timestamp()) // STEP_S, pyotp.TOTP(row["secret"])
        for step in (here + skew for skew in _SKEW):
            if step > row["last_step"] and secrets.compare_digest(totp.at(step * STEP_S), code):
                sql = "UPDATE second_factors SET last_step = $step WHERE user_id = $user"
                self._run(sql, user=row["user_id"], step=step)
                return True
        return False

    def _recover(self, user_id: str, code: str, now: datetime) -> bool:
        sql = "SELECT code_hash FROM recovery_codes WHERE user_id = $user AND used_at IS NULL"
        for row in self.store.rows(sql, {"user": user_id}):
            if passwords.matches(row["code_hash"], code):
                sql = (
                    "UPDATE recovery_codes SET used_at = $now"
                    " WHERE user_id = $user AND code_hash = $hash"
                )
                self._run(sql, user=user_id, hash=row["code_hash"], now=now)
                return True
        return False

    def _row(self, user_id: str) -> dict[str, Any] | None:
        rows = self.store.rows(
            "SELECT * FROM second_factors WHERE user_id = $user", {"user": user_id}
        )
        return rows[0] if rows else None

    def _run(self, sql: str, **params: object) -> None:
        self.store.write(lambda cursor: cursor.execute(sql, params))
