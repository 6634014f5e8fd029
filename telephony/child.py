"""A tap process: ``python -m telephony.child``, started by the supervisor, not by hand.

Its orders come as one JSON line on stdin; it says ``ready`` and then its health once a second, a
JSON line each, on stdout. SIGTERM, or the end of its supervisor, drains it.
"""

import os
import resource
import signal
import sys
from pathlib import Path
from types import FrameType

import msgspec
import structlog

from calls.errors import SanshengError
from calls.handover import Spool
from telephony.endpoint import Endpoint
from telephony.settings import TapSettings
from telephony.talk import Talk

_HEALTH_MS = 1000


def main() -> int:
    """Run one tap process until it is told to stop."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    # A call takes eight descriptors; the common limit of 1024 would end at 120 calls.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    orders = msgspec.json.decode(sys.stdin.buffer.readline())
    settings = TapSettings.model_validate(orders["settings"])
    talk = Talk()
    stopping = False
    parent = os.getppid()

    def on_signal(_signal: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        endpoint = Endpoint(settings, Spool(Path(orders["spool"])), orders["index"])
    except SanshengError as error:
        talk.say({"failed": error.message, "remedy": error.remedy})
        return 1
    talk.say({"ready": endpoint.port})
    told_ms = 0.0

    def tell_health() -> None:
        nonlocal told_ms
        now = endpoint.clock.now()
        if now.monotonic_ms - told_ms < _HEALTH_MS:
            return
        told_ms = now.monotonic_ms
        talk.say(
            {
                "calls": len(endpoint.sessions),
                "draining": endpoint.draining,
                "refused": endpoint.refused,
                "live": [msgspec.to_builtins(s.live) for s in endpoint.sessions if s.live],
                "registrations": [
                    {
                        "name": r.address,
                        "state": r.state,
                        "code": r.code,
                        "since": r.since.at.isoformat(),
                    }
                    for r in endpoint.registrations
                    if r.is_ours
                ],
                "last_sip": endpoint.last_sip.at.isoformat() if endpoint.last_sip else None,
                "last_call": endpoint.last_call.at.isoformat() if endpoint.last_call else None,
            }
        )

    endpoint.run(lambda: stopping or os.getppid() != parent, tell_health)
    endpoint.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
