"""Who is let in: by address, by digest, and so many new calls a second from each.

The door is asked once for every INVITE, before anything of it is believed. A flood from one peer
must not fill the disk with journals, nor keep another peer's calls out; a stranger gets few guesses
at a password.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from telephony.digest import Guard, Verdict

_MOST_PEERS = 4096
"""Peers remembered at once, by each of the two budgets."""
_GUESSES_A_SECOND, _GUESSES = 0.1, 5
_UNAUTHORIZED, _FORBIDDEN, _OVERLOADED = 401, 403, 503


class Budget:
    """A token bucket for each peer: so many a second, and so many in one burst."""

    def __init__(self, a_second: float, burst: float) -> None:
        self._rate, self._burst = a_second, burst
        self._buckets: dict[str, tuple[float, float]] = {}

    def has(self, peer: str, now_ms: float) -> bool:
        """Whether a token is left."""
        return self._tokens(peer, now_ms) >= 1

    def take(self, peer: str, now_ms: float) -> bool:
        """Take a token; False when there is none."""
        tokens = self._tokens(peer, now_ms)
        self._buckets.pop(peer, None)
        if len(self._buckets) >= _MOST_PEERS:
            del self._buckets[next(iter(self._buckets))]
        taken = tokens >= 1
        self._buckets[peer] = (tokens - taken, now_ms)
        return taken

    def __len__(self) -> int:
        return len(self._buckets)

    def _tokens(self, peer: str, now_ms: float) -> float:
        tokens, since_ms = self._buckets.get(peer, (self._burst, now_ms))
        return min(self._burst, tokens + (now_ms - since_ms) / 1000 * self._rate)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The answer to a peer that is not let in."""

    code: int
    headers: tuple[tuple[str, str], ...] = ()


class Door:
    """The allowed networks, the guard that asks for passwords, and each peer's budget of calls."""

    def __init__(
        self,
        networks: Iterable[str],
        calls_a_second: float,
        guard: Guard | None = None,
        peers_by: Literal["address", "digest", "either", "both"] = "address",
        retry_after_s: int = 5,
    ) -> None:
        """``calls_a_second`` new calls from each address, twice as many in one burst.

        Errors: ValueError when a network is not in CIDR form.
        """
        self._networks = [ipaddress.ip_network(network) for network in networks]
        self.calls = Budget(calls_a_second, max(1.0, 2 * calls_a_second))
        self.guesses = Budget(_GUESSES_A_SECOND, _GUESSES)
        self._guard, self._peers_by = guard, peers_by
        self.overload = Refusal(_OVERLOADED, (("Retry-After", str(retry_after_s)),))

    def allows(self, source: str) -> bool:
        """Whether an IP address belongs to an allowed network; anything else does not."""
        try:
            address = ipaddress.ip_address(source)
        except ValueError:
            return False
        return any(address in network for network in self._networks)

    def refusal(self, source: str, message: str, now_ms: float) -> Refusal | None:
        """What an INVITE from this address is refused with; None lets it in.

        Letting in takes one of the peer's calls.
        """
        near = self.allows(source)
        if (
            self._guard is None
            or self._peers_by == "address"
            or (near and self._peers_by == "either")
        ):
            refused = None if near else Refusal(_FORBIDDEN)
        elif self._peers_by == "both" and not near:
            refused = Refusal(_FORBIDDEN)
        else:
            refused = self._ask(self._guard, source, message, now_ms)
        if refused is None and not self.calls.take(source, now_ms):
            return self.overload
        return refused

    def _ask(self, guard: Guard, source: str, message: str, now_ms: float) -> Refusal | None:
        """Judge the digest; an address that guessed too often is not listened to for a while."""
        if not self.guesses.has(source, now_ms):
            return Refusal(_FORBIDDEN)
        verdict = guard.judge("INVITE", message, now_ms)
        if verdict is Verdict.RIGHT:
            return None
        if verdict is Verdict.WRONG:
            self.guesses.take(source, now_ms)
            return Refusal(_FORBIDDEN)
        challenges = guard.challenges(now_ms, stale=verdict is Verdict.STALE)
        return Refusal(_UNAUTHORIZED, tuple(("WWW-Authenticate", value) for value in challenges))
