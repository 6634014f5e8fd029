"""How long a process that died waits for its next start: longer with each death in a row.

One that dies at every start must not take the machine's time from those that carry calls.
"""

_WAITS_S = (0.2, 0.5, 1, 2, 5, 10, 30)
_STEADY_S = 60
"""A process that lived longer than this has its next death counted as the first."""


class BackOff:
    """The deaths in a row of one process."""

    def __init__(self) -> None:
        self.deaths = 0

    def died(self, lived_s: float) -> float:
        """Count a death; the seconds until the next start come back."""
        if lived_s > _STEADY_S:
            self.deaths = 0
        wait_s = _WAITS_S[min(self.deaths, len(_WAITS_S) - 1)]
        self.deaths += 1
        return wait_s
