"""One account: as administrators see it, and as a person at the door; read from its row."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from portal.access import Person, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user as administrators see it: everything but the password."""

    user_id: str
    name: str
    roles: frozenset[Role]
    team: str | None
    agent: str | None
    must_change: bool
    locked_until: datetime | None
    disabled: bool

    def locked(self, now: datetime) -> bool:
        """Whether the account is locked at this time."""
        return self.locked_until is not None and now < self.locked_until


def _roles(text: str) -> frozenset[Role]:
    return frozenset(Role(part) for part in text.split())


def roles_text(roles: frozenset[Role]) -> str:
    """Roles as the users table keeps them."""
    return " ".join(sorted(roles))


def account_of(row: Mapping[str, Any]) -> Account:
    """The account in a row of the users table."""
    return Account(
        user_id=row["user_id"],
        name=row["name"],
        roles=_roles(row["role"]),
        team=row["team"],
        agent=row["agent"],
        must_change=row["must_change"],
        locked_until=row["locked_until"],
        disabled=row["disabled"],
    )


def person_of_row(row: Mapping[str, Any], *, must_change: bool, second: str = "") -> Person:
    """The person in a row of the users table."""
    return Person(
        user_id=row["user_id"],
        name=row["name"],
        roles=_roles(row["role"]),
        team=row["team"],
        agent=row["agent"],
        must_change=must_change,
        second=second,
    )
