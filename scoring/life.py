"""A scorecard's life: automatic, reviewed by QA, appealed by the agent, decided.

A life is the automatic scorecard and the sequence of what people did to it. Nothing is overwritten:
every state keeps its own score, and each event says who, when and why, so that an agent can see
how a score came to be. Times are aware datetimes that the caller passes in.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from calls.errors import RulesError
from calls.hit import Finding, Severity, Status
from calls.scorecard import Item, Scorecard
from scoring.judge import total
from scoring.phrases import RULE as FORBIDDEN
from scoring.phrases import judge_findings
from scoring.sections import ForbiddenPhrase

VETOED_SCORE = 0.0
"""一票否决: what a confirmed veto leaves of a call's score."""


class State(StrEnum):
    """Where a scorecard is in its life."""

    AUTOMATIC = "automatic"
    REVIEWED = "reviewed"
    APPEALED = "appealed"
    DECIDED = "decided"


class Veto(StrEnum):
    """What a person made of a pending veto."""

    CONFIRMED = "confirmed"
    LIFTED = "lifted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """A person's word on one rule's item, or on one finding of it."""

    rule: str
    status: Status
    """What it becomes: pass, fail or na; a person leaves nothing in review."""
    finding: int | None = None
    """Index in ``Scorecard.findings``; None is the item itself."""
    veto: Veto | None = None
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One step of the life."""

    state: State
    at: datetime
    by: str
    """Who: a user's id, or the service for the automatic score."""
    reason: str
    rulings: tuple[Ruling, ...] = ()
    rules: tuple[str, ...] = ()
    """What an appeal is about."""
    deadline: datetime | None = None
    """Until when the agent may appeal, or an appeal must be decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How long people have."""

    appeal: timedelta = timedelta(days=7)
    decision: timedelta = timedelta(days=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """A scorecard and all that has been done to it, oldest first."""

    scorecard: Scorecard
    events: tuple[Event, ...]

    @property
    def state(self) -> State:
        """The state it is in."""
        return self.events[-1].state

    @property
    def rulings(self) -> tuple[Ruling, ...]:
        """All rulings so far, the later over the earlier."""
        return tuple(ruling for event in self.events for ruling in event.rulings)

    def overdue(self, now: datetime) -> bool:
        """Whether an appeal has waited past its deadline."""
        last = self.events[-1]
        return last.state is State.APPEALED and last.deadline is not None and now > last.deadline


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a life's scorecard says after one of its events."""

    state: State
    score: float | None
    vetoed: bool
    items: tuple[Item, ...]


def begin(scorecard: Scorecard, *, at: datetime, by: str, terms: Terms) -> Life:
    """The life of a fresh scorecard: from now the agent may appeal."""
    _aware(at)
    event = Event(state=State.AUTOMATIC, at=at, by=by, reason="", deadline=at + terms.appeal)
    return Life(scorecard=scorecard, events=(event,))


def review(
    life: Life,
    *,
    at: datetime,
    by: str,
    reason: str,
    rulings: Iterable[Ruling],
    terms: Terms,
) -> Life:
    """QA's word on the scorecard; it may be given again until the agent appeals.

    The agent's time to appeal starts anew. Errors: RulesError for a state, ruling or time that
    does not fit.
    """
    if life.state not in (State.AUTOMATIC, State.REVIEWED):
        raise RulesError(
            f"a scorecard that is {life.state} cannot be reviewed",
            remedy="an appeal is settled by a decision",
        )
    event = Event(
        state=State.REVIEWED,
        at=at,
        by=by,
        reason=reason,
        rulings=tuple(rulings),
        deadline=at + terms.appeal,
    )
    return _with(life, event)


def appeal(
    life: Life, *, at: datetime, by: str, reason: str, rules: Iterable[str], terms: Terms
) -> Life:
    """The agent contests the verdict on some rules, within the deadline and with a reason.

    Errors: RulesError.
    """
    if life.state not in (State.AUTOMATIC, State.REVIEWED):
        raise RulesError(
            f"a scorecard that is {life.state} cannot be appealed",
            remedy="one appeal is open at a time, and a decision is final",
        )
    deadline = life.events[-1].deadline
    if deadline is not None and at > deadline:
        raise RulesError(
            f"the time to appeal ended on {deadline:%Y-%m-%d %H:%M %Z}",
            remedy="ask QA to review the call again",
        )
    contested = tuple(rules)
    known = {item.rule for item in life.scorecard.items}
    if not contested or not set(contested) <= known:
        raise RulesError("an appeal names rules of this scorecard", remedy="choose at least one")
    if not reason.strip():
        raise RulesError("an appeal needs a reason", remedy="say what is wrong with the verdict")
    event = Event(
        state=State.APPEALED,
        at=at,
        by=by,
        reason=reason,
        rules=contested,
        deadline=at + terms.decision,
    )
    return _with(life, event)


def decide(life: Life, *, at: datetime, by: str, reason: str, rulings: Iterable[Ruling]) -> Life:
    """The appeal's outcome, which is final; without rulings the appeal is turned down.

    Neither the agent who appealed nor the last reviewer decides. Errors: RulesError.
    """
    if life.state is not State.APPEALED:
        raise RulesError("there is no open appeal to decide", remedy="look at the call's history")
    parties = {event.by for event in life.events if event.state is not State.AUTOMATIC}
    if by in parties:
        raise RulesError(
            "an appeal is decided by somebody who had no part in it",
            remedy="pass it to another supervisor",
        )
    if not reason.strip():
        raise RulesError("a decision needs a reason", remedy="say why it stands or falls")
    made = tuple(rulings)
    contested = life.events[-1].rules
    if any(ruling.rule not in contested for ruling in made):
        raise RulesError(
            "a decision rules on what was appealed", remedy=f"appealed: {', '.join(contested)}"
        )
    event = Event(state=State.DECIDED, at=at, by=by, reason=reason, rulings=made)
    return _with(life, event)


def standings(life: Life, rule: ForbiddenPhrase) -> tuple[Standing, ...]:
    """The score after every event, the automatic one first; ``rule`` prices findings."""
    made: list[Standing] = []
    rulings: list[Ruling] = []
    for event in life.events:
        rulings += event.rulings
        items = apply(life.scorecard, rulings, rule)
        vetoed = any(item.veto == Veto.CONFIRMED for item in items)
        score = VETOED_SCORE if vetoed else total(items)
        made.append(Standing(state=event.state, score=score, vetoed=vetoed, items=items))
    return tuple(made)


def apply(
    scorecard: Scorecard, rulings: Sequence[Ruling], rule: ForbiddenPhrase
) -> tuple[Item, ...]:
    """The scorecard's items after people's rulings, the later ruling over the earlier."""
    findings = list(scorecard.findings)
    items = {item.rule: item for item in scorecard.items}
    for ruling in rulings:
        item = items[ruling.rule]
        if ruling.finding is not None:
            findings[ruling.finding] = replace(findings[ruling.finding], status=ruling.status)
            item = _rejudged(item, rule, findings)
        items[ruling.rule] = _ruled(item, ruling, scorecard)
    return tuple(items.values())


def _rejudged(item: Item, rule: ForbiddenPhrase, findings: Sequence[Finding]) -> Item:
    """The item as its findings now stand; a veto that was spoken on stays spoken on."""
    answer = judge_findings(rule, findings)
    failed = answer.status is Status.FAIL
    return replace(
        item,
        status=answer.status,
        earned=item.weight * (1 - answer.lost) if failed else item.weight,
        veto=(item.veto or "pending") if answer.veto and failed else None,
    )


def _ruled(item: Item, ruling: Ruling, scorecard: Scorecard) -> Item:
    """One item after one ruling; what no longer fails has no veto."""
    if ruling.finding is None:
        earned = {Status.PASS: item.weight, Status.FAIL: 0.0}.get(ruling.status, 0.0)
        if ruling.status is not item.status:
            item = replace(item, status=ruling.status, earned=earned)
    if item.status is not Status.FAIL:
        return replace(item, veto=Veto.LIFTED.value if item.veto else None)
    if ruling.veto is not None and _vetoable(item, scorecard):
        return replace(item, veto=ruling.veto.value)
    return item


def _vetoable(item: Item, scorecard: Scorecard) -> bool:
    """Whether a veto can be spoken on an item: one is pending, or a critical finding is in it."""
    critical = any(f.severity is Severity.CRITICAL for f in scorecard.findings)
    return item.veto is not None or (item.rule == FORBIDDEN and critical)


def _with(life: Life, event: Event) -> Life:
    """The life with one more event, if it fits."""
    _aware(event.at)
    if event.at < life.events[-1].at:
        raise RulesError("this is older than what was done last", remedy="check the clock")
    if not event.by.strip():
        raise RulesError("who does this is not said", remedy="sign in")
    items = {item.rule: item for item in life.scorecard.items}
    for ruling in event.rulings:
        if ruling.rule not in items:
            raise RulesError("a ruling names a rule that the scorecard does not have")
        if ruling.status is Status.REVIEW:
            raise RulesError("a person's ruling is pass, fail or na", remedy="decide, or skip it")
        if ruling.finding is not None:
            _check_finding(life.scorecard, ruling)
        elif ruling.veto is not None and not _vetoable(items[ruling.rule], life.scorecard):
            raise RulesError("there is no veto on this rule to confirm or lift")
        if ruling.veto is Veto.CONFIRMED and ruling.status is not Status.FAIL:
            raise RulesError("a veto stands only on a failure", remedy="rule fail, or lift it")
    return replace(life, events=(*life.events, event))


def _check_finding(scorecard: Scorecard, ruling: Ruling) -> None:
    place = ruling.finding
    if place is None or not 0 <= place < len(scorecard.findings):
        raise RulesError("a ruling names a finding that the scorecard does not have")
    if scorecard.findings[place].rule != ruling.rule:
        raise RulesError("a ruling's finding belongs to another rule")


def _aware(at: datetime) -> None:
    if at.tzinfo is None:
        raise RulesError("a time without a zone", remedy="pass an aware datetime")
