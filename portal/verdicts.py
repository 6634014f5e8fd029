"""A scorecard after people have spoken: their rulings over the automatic verdicts.

Pure functions: the automatic scorecard is never changed; a revised one is made beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from calls.hit import Finding, Severity, Status
from calls.scorecard import Item, Scorecard
from portal.ports import Prices

VETOED_SCORE = 0.0
"""一票否决: what a confirmed veto leaves of a call's score."""

PRICES: Prices = MappingProxyType(
    {Severity.CRITICAL: 1.0, Severity.MAJOR: 1.0, Severity.MINOR: 0.0}
)
"""Share of its rule's weight that a failed finding costs, in the bundled rules."""

WHOLE_CALL = "*"
"""The rule of a ruling on a call as a whole (a sample that was heard and found right)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What a person says a rule's item, or one finding under it, is."""

    rule: str
    finding: int | None
    """Index in ``Scorecard.findings``; None: the item itself."""
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Revised:
    """Items, findings and score once the rulings are applied."""

    items: tuple[Item, ...]
    findings: tuple[Finding, ...]
    score: float | None


def revise(card: Scorecard, rulings: Sequence[Ruling], prices: Prices = PRICES) -> Revised:
    """Apply rulings in order of time, so that the later one stands.

    A ruling on a finding moves its item too, as the judge weighs findings: those that fail cost
    their price, a doubt costs nothing. Calling a critical finding, or an item whose veto waits, a
    failure confirms the veto, and the score is then ``VETOED_SCORE``.
    """
    findings = list(card.findings)
    items = {item.rule: item for item in card.items}
    for ruling in rulings:
        if ruling.rule not in items:
            continue
        item = items[ruling.rule]
        if ruling.finding is None:
            items[ruling.rule] = _ruled(item, ruling.status)
        elif 0 <= ruling.finding < len(findings):
            finding = findings[ruling.finding]
            findings[ruling.finding] = replace(finding, status=ruling.status)
            moved = _weighed(item, [f for f in findings if f.rule == item.rule], prices)
            grave = finding.severity is Severity.CRITICAL and prices[Severity.CRITICAL] > 0
            if grave and ruling.status is Status.FAIL:
                moved = replace(moved, veto="confirmed")
            items[ruling.rule] = moved
    kept = tuple(items[item.rule] for item in card.items)
    return Revised(items=kept, findings=tuple(findings), score=score_of(kept))


def score_of(items: Sequence[Item]) -> float | None:
    """Σ earned / Σ applicable × 100 to one decimal, as the judge counts; None without any."""
    if any(item.veto == "confirmed" for item in items):
        return VETOED_SCORE
    counted = [i for i in items if i.status is not Status.NA]
    applicable = sum(i.weight for i in counted)
    if applicable <= 0:
        return None
    return round(min(100.0, max(0.0, sum(i.earned for i in counted) / applicable * 100)), 1)


def _weighed(item: Item, findings: Sequence[Finding], prices: Prices) -> Item:
    """The item as its findings now stand; a veto that was spoken on stays spoken on."""
    priced = [f for f in findings if prices[f.severity] > 0]
    failed = [f for f in priced if f.status is Status.FAIL]
    if failed:
        lost = min(1.0, sum(prices[f.severity] for f in failed))
        if any(f.severity is Severity.CRITICAL for f in failed):
            veto: str | None = item.veto or "pending"
        else:
            veto = _lifted(item)
        return replace(item, status=Status.FAIL, earned=item.weight * (1 - lost), veto=veto)
    doubted = any(f.status is Status.REVIEW for f in priced)
    status = Status.REVIEW if doubted else Status.PASS
    return replace(item, status=status, earned=item.weight, veto=_lifted(item))


def _ruled(item: Item, status: Status) -> Item:
    """An item that a person ruled on as a whole; what no longer fails has no veto."""
    veto = item.veto if status is Status.FAIL else _lifted(item)
    if veto == "pending":
        veto = "confirmed"
    if status is item.status:
        return replace(item, veto=veto)
    earned = item.weight if status is Status.PASS else 0.0
    return replace(item, status=status, earned=earned, veto=veto)


def _lifted(item: Item) -> str | None:
    return "lifted" if item.veto else None
