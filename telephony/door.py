"""Who is let in: networks by address, and so many new calls a second from each.

The door is asked once for every INVITE, before anything of it is believed. A flood from one peer
must not fill the disk with journals, nor keep another peer's calls out.
"""

import ipaddress
from collections.abc import Iterable

_MOST_PEERS = 4096
"""Peers remembered at once; only allowed ones are, so that strangers cannot fill the memory."""


class Door:
    """The allowed networks and a token bucket for each peer that comes from them."""

    def __init__(self, networks: Iterable[str], calls_a_second: float) -> None:
        """``calls_a_second`` new calls from each address, twice as many in one burst.

        Errors: ValueError when a network is not in CIDR form.
        """
        self._networks = [ipaddress.ip_network(network) for network in networks]
        self._rate = calls_a_second
        self._burst = max(1.0, 2 * calls_a_second)
        self._buckets: dict[str, tuple[float, float]] = {}

    def allows(self, source: str) -> bool:
        """Whether an IP address belongs to an allowed network; anything else does not."""
        try:
            address = ipaddress.ip_address(source)
        except ValueError:
            return False
        return any(address in network for network in self._networks)

    def admits(self, source: str, now_ms: float) -> bool:
        """Take a token of this peer's for one more call; False when it calls too often."""
        if len(self._buckets) >= _MOST_PEERS and source not in self._buckets:
            del self._buckets[next(iter(self._buckets))]
        tokens, since_ms = self._buckets.pop(source, (self._burst, now_ms))
        tokens = min(self._burst, tokens + (now_ms - since_ms) / 1000 * self._rate)
        admitted = tokens >= 1
        self._buckets[source] = (tokens - admitted, now_ms)
        return admitted
