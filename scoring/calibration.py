"""How far the machine, and people among themselves, can be trusted: agreement and error rates.

Shares come with Wilson score intervals (E. B. Wilson, 1927), which stay honest for small numbers
and for shares of 0 and 1.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from calls.hit import Status

Z_95 = 1.959963984540054
"""Standard normal quantile of a two-sided 95 % interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What the machine and one person said of one rule on one call."""

    call_id: str
    rule: str
    automatic: Status
    person: Status
    reviewer: str
    phrase_id: str = ""
    """The phrase in question, where the rule is about one."""


@dataclass(frozen=True, slots=True)
class Share:
    """A share of a count with its 95 % interval; ``value`` is None where nothing was counted."""

    hits: int
    count: int
    value: float | None
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """How one automatic rule does against people."""

    rule: str
    judged: int
    precision: Share
    """Of the automatic failures, those that people call failures."""
    recall: Share
    """Of people's failures, those that the machine failed."""
    noticed: Share
    """Of people's failures, those that the machine failed or sent to review."""
    review_yield: Share
    """Of the reviews, those that people call failures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overruled:
    """How often people overrule a rule or a phrase."""

    name: str
    share: Share


def share(hits: int, count: int, z: float = Z_95) -> Share:
    """A share with its Wilson score interval. ``0 ≤ hits ≤ count``, else ValueError."""
    if not 0 <= hits <= count:
        raise ValueError(f"{hits} of {count} is no share")
    if count == 0:
        return Share(0, 0, None, 0.0, 1.0)
    value = hits / count
    spread = z * z / count
    centre = (value + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(value * (1 - value) / count + spread / (4 * count))
    # The exact bounds at 0 and 1, which rounding would miss by a hair.
    low = 0.0 if hits == 0 else max(0.0, centre - half)
    high = 1.0 if hits == count else min(1.0, centre + half)
    return Share(hits, count, value, low, high)


def cohen_kappa(pairs: Iterable[tuple[Status, Status]]) -> float | None:
    """Agreement of two raters beyond chance, −1…1 (J. Cohen, 1960).

    None where it is not defined: no pairs, or both used one and the same category throughout.
    """
    both = list(pairs)
    if not both:
        return None
    count = len(both)
    observed = sum(a is b for a, b in both) / count
    first, second = Counter(a for a, _ in both), Counter(b for _, b in both)
    expected = sum(first[s] * second[s] for s in first) / (count * count)
    if math.isclose(expected, 1.0):
        return None
    return (observed - expected) / (1 - expected)


def reviewer_agreement(judged: Iterable[Judged]) -> dict[str, tuple[float | None, int]]:
    """Cohen's κ and the number of pairs for each rule that two people heard on the same call.

    Of more than two, the first two by name are taken.
    """
    heard: dict[tuple[str, str, str], dict[str, Status]] = defaultdict(dict)
    for one in judged:
        heard[one.rule, one.call_id, one.phrase_id][one.reviewer] = one.person
    pairs: dict[str, list[tuple[Status, Status]]] = defaultdict(list)
    for (rule, _, _), said in sorted(heard.items()):
        if len(said) > 1:
            first, second = sorted(said)[:2]
            pairs[rule].append((said[first], said[second]))
    return {rule: (cohen_kappa(those), len(those)) for rule, those in pairs.items()}


def rule_quality(judged: Iterable[Judged]) -> tuple[Quality, ...]:
    """Precision and recall of every automatic rule against people, by rule name.

    What a person or the machine calls ``na`` is left out. Recall is only as good as the sample: on
    a queue of suspicions alone it says nothing of what nobody suspected.
    """
    groups: dict[str, list[Judged]] = defaultdict(list)
    for one in judged:
        if one.person in (Status.PASS, Status.FAIL) and one.automatic is not Status.NA:
            groups[one.rule].append(one)
    return tuple(_quality(rule, those) for rule, those in sorted(groups.items()))


def most_overruled(
    judged: Iterable[Judged],
    *,
    by: Callable[[Judged], str] = lambda one: one.rule,
    at_least: int = 5,
) -> tuple[Overruled, ...]:
    """The rules (or what ``by`` names, e.g. phrases) that people overrule most, worst first.

    Ordered by the lower end of the interval, so that one overruled call of one does not lead.
    Only what the machine failed can be overruled; an empty name is left out.
    """
    overruled: Counter[str] = Counter()
    counted: Counter[str] = Counter()
    for one in judged:
        name = by(one)
        if name and one.automatic is Status.FAIL and one.person is not Status.REVIEW:
            counted[name] += 1
            overruled[name] += one.person is not Status.FAIL
    rated = [
        Overruled(name=name, share=share(overruled[name], count))
        for name, count in counted.items()
        if count >= at_least
    ]
    return tuple(sorted(rated, key=lambda o: (-o.share.low, o.name)))


def _quality(rule: str, judged: Sequence[Judged]) -> Quality:
    def fails(automatic: Sequence[Status]) -> int:
        return sum(j.automatic in automatic and j.person is Status.FAIL for j in judged)

    bad = sum(j.person is Status.FAIL for j in judged)
    failed = sum(j.automatic is Status.FAIL for j in judged)
    reviewed = sum(j.automatic is Status.REVIEW for j in judged)
    return Quality(
        rule=rule,
        judged=len(judged),
        precision=share(fails((Status.FAIL,)), failed),
        recall=share(fails((Status.FAIL,)), bad),
        noticed=share(fails((Status.FAIL, Status.REVIEW)), bad),
        review_yield=share(fails((Status.REVIEW,)), reviewed),
    )
