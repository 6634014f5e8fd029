"""A scorecard after people have spoken: their rulings over the automatic verdicts.

Pure functions: the automatic scorecard is never changed; a revised one is made beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from calls.hit import Finding, Severity, Status
from calls.scorecard import Item, Scorecard

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


def revise(card: Scorecard, rulings: Sequence[Ruling]) -> Revised:
    """Apply rulings in order of time, so that the later one stands.

    A ruling on a finding moves its item too: any failed finding fails it, else any in review
    leaves it in review, else it passes.
    """
    findings = list(card.findings)
    ruled: set[int] = set()
    items = {item.rule: item for item in card.items}
    for ruling in rulings:
        if ruling.rule not in items:
            continue
        if ruling.finding is None:
            items[ruling.rule] = _ruled(items[ruling.rule], ruling.status)
        elif 0 <= ruling.finding < len(findings):
            findings[ruling.finding] = replace(findings[ruling.finding], status=ruling.status)
            ruled.add(ruling.finding)
            items[ruling.rule] = _item_from_findings(items[ruling.rule], findings, ruled)
    kept = tuple(items[item.rule] for item in card.items)
    return Revised(items=kept, findings=tuple(findings), score=score_of(kept))


def score_of(items: Sequence[Item]) -> float | None:
    """Σ earned / Σ applicable × 100 to one decimal, as the judge counts; None without any."""
    counted = [i for i in items if i.status is not Status.NA]
    applicable = sum(i.weight for i in counted)
    if applicable <= 0:
        return None
    return round(min(100.0, max(0.0, sum(i.earned for i in counted) / applicable * 100)), 1)


def _item_from_findings(item: Item, findings: Sequence[Finding], ruled: set[int]) -> Item:
    mine = [(place in ruled, f) for place, f in enumerate(findings) if f.rule == item.rule]
    states = {f.status for _, f in mine}
    status = next((s for s in (Status.FAIL, Status.REVIEW) if s in states), Status.PASS)
    moved = replace(_ruled(item, status), veto=item.veto)
    if item.veto is None:
        return moved
    critical = [(heard, f.status) for heard, f in mine if f.severity is Severity.CRITICAL]
    if (True, Status.FAIL) in critical:
        return replace(moved, veto="confirmed")
    waiting = any(not heard and s in (Status.FAIL, Status.REVIEW) for heard, s in critical)
    return replace(moved, veto="pending" if waiting else "lifted")


def _ruled(item: Item, status: Status) -> Item:
    veto = item.veto
    if veto is not None and status is not Status.REVIEW:
        veto = "confirmed" if status is Status.FAIL else "lifted"
    if status is item.status:
        return replace(item, veto=veto)
    earned = item.weight if status is Status.PASS else 0.0
    return replace(item, status=status, earned=earned, veto=veto)
