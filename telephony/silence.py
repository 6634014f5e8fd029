"""A call's legs watched by their RTP: one that has gone, and one of which no voice ever came.

A telephone that is muted or leaves silence out may send no RTP for minutes, and lives: it still
sends RTCP (RFC 3550 6.2). So only a leg that gives no sign of either kind is given up, and none
while either side holds the call or has a direction closed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from calls.call import Channel


@dataclass(frozen=True, slots=True)
class Signs:
    """What a leg's present stream has received so far."""

    packets: int = 0
    """RTP packets."""
    reports: int = 0
    """RTCP reports on what we send."""


@dataclass(slots=True)
class _Side:
    signs: Signs
    alive_ms: float
    """When it last gave a sign, or could not be asked to."""
    heard_ms: float
    """The same for RTP alone."""
    spoke: bool = False
    """Whether any RTP ever came."""
    showed: bool = False
    """Whether any sign ever came."""


class Silence:
    """The two sides of one call, from its answer on."""

    def __init__(self, lost_s: int, never_s: int) -> None:
        """``lost_s`` without a sign from a leg that gave one before, ``never_s`` from another."""
        self._lost_ms, self._never_ms = lost_s * 1000, never_s * 1000
        self._sides: dict[Channel, _Side] = {}

    def begin(self, channel: Channel, now_ms: float) -> None:
        """Watch a side from now on: at the answer, and when another leg takes its place."""
        self._sides[channel] = _Side(Signs(), now_ms, now_ms)

    def look(self, signs: Mapping[Channel, Signs], now_ms: float, *, open_: bool) -> Channel | None:
        """Take the signs of each side in; the first that is lost comes back.

        ``open_`` says that audio may flow both ways on both legs.
        """
        for channel, side in self._sides.items():
            fresh = signs[channel]
            if fresh.packets != side.signs.packets or not open_:
                side.heard_ms = now_ms
            if fresh != side.signs or not open_:
                side.alive_ms = now_ms
            side.spoke = side.spoke or fresh.packets > 0
            side.showed = side.showed or fresh != Signs()
            side.signs = fresh
        return next((c for c, s in self._sides.items() if self._is_lost(s, now_ms)), None)

    def mute(self, now_ms: float) -> Channel | None:
        """A side of which no voice has come yet, though it is more than time."""
        late = (
            channel
            for channel, side in self._sides.items()
            if not side.spoke and now_ms - side.heard_ms >= self._lost_ms
        )
        return next(late, None)

    def never(self, channel: Channel) -> bool:
        """Whether a side never gave a sign."""
        return not self._sides[channel].showed

    def _is_lost(self, side: _Side, now_ms: float) -> bool:
        return now_ms - side.alive_ms >= (self._lost_ms if side.showed else self._never_ms)
