"""From what an identity provider says of somebody to an account here, kept in step."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from portal import passwords
from portal.access import Person, Role
from portal.accounts import Accounts
from portal.oidc import OidcError, Visitor
from portal.ports import Cursor, Store
from portal.settings import OidcSettings

_NO_PASSWORD_BYTES = 48
_LONGEST = 64


@dataclass(frozen=True, slots=True)
class Visitors:
    """Accounts of people who sign in elsewhere; their password here is known to nobody."""

    store: Store
    accounts: Accounts
    settings: OidcSettings

    def person(self, visitor: Visitor, address: str) -> Person:
        """The visitor's account, made at the first visit; name, roles and team follow the claims.

        The account belongs to issuer and subject. One that was made here by hand is never taken
        over because of its name.
        """
        roles = self._roles(visitor.claims)
        agent, team = self._word(visitor, "agent"), self._word(visitor, "team")
        if not roles or (roles == {Role.AGENT} and not agent):
            raise OidcError("no role for this person")
        linked = self.store.rows(
            "SELECT user_id FROM identities WHERE issuer = $issuer AND subject = $subject",
            {"issuer": visitor.issuer, "subject": visitor.subject},
        )
        user_id = linked[0]["user_id"] if linked else self._user_id(visitor)
        known = self.accounts.person(user_id) is not None or bool(
            self.store.rows("SELECT 1 FROM users WHERE user_id = $id", {"id": user_id})
        )
        if known and not linked:
            raise OidcError("the account's name is taken by one that was made here")
        values = {
            "id": user_id,
            "name": self._word(visitor, "name") or user_id,
            "role": " ".join(sorted(roles)),
            "team": team,
            "agent": agent,
        }
        changed = known and self.accounts.get(user_id).roles != roles
        self.store.write(lambda cursor: self._keep(cursor, visitor, values, known=known))
        if not known:
            self.store.audit("oidc", "user_added", user_id, {"roles": values["role"]})
        elif changed:
            self.store.audit("oidc", "user_changed", user_id, {"roles": values["role"]})
            self.accounts.on_change(user_id)
        person = self.accounts.person(user_id)
        if person is None:
            self.store.audit(user_id, "login_failed", address, {"oidc": 1})
            raise OidcError("the account is closed")
        self.store.audit(user_id, "login", address, {"oidc": 1})
        return person

    def _keep(
        self, cursor: Cursor, visitor: Visitor, values: Mapping[str, object], *, known: bool
    ) -> None:
        now = self.accounts.clock()
        if known:
            cursor.execute(
                "UPDATE users SET name = $name, role = $role, team = $team, agent = $agent"
                " WHERE user_id = $id",
                values,
            )
        else:
            nobodys = passwords.new_hash(secrets.token_urlsafe(_NO_PASSWORD_BYTES))
            cursor.execute(
                "INSERT INTO users (user_id, name, role, team, agent, password_hash, password_at,"
                " must_change, failed, disabled, created_at) VALUES ($id, $name, $role, $team,"
                " $agent, $hash, $now, false, 0, false, $now)",
                {**values, "hash": nobodys, "now": now},
            )
            cursor.execute(
                "INSERT INTO identities VALUES ($issuer, $subject, $id)",
                {"issuer": visitor.issuer, "subject": visitor.subject, "id": values["id"]},
            )
        if values["agent"]:
            cursor.execute(
                "INSERT OR REPLACE INTO agents (agent, name, team) VALUES ($agent, $name, $team)",
                {key: values[key] for key in ("agent", "name", "team")},
            )

    def _roles(self, claims: Mapping[str, Any]) -> frozenset[Role]:
        said = claims.get(self.settings.roles_claim, ())
        groups = said.split() if isinstance(said, str) else said
        if not isinstance(groups, list | tuple):
            return frozenset()
        known = self.settings.roles
        return frozenset(Role(known[g]) for g in groups if isinstance(g, str) and g in known)

    def _user_id(self, visitor: Visitor) -> str:
        named = visitor.claims.get(self.settings.user_claim)
        if not isinstance(named, str) or not named:
            raise OidcError("the claim that names the account is missing")
        return re.sub(r"[^A-Za-z0-9_]", "_", named)[:_LONGEST]

    def _word(self, visitor: Visitor, what: str) -> str | None:
        claim = getattr(self.settings, f"{what}_claim")
        said = visitor.claims.get(claim) if claim else None
        return said[:_LONGEST] if isinstance(said, str) and said else None
