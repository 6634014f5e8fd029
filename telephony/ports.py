"""Free ports for trials on loopback: the demo's, and the tests'."""

import itertools
import random
import socket

_FIRST, _COUNT, _STRIDE = 10_000, 10_995, 224
"""Even ports only; the stride has no factor in common with the count, so that every port comes
before any comes twice."""
_places = itertools.count(random.SystemRandom().randrange(_COUNT))


def free_ports(count: int) -> list[int]:
    """Even UDP and TCP ports that nobody has, each with room for a range of RTP ports after it.

    They are below those that the system hands out, which would go to another process before
    whoever asked has taken them.
    """
    ports: list[int] = []
    while len(ports) < count:
        port = _FIRST + 2 * (next(_places) * _STRIDE % _COUNT)
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
        ):
            try:
                udp.bind(("127.0.0.1", port))
                tcp.bind(("127.0.0.1", port))
            except OSError:
                continue
        ports.append(port)
    return ports
