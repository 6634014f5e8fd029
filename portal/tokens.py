"""API tokens: shown once, kept as a hash, with scopes and an end."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from portal.access import Person
from portal.accounts import Accounts
from portal.clock import Clock
from portal.errors import RefusalError, not_found
from portal.ports import Store
from portal.settings import PortalSettings

SCOPES = ("calls", "audio", "reports")
PREFIX = "sansheng_"
"""Begins every token, so that a secret scanner can find one that was leaked."""
_ID_BYTES = 6
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens table. A token reaches what its owner reaches, within its scopes."""

    store: Store
    settings: PortalSettings
    accounts: Accounts
    clock: Clock

    def add(self, person: Person, name: str, scopes: list[str]) -> str:
        """Make a token and return it: the only time that it can be read."""
        if not name.strip() or not scopes or not set(scopes) <= set(SCOPES):
            raise RefusalError(422, "bad_request")
        token_id, secret = secrets.token_hex(_ID_BYTES), secrets.token_urlsafe(_SECRET_BYTES)
        now = self.clock()
        values = {
            "token_id": token_id,
            "user_id": person.user_id,
            "name": name.strip(),
            "hash": _digest(secret),
            "scopes": " ".join(sorted(scopes)),
            "now": now,
            "expires": now + timedelta(days=self.settings.token_days),
        }
        self.store.write(
            lambda cursor: cursor.execute(
                "INSERT INTO tokens (token_id, user_id, name, token_hash, scopes, created_at,"
                " expires_at) VALUES ($token_id, $user_id, $name, $hash, $scopes, $now, $expires)",
                values,
            )
        )
        kept = " ".join(sorted(scopes))
        self.store.audit(person.user_id, "token_added", token_id, {"scopes": kept})
        return f"{PREFIX}{token_id}_{secret}"

    def of(self, person: Person) -> list[dict[str, Any]]:
        """A person's own tokens, newest first."""
        return self.store.rows(
            "SELECT token_id, name, scopes, created_at, expires_at, revoked_at FROM tokens"
            " WHERE user_id = $user_id ORDER BY created_at DESC",
            {"user_id": person.user_id},
        )

    def revoke(self, person: Person, token_id: str) -> None:
        """End one of one's own tokens."""
        changed = self.store.write(
            lambda cursor: cursor.execute(
                "UPDATE tokens SET revoked_at = $now WHERE token_id = $token_id"
                " AND user_id = $user_id AND revoked_at IS NULL RETURNING token_id",
                {"now": self.clock(), "token_id": token_id, "user_id": person.user_id},
            ).fetchall()
        )
        if not changed:
            raise not_found()
        self.store.audit(person.user_id, "token_revoked", token_id)

    def person(self, header: str | None, scope: str) -> Person:
        """Whose token an ``Authorization`` header carries, if it is good for the scope."""
        kind, _, token = (header or "").partition(" ")
        token_id, _, secret = token.strip().removeprefix(PREFIX).partition("_")
        if kind.lower() != "bearer" or not secret:
            raise RefusalError(401, "bad_token")
        found = self.store.rows(
            "SELECT user_id, token_hash, scopes, expires_at, revoked_at FROM tokens"
            " WHERE token_id = $token_id",
            {"token_id": token_id},
        )
        known = found[0]["token_hash"] if found else ""
        right = secrets.compare_digest(known, _digest(secret))
        if not right or found[0]["revoked_at"] or found[0]["expires_at"] < self.clock():
            raise RefusalError(401, "bad_token")
        person = self.accounts.person(found[0]["user_id"])
        if person is None:
            raise RefusalError(401, "bad_token")
        if scope not in found[0]["scopes"].split():
            raise RefusalError(403, "no_scope")
        return person


def _digest(secret: str) -> str:
    """The hash that is kept: the secret has 256 random bits, so a fast hash is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()
