"""What QA listens to today: all vetoes and reviews, and a fair random share of every agent.

Drawn with a seed, so that the draw can be repeated and nobody can say that it was picked.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from calls.hit import Status
from calls.scorecard import Scorecard


class Why(StrEnum):
    """Why a call is in the queue, in the order of the queue."""

    VETO = "veto"
    REVIEW = "review"
    RANDOM = "random"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A call of the day that has not been reviewed yet."""

    agent: str
    scorecard: Scorecard
    stratum: str = ""
    """Within an agent, the random share is spread over these (e.g. busy, idle, noon)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A place in the queue."""

    call_id: str
    agent: str
    why: Why
    rules: tuple[str, ...] = ()
    """The rules in question; none for a random call, which is heard whole."""
    confidence: float | None = None
    """Of the least sure finding in question, 0–1."""
    reviewers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is drawn."""

    share: float = 0.02
    """Random share of each agent's calls, 0–1."""
    at_least: int = 1
    """Random calls of an agent, where there are any."""
    twice: float = 0.1
    """Share of the queue that two reviewers hear, 0–1, for agreement."""


def daily_queue(calls: Iterable[Candidate], plan: Plan, *, seed: int) -> tuple[Entry, ...]:
    """Vetoes first, then reviews with the least sure first, then the random share.

    The order in which calls are passed in does not matter.
    """
    pressing: list[Entry] = []
    plain: dict[str, list[Candidate]] = {}
    totals: dict[str, int] = {}
    for call in sorted(calls, key=lambda c: c.scorecard.call_id):
        totals[call.agent] = totals.get(call.agent, 0) + 1
        entry = _pressing(call)
        if entry is None:
            plain.setdefault(call.agent, []).append(call)
        else:
            pressing.append(entry)
    order = {Why.VETO: 0, Why.REVIEW: 1}
    pressing.sort(
        key=lambda e: (order[e.why], 1.0 if e.confidence is None else e.confidence, e.call_id)
    )
    drawn = [
        Entry(call_id=call.scorecard.call_id, agent=agent, why=Why.RANDOM)
        for agent in sorted(plain)
        for call in _draw(
            plain[agent],
            max(plan.at_least, round(plan.share * totals[agent])),
            random.Random(f"{seed}/{agent}"),
        )
    ]
    return (*pressing, *drawn)


def assign(
    queue: Sequence[Entry], reviewers: Sequence[str], plan: Plan, *, seed: int
) -> tuple[Entry, ...]:
    """The queue with its reviewers: in turn, and a share of it to two of them.

    Without reviewers nobody is named; with one nothing is heard twice.
    """
    if not reviewers:
        return tuple(queue)
    dice = random.Random(seed)
    order = sorted(reviewers)
    dice.shuffle(order)
    double = round(plan.twice * len(queue)) if len(order) > 1 else 0
    twice = set(dice.sample(range(len(queue)), min(double, len(queue))))
    assigned: list[Entry] = []
    turn = 0
    for place, entry in enumerate(queue):
        count = 2 if place in twice else 1
        names = tuple(order[(turn + step) % len(order)] for step in range(count))
        turn += count
        assigned.append(
            Entry(
                call_id=entry.call_id,
                agent=entry.agent,
                why=entry.why,
                rules=entry.rules,
                confidence=entry.confidence,
                reviewers=names,
            )
        )
    return tuple(assigned)


def _pressing(call: Candidate) -> Entry | None:
    """The entry of a call that must be heard, if it must."""
    card = call.scorecard
    vetoes = tuple(item.rule for item in card.items if item.veto == "pending")
    reviews = tuple(item.rule for item in card.items if item.status is Status.REVIEW)
    rules = vetoes or reviews
    open_findings = [f for f in card.findings if f.status is Status.REVIEW]
    if not rules and not open_findings:
        return None
    sure = [f.confidence for f in card.findings if vetoes or f.status is Status.REVIEW]
    return Entry(
        call_id=card.call_id,
        agent=call.agent,
        why=Why.VETO if vetoes else Why.REVIEW,
        rules=rules or tuple(sorted({f.rule for f in open_findings})),
        confidence=min(sure, default=None),
    )


def _draw(calls: Sequence[Candidate], count: int, dice: random.Random) -> list[Candidate]:
    """``count`` calls, one stratum after the other in turn."""
    strata: dict[str, list[Candidate]] = {}
    for call in calls:
        strata.setdefault(call.stratum, []).append(call)
    piles = [strata[name] for name in sorted(strata)]
    for pile in piles:
        dice.shuffle(pile)
    dice.shuffle(piles)
    drawn: list[Candidate] = []
    while len(drawn) < count and any(piles):
        for pile in piles:
            if pile and len(drawn) < count:
                drawn.append(pile.pop())
    return drawn
