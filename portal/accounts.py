"""Accounts: sign-in with lock-out, passwords with rules and expiry, first-run administrator.

Every change is in the audit chain. Nothing here ever logs or returns a password but
``first_run``, whose one-time password the service prints once.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from calls.errors import SettingsError
from portal import passwords
from portal.access import Person, Role
from portal.account import Account, account_of, person_of_row, roles_text
from portal.clock import Clock, utc_now
from portal.ports import Cursor, Store
from portal.second_factor import SecondFactors
from portal.settings import PortalSettings
from portal.throttle import Throttle

FIRST_USER = "admin"
CODE, ENROL = "code", "enrol"
"""What the second factor wants of a person whose password was right."""
_FIRST_PASSWORD_LENGTH = 16
_SELECT = (
    "SELECT user_id, name, role, team, agent, password_hash, password_at, must_change, failed,"
    " locked_until, disabled FROM users"
)


class Outcome(StrEnum):
    """How a sign-in went; a browser is told only ``ok``, ``locked`` or "no"."""

    OK = "ok"
    WRONG = "wrong"
    LOCKED = "locked"
    THROTTLED = "throttled"


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstLogin:
    """The administrator that the first start made."""

    user_id: str
    password: str


@dataclass
class Accounts:
    """The users table with its rules."""

    store: Store
    settings: PortalSettings = field(default_factory=PortalSettings)
    clock: Clock = utc_now
    on_change: Callable[[str], None] = lambda _user_id: None
    """Told the user whose sessions must end."""
    second_factors: SecondFactors = field(init=False)
    _throttle: Throttle = field(init=False)
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.second_factors = SecondFactors(self.store)
        self._throttle = Throttle(self.settings.address_failures)

    def sign_in(self, user_id: str, password: str, address: str) -> tuple[Outcome, Person | None]:
        """Check a password; wrong ones count, lock the account and throttle the address.

        One sign-in at a time: guesses sent in parallel cannot slip past the count, and the hashes'
        memory stays bounded.
        """
        with self._one_at_a_time:
            return self._sign_in(user_id, password, address)

    def _sign_in(self, user_id: str, password: str, address: str) -> tuple[Outcome, Person | None]:
        now = self.clock()
        if self._throttle.refuses(address, now):
            return Outcome.THROTTLED, None
        row = self._row(user_id)
        right = passwords.matches(row["password_hash"] if row else None, password)
        if row is None or row["disabled"]:
            self._throttle.note(address, now)
            self.store.audit(user_id if row else "?", "login_failed", address)
            return Outcome.WRONG, None
        if row["locked_until"] is not None and now < row["locked_until"]:
            self.store.audit(user_id, "login_failed", address, {"locked": 1})
            return Outcome.LOCKED, None
        if not right:
            self._throttle.note(address, now)
            return self._wrong(row, now, address), None
        second = self._second(row)
        if second != CODE:
            self._update(user_id, failed=0, locked_until=None)
        if passwords.outdated(row["password_hash"]):
            self._update(user_id, password_hash=passwords.new_hash(password))
        expired = now - row["password_at"] > timedelta(days=self.settings.password_days)
        self.store.audit(user_id, "password_right" if second == CODE else "login", address)
        return Outcome.OK, person_of_row(
            row, must_change=row["must_change"] or expired, second=second
        )

    def second_step(self, user_id: str, code: str, address: str) -> Outcome:
        """Check the code after the password; wrong ones count towards the same lock-out.

        The count is only set back when both were right, so that a known password buys no guesses.
        """
        with self._one_at_a_time:
            now = self.clock()
            row = self._row(user_id)
            if row is None or row["disabled"]:
                return Outcome.WRONG
            if row["locked_until"] is not None and now < row["locked_until"]:
                return Outcome.LOCKED
            if self.second_factors.matches(user_id, code, now):
                self._update(user_id, failed=0, locked_until=None)
                self.store.audit(user_id, "login", address, {"second": 1})
                return Outcome.OK
            self._throttle.note(address, now)
            outcome = self._wrong(row, now, address)
            if outcome is Outcome.LOCKED:
                self.on_change(user_id)
            return outcome

    def enrol(self, user_id: str, code: str) -> list[str]:
        """Turn the second factor on; the recovery codes to show once, none for a wrong code."""
        with self._one_at_a_time:
            codes = self.second_factors.confirm(user_id, code, self.clock())
        if codes:
            self.store.audit(user_id, "second_factor_on", user_id)
        return codes

    def drop_second_factor(self, user_id: str, *, by: str) -> None:
        """Take a second factor away: by oneself, or by an administrator for a lost telephone."""
        self.get(user_id)
        self.second_factors.remove(user_id)
        self.store.audit(by, "second_factor_off", user_id)
        self.on_change(user_id)

    def needs_second(self, person: Person) -> bool:
        """Whether the settings want a second factor of one of the person's roles."""
        return person.has(frozenset(Role(name) for name in self.settings.second_factor))

    def _second(self, row: dict[str, Any]) -> str:
        if self.second_factors.enrolled(row["user_id"]):
            return CODE
        return ENROL if self.needs_second(person_of_row(row, must_change=False)) else ""

    def change_password(self, user_id: str, old: str, new: str) -> list[str]:
        """Change one's own password; returns the rules that it breaks (word keys), none when done.

        A wrong old password counts towards the lock-out like a wrong sign-in.
        """
        with self._one_at_a_time:
            return self._change_password(user_id, old, new)

    def _change_password(self, user_id: str, old: str, new: str) -> list[str]:
        now = self.clock()
        row = self._row(user_id)
        if row is None or row["disabled"]:
            return ["password.old_wrong"]
        if row["locked_until"] is not None and now < row["locked_until"]:
            return ["password.locked"]
        if not passwords.matches(row["password_hash"], old):
            self._wrong(row, now, "")
            return ["password.old_wrong"]
        found = passwords.faults(new, user_id, least=self.settings.password_length)
        if not found and self._used_before(row, new):
            found = ["password.used_before"]
        if not found:
            self._set_password(user_id, new, must_change=False)
            self.store.audit(user_id, "password_changed", user_id)
            self.on_change(user_id)
        return found

    def add(
        self,
        user_id: str,
        name: str,
        roles: frozenset[Role],
        *,
        password: str,
        team: str | None = None,
        agent: str | None = None,
        must_change: bool = True,
        by: str = "cli",
    ) -> Account:
        """Add a user; a broken rule or a name that is taken is a SettingsError."""
        if not user_id.isidentifier() and not user_id.isalnum():
            raise SettingsError("a user id is letters, digits and _ only", remedy="choose another")
        if not roles:
            raise SettingsError("a user needs a role", remedy="one of " + ", ".join(Role))
        if Role.AGENT in roles and not agent:
            raise SettingsError(
                "an agent needs the extension whose calls are theirs", remedy="give --agent"
            )
        if found := passwords.faults(password, user_id, least=self.settings.password_length):
            raise SettingsError(
                "the password breaks the rules: " + ", ".join(f.split(".")[1] for f in found),
                remedy=f"at least {self.settings.password_length} characters of three kinds"
                " (lower, upper, digit, other), without the user id",
            )
        if self._row(user_id) is not None:
            raise SettingsError(f"user {user_id} exists already", remedy="choose another id")
        now = self.clock()
        values = {
            "user_id": user_id,
            "name": name or user_id,
            "role": roles_text(roles),
            "team": team or None,
            "agent": agent or None,
            "hash": passwords.new_hash(password),
            "now": now,
            "must": must_change,
        }

        def insert(cursor: Cursor) -> None:
            cursor.execute(
                "INSERT INTO users (user_id, name, role, team, agent, password_hash, password_at,"
                " must_change, failed, disabled, created_at) VALUES ($user_id, $name, $role,"
                " $team, $agent, $hash, $now, $must, 0, false, $now)",
                values,
            )
            if Role.AGENT in roles:
                cursor.execute(
                    "INSERT OR REPLACE INTO agents (agent, name, team)"
                    " VALUES ($agent, $name, $team)",
                    {key: values[key] for key in ("agent", "name", "team")},
                )

        self.store.write(insert)
        self.store.audit(by, "user_added", user_id, {"roles": roles_text(roles)})
        return self.get(user_id)

    def reset_password(self, user_id: str, password: str, *, by: str) -> None:
        """Set somebody's password; it must be changed at the next sign-in. Unlocks too."""
        self.get(user_id)
        if passwords.faults(password, user_id, least=self.settings.password_length):
            raise SettingsError(
                "the password breaks the rules",
                remedy=f"at least {self.settings.password_length} characters of three kinds",
            )
        self._set_password(user_id, password, must_change=True)
        self._update(user_id, failed=0, locked_until=None)
        self.store.audit(by, "password_reset", user_id)
        self.on_change(user_id)

    def set_disabled(self, user_id: str, disabled: bool, *, by: str) -> None:
        """Close an account or open it again; the last open administrator stays."""
        account = self.get(user_id)
        if disabled and Role.ADMIN in account.roles:
            others = [
                a
                for a in self.all()
                if Role.ADMIN in a.roles and not a.disabled and a.user_id != user_id
            ]
            if not others:
                raise SettingsError(
                    "this is the last administrator", remedy="add another one first"
                )
        self._update(user_id, disabled=disabled)
        self.store.audit(by, "user_disabled" if disabled else "user_enabled", user_id)
        self.on_change(user_id)

    def unlock(self, user_id: str, *, by: str) -> None:
        """Lift a lock before its time."""
        self.get(user_id)
        self._update(user_id, failed=0, locked_until=None)
        self.store.audit(by, "user_unlocked", user_id)

    def get(self, user_id: str) -> Account:
        """One account; an unknown one is a SettingsError."""
        row = self._row(user_id)
        if row is None:
            raise SettingsError(f"no user {user_id}", remedy="sansheng user list shows them")
        return account_of(row)

    def person(self, user_id: str) -> Person | None:
        """The user as a person at the door (for API tokens); None when closed or unknown."""
        row = self._row(user_id)
        if row is None or row["disabled"]:
            return None
        return person_of_row(row, must_change=False)

    def all(self) -> list[Account]:
        """Every account, by id."""
        return [account_of(row) for row in self.store.rows(f"{_SELECT} ORDER BY user_id")]

    def _row(self, user_id: str) -> dict[str, Any] | None:
        found = self.store.rows(f"{_SELECT} WHERE user_id = $user_id", {"user_id": user_id})
        return found[0] if found else None

    def _wrong(self, row: dict[str, Any], now: datetime, address: str) -> Outcome:
        user_id, failed = row["user_id"], row["failed"] + 1
        self.store.audit(user_id, "login_failed", address)
        if failed < self.settings.lock_after:
            self._update(user_id, failed=failed)
            return Outcome.WRONG
        until = now + timedelta(minutes=self.settings.lock_minutes)
        self._update(user_id, failed=0, locked_until=until)
        self.store.audit(user_id, "locked", address)
        return Outcome.LOCKED

    def _used_before(self, row: dict[str, Any], new: str) -> bool:
        old = self.store.rows(
            "SELECT password_hash FROM password_history WHERE user_id = $user_id"
            " ORDER BY changed_at DESC LIMIT $many",
            {"user_id": row["user_id"], "many": self.settings.password_history},
        )
        hashes = [row["password_hash"], *(o["password_hash"] for o in old)]
        return any(passwords.matches(h, new) for h in hashes)

    def _set_password(self, user_id: str, password: str, *, must_change: bool) -> None:
        values = {
            "user_id": user_id,
            "hash": passwords.new_hash(password),
            "now": self.clock(),
            "must": must_change,
        }

        def change(cursor: Cursor) -> None:
            cursor.execute(
                "INSERT INTO password_history (user_id, password_hash, changed_at)"
                " SELECT user_id, password_hash, password_at FROM users WHERE user_id = $user_id",
                {"user_id": user_id},
            )
            cursor.execute(
                "UPDATE users SET password_hash = $hash, password_at = $now, must_change = $must"
                " WHERE user_id = $user_id",
                values,
            )

        self.store.write(change)

    def _update(self, user_id: str, **values: object) -> None:
        sets = ", ".join(f"{column} = ${column}" for column in values)
        self.store.write(
            lambda cursor: cursor.execute(
                f"UPDATE users SET {sets} WHERE user_id = $user_id",
                {"user_id": user_id, **values},
            )
        )


def first_run(store: Store, settings: PortalSettings | None = None) -> FirstLogin | None:
    """Make the first administrator when there is no user at all; None when there is one.

    The password is random, works once (it must be changed at the first sign-in), and is known to
    nobody but the caller, who shows it once.
    """
    accounts = Accounts(store, settings or PortalSettings())
    if accounts.all():
        return None
    length = max(_FIRST_PASSWORD_LENGTH, accounts.settings.password_length)
    password = passwords.random_password(length)
    accounts.add(
        FIRST_USER,
        "管理员",
        frozenset({Role.ADMIN, Role.QA, Role.SUPERVISOR}),
        password=password,
        by="first_run",
    )
    return FirstLogin(user_id=FIRST_USER, password=password)
