"""Sessions: state on the server, a signed identifier in the cookie, two ways to end by time.

They live in the service's memory: a restart signs everybody out. Times are seconds of a monotonic
clock that is passed in.
"""

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from itsdangerous import BadSignature, Signer

from portal.access import Person

_MOST = 20_000
"""Sessions kept; beyond it the longest idle one is signed out."""
_TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One signed-in browser."""

    person: Person
    csrf: str
    started: float
    seen: float


@dataclass
class Sessions:
    """All sessions of this service."""

    idle_s: float
    longest_s: float
    clock: Callable[[], float]
    _signer: Signer = field(default_factory=lambda: Signer(secrets.token_bytes(_TOKEN_BYTES)))
    _open: dict[str, Session] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, person: Person) -> str:
        """Open a session under a new identifier and return the cookie's value.

        The identifier is always the server's own: one that a browser brought along is never taken
        over (session fixation).
        """
        now = self.clock()
        key = secrets.token_urlsafe(_TOKEN_BYTES)
        session = Session(
            person=person, csrf=secrets.token_urlsafe(_TOKEN_BYTES), started=now, seen=now
        )
        with self._lock:
            self._expire(now)
            self._open[key] = session
        return self._signer.sign(key.encode()).decode()

    def find(self, cookie: str | None) -> Session | None:
        """The session of a cookie, its idle time begun anew; None when there is none (any more)."""
        key = self._key(cookie)
        now = self.clock()
        with self._lock:
            session = self._open.get(key) if key else None
            if session is None or key is None:
                return None
            if self._over(session, now):
                del self._open[key]
                return None
            self._open[key] = session = replace(session, seen=now)
            return session

    def lives(self, cookie: str | None) -> bool:
        """Whether a cookie's session is still open, without counting this as a sign of life."""
        key, now = self._key(cookie), self.clock()
        with self._lock:
            session = self._open.get(key) if key else None
            return session is not None and not self._over(session, now)

    @staticmethod
    def owns(session: Session, token: str) -> bool:
        """Whether a form's token is this session's own."""
        return secrets.compare_digest(session.csrf.encode(), token.encode())

    def end(self, cookie: str | None) -> None:
        """Sign one browser out."""
        with self._lock:
            self._open.pop(self._key(cookie) or "", None)

    def end_all(self, user_id: str) -> None:
        """Sign a user out everywhere: after a change of password, role or state."""
        with self._lock:
            self._open = {k: s for k, s in self._open.items() if s.person.user_id != user_id}

    def _key(self, cookie: str | None) -> str | None:
        try:
            return self._signer.unsign(cookie).decode() if cookie else None
        except BadSignature:
            return None

    def _over(self, session: Session, now: float) -> bool:
        return now - session.seen > self.idle_s or now - session.started > self.longest_s

    def _expire(self, now: float) -> None:
        self._open = {k: s for k, s in self._open.items() if not self._over(s, now)}
        while len(self._open) >= _MOST:
            del self._open[min(self._open, key=lambda k: self._open[k].seen)]


@dataclass
class DoorToken:
    """Ties the sign-in form to the browser that asked for it (login CSRF), without any state."""

    _signer: Signer = field(default_factory=lambda: Signer(secrets.token_bytes(_TOKEN_BYTES)))

    def new(self) -> tuple[str, str]:
        """A cookie's value and the form field that belongs to it."""
        cookie = secrets.token_urlsafe(_TOKEN_BYTES)
        return cookie, self.field_for(cookie)

    def field_for(self, cookie: str) -> str:
        """The form field that belongs to a cookie."""
        return self._signer.get_signature(cookie.encode()).decode()

    def fits(self, cookie: str | None, token: str | None) -> bool:
        """Whether cookie and form field belong together."""
        if not cookie or not token or not token.isascii():
            return False
        return secrets.compare_digest(self.field_for(cookie), token)
