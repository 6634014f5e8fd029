"""四个一样: whether busy hours cost the caller service, by agent and by team, and how surely.

守则 9 wants busy and idle hours alike. A difference is reported with a bootstrap interval, only
from a minimum of calls, and with the line's quality beside it: a bad line must not pass for a bad
agent. All of it follows from sums over the calls, so that years of them are added up beforehand.
"""

from dataclasses import dataclass
from math import sqrt

_Z = 1.959964
"""The normal distribution's quantile of 97.5 %."""
_FULL = 100.0
_TENTHS = 10
_HUNDREDTHS = 100


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of a group of calls as sums over what each lost of 100, in tenths of a point."""

    many: int
    lost: int
    lost2: int
    """The sum of the squares; ``lost3`` and ``lost4`` of the third and fourth powers."""
    lost3: int
    lost4: int

    @property
    def mean(self) -> float | None:
        """The mean score; None without a score."""
        return _FULL - self.lost / self.many / _TENTHS if self.many else None


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines and scores of those calls of a group whose line is known, as sums over the calls.

    The mean opinion score in hundredths, what was lost of the score in tenths.
    """

    many: int
    mos: int
    mos2: int
    """The sum of the squares."""
    lost: int
    mos_lost: int
    """The sum of the products."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is known of a group's calls under one load, busy or idle."""

    scores: Scores
    lines: Lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """Busy less idle for one agent or team; negative: worse when busy."""

    difference: float | None = None
    """None with too few calls on either side."""
    low: float | None = None
    high: float | None = None
    """The 95 % bootstrap interval of the difference."""
    mos_difference: float | None = None
    """Busy less idle of the lines' quality, where known for enough calls."""
    adjusted: float | None = None
    """The difference that is left when line quality is held equal (least squares)."""


def parity(busy: Load, idle: Load, *, minimum: int) -> Parity:
    """Busy against idle; ``minimum`` calls on both sides are needed for a difference."""
    if min(busy.scores.many, idle.scores.many) < max(1, minimum):
        return Parity()
    more, less = _cumulants(idle.scores), _cumulants(busy.scores)
    difference = _Cumulants(
        more.first - less.first,
        more.second + less.second,
        more.third - less.third,
        more.fourth + less.fourth,
    )
    low, high = _interval(difference)
    mos_difference, adjusted = _line(busy.lines, idle.lines, minimum)
    return Parity(
        difference=difference.first,
        low=max(-_FULL, low),
        high=min(_FULL, high),
        mos_difference=mos_difference,
        adjusted=adjusted,
    )


def mean_interval(scores: Scores, *, minimum: int) -> tuple[float | None, float | None]:
    """The 95 % bootstrap interval of a mean score; None under ``minimum`` scores."""
    if scores.many < max(1, minimum):
        return None, None
    lost = _cumulants(scores)
    low, high = _interval(_Cumulants(_FULL - lost.first, lost.second, -lost.third, lost.fourth))
    return max(0.0, low), min(_FULL, high)


@dataclass(frozen=True, slots=True)
class _Cumulants:
    first: float
    second: float
    third: float
    fourth: float


def _cumulants(scores: Scores) -> _Cumulants:
    """The cumulants of the mean loss, in points, of samples drawn with replacement.

    The central moments are made of whole numbers: nothing is lost where sums nearly cancel.
    """
    n, a, b, c, d = scores.many, scores.lost, scores.lost2, scores.lost3, scores.lost4
    second = (n * b - a**2) / n**2
    third = (n**2 * c - 3 * n * a * b + 2 * a**3) / n**3
    fourth = (n**3 * d - 4 * n**2 * a * c + 6 * n * a**2 * b - 3 * a**4) / n**4
    return _Cumulants(
        a / n / _TENTHS,
        second / n / _TENTHS**2,
        third / n**2 / _TENTHS**3,
        (fourth - 3 * second**2) / n**3 / _TENTHS**4,
    )


def _interval(of: _Cumulants) -> tuple[float, float]:
    """The 2.5 and 97.5 % points of the bootstrap (B. Efron, 1979) without drawing a sample.

    What drawing ever more samples comes to: the expansion of E. A. Cornish and R. A. Fisher (1938)
    from the bootstrap distribution's own cumulants, which are known.
    """
    if of.second <= 0:
        return of.first, of.first
    deviation = sqrt(of.second)
    skew, excess = of.third / deviation**3, of.fourth / of.second**2

    def point(z: float) -> float:
        shift = (z**2 - 1) * skew / 6 + (z**3 - 3 * z) * excess / 24
        return of.first + deviation * (z + shift - (2 * z**3 - 5 * z) * skew**2 / 36)

    return point(-_Z), point(_Z)


def _line(busy: Lines, idle: Lines, minimum: int) -> tuple[float | None, float | None]:
    """What the lines differ by, and the score's difference with the line held equal."""
    if min(busy.many, idle.many) < max(1, minimum):
        return None, None
    better = busy.mos / busy.many - idle.mos / idle.many
    spread = sum((side.many * side.mos2 - side.mos**2) / side.many for side in (busy, idle))
    if spread == 0:
        return better / _HUNDREDTHS, None
    together = sum((x.many * x.mos_lost - x.mos * x.lost) / x.many for x in (busy, idle))
    difference = idle.lost / idle.many - busy.lost / busy.many
    return better / _HUNDREDTHS, (difference + together / spread * better) / _TENTHS
