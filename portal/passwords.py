"""Passwords: argon2id hashes and the rules for a new one; the only user of argon2."""

import secrets
import string

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_ALPHABET = string.ascii_letters + string.digits
_CLASSES = 3
"""Kinds of character a password needs, of four: lower, upper, digit, other."""
_LONGEST = 256
"""Longest password that is hashed: a longer one is only a way to burn the server's time."""
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
"""OWASP's figures for argon2id: 19 MiB, two passes."""
_NOBODY = _HASHER.hash("nobody has this one")
"""Checked where the user is unknown, so that the answer takes as long as for a known one."""


def new_hash(password: str) -> str:
    """The argon2id hash of a password, with its salt and parameters."""
    return _HASHER.hash(password)


def matches(stored: str | None, password: str) -> bool:
    """Whether the password is the stored one's; an unknown user (None) costs the same time."""
    if len(password) > _LONGEST:
        return False
    try:
        right = _HASHER.verify(stored or _NOBODY, password)
    except (VerificationError, InvalidHashError):
        return False
    return right and stored is not None


def outdated(stored: str) -> bool:
    """Whether the hash was made with weaker parameters than today's."""
    return _HASHER.check_needs_rehash(stored)


def faults(password: str, user_id: str, *, least: int) -> list[str]:
    """The rules that a new password breaks, as word keys; empty when it is good."""
    found = []
    if len(password) < least:
        found.append("password.too_short")
    if len(password) > _LONGEST:
        found.append("password.too_long")
    kinds = sum(
        any(test(c) for c in password)
        for test in (str.islower, str.isupper, str.isdigit, lambda c: not c.isalnum())
    )
    if kinds < _CLASSES:
        found.append("password.too_plain")
    if user_id and user_id.lower() in password.lower():
        found.append("password.holds_name")
    return found


def random_password(length: int) -> str:
    """A password for a first sign-in, of letters and digits that follow the rules."""
    while True:
        word = "".join(secrets.choice(_ALPHABET) for _ in range(length))
        if not faults(word, "", least=length):
            return word
