"""What a rule answers: a status, a Chinese sentence, and the places that it rests on."""

from dataclasses import dataclass

from calls.hit import Status
from calls.scorecard import Evidence
from scoring.sections import Rule

_NUMERALS = "零一二三四五六七八九十"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One rule's answer on one call."""

    status: Status
    said: str
    """The explanation."""
    evidence: tuple[Evidence, ...] = ()
    veto: bool = False
    lost: float = 1.0
    """Share of the weight, 0–1, that a failure costs."""


def verdict(
    rule: Rule,
    status: Status,
    sentence: str,
    *,
    evidence: tuple[Evidence, ...] = (),
    veto: bool = False,
    lost: float = 1.0,
    **fields: object,
) -> Verdict:
    """A verdict whose explanation is the rule's ``sentence`` with its placeholders filled."""
    return Verdict(status, rule.say[sentence].format(**fields), evidence, veto, lost)


def seconds(ms: int) -> str:
    """Milliseconds as seconds with one decimal, cut and not rounded: 14.999 s is not 15.0."""
    return f"{ms // 1000}.{ms % 1000 // 100}"


def clock(ms: int) -> str:
    """Milliseconds as ``m:ss``, the way a player shows them."""
    return f"{ms // 60_000}:{ms // 1000 % 60:02d}"


def numeral(number: int) -> str:
    """A small number in Chinese characters, as in 三声."""
    return _NUMERALS[number] if 0 <= number < len(_NUMERALS) else str(number)
