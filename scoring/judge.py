"""The judge: every rule on one call, and the score of them.

Plain functions without I/O, clock or randomness: the same call, transcript, hits and rules give
the same scorecard, which is what makes a score contestable.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from calls.call import Call
from calls.hit import Finding, Hit, Status
from calls.scorecard import Item, Scorecard, Versions
from calls.speech import Transcript
from scoring.answers import answers_questions
from scoring.coaching import coaching
from scoring.facts import Facts
from scoring.farewell import farewell
from scoring.greeting import greeting
from scoring.hangup import hangup_consent
from scoring.hold import hold_consent
from scoring.interrupting import interruption
from scoring.mandarin import mandarin
from scoring.phrases import RULE as FORBIDDEN
from scoring.phrases import findings, judge_findings
from scoring.please import please_first
from scoring.refusal import flat_refusal
from scoring.rings import count_rings, three_rings
from scoring.rules import RuleBook
from scoring.sections import Rule
from scoring.shirking import shirking
from scoring.standing import stands
from scoring.verdict import Verdict

_HEARD: Mapping[str, Callable[[Facts], Verdict]] = {
    "greeting": greeting,
    "mandarin": mandarin,
    "please_first": please_first,
    "answers_questions": answers_questions,
    "farewell": farewell,
    "hold_consent": hold_consent,
    "interruption": interruption,
    "shirking": shirking,
    "flat_refusal": flat_refusal,
}
"""Rules that need to hear the call."""

_BOTH_SIDES = frozenset({"interruption", "answers_questions"})
"""Rules on how the two sides' times lie to each other: na for a mono mix."""

RULES = (
    "three_rings",
    "greeting",
    "mandarin",
    "please_first",
    "answers_questions",
    "farewell",
    "hold_consent",
    "hangup_consent",
    FORBIDDEN,
    "interruption",
    "shirking",
    "flat_refusal",
)
"""The scored rules in the order of a scorecard."""


def score(
    call: Call,
    transcript: Transcript | None,
    hits: Sequence[Hit],
    rules: RuleBook,
    versions: Versions,
    *,
    figures: bool = True,
) -> Scorecard:
    """Judge one call by every rule.

    ``transcript`` is None for a call without a recording: the rules that need to hear it are then
    ``na``. ``hits`` are the phrasebook's, forbidden and courtesy, on both channels. ``figures``:
    whether to work out the coaching figures too.
    """
    facts = Facts(
        call=call,
        transcript=transcript or Transcript(call_id=call.call_id, duration_ms=0),
        hits=tuple(hits),
        book=rules,
        recorded=transcript is not None,
    )
    found = findings(facts) if facts.recorded else ()
    items = tuple(_item(facts, name, found) for name in RULES)
    told = coaching(facts) if figures and facts.recorded else None
    return _card(facts, items, found, versions, told)


def rescore(
    call: Call,
    transcript: Transcript,
    hits: Sequence[Hit],
    rules: RuleBook,
    versions: Versions,
    old: Scorecard,
    changed: frozenset[str],
) -> Scorecard:
    """The same as ``score`` without figures, from a card of the same call, transcript and hits.

    ``changed`` are the sections in which the rules of the old card differ from these: what reads
    none of them is taken from the old card.
    """
    facts = Facts(call=call, transcript=transcript, hits=tuple(hits), book=rules)
    kept = {item.rule: item for item in old.items if stands(item.rule, changed)}
    found = old.findings if stands(FORBIDDEN, changed) else findings(facts)
    items = tuple(kept.get(name) or _item(facts, name, found) for name in RULES)
    return _card(facts, items, found, versions, None)


def _card(
    facts: Facts,
    items: tuple[Item, ...],
    found: tuple[Finding, ...],
    versions: Versions,
    figures: dict[str, float] | None,
) -> Scorecard:
    call = facts.call
    return Scorecard(
        call_id=call.call_id,
        score=total(items),
        ring_ms=call.ring_ms,
        rings=count_rings(call.ring_ms, facts.rules.three_rings),
        items=items,
        findings=found,
        versions=versions,
        coaching=figures,
    )


def total(items: Sequence[Item]) -> float | None:
    """Σ earned / Σ applicable × 100 to one decimal; None when no rule with a weight applies."""
    applicable = [item for item in items if item.status is not Status.NA]
    weight = sum(item.weight for item in applicable)
    if weight <= 0:
        return None
    earned = sum(item.earned for item in applicable)
    return round(min(100.0, max(0.0, earned / weight * 100)), 1)


def _item(facts: Facts, name: str, found: Sequence[Finding]) -> Item:
    rule: Rule = getattr(facts.rules, name)
    answer = _verdict(facts, name, rule, found)
    return Item(
        rule=name,
        status=answer.status,
        earned=_earned(answer, rule.weight),
        weight=rule.weight,
        clause=rule.clause,
        veto="pending" if answer.veto and answer.status is Status.FAIL else None,
        explanation=answer.said,
        evidence=answer.evidence,
    )


def _earned(answer: Verdict, weight: float) -> float:
    """A suspicion costs nothing until a person confirms it; what is na earns nothing."""
    if answer.status is Status.NA:
        return 0.0
    if answer.status is Status.FAIL:
        return round(weight * (1 - answer.lost), 4)
    return weight


def _verdict(facts: Facts, name: str, rule: Rule, found: Sequence[Finding]) -> Verdict:
    notes = facts.rules.notes.say
    if not rule.on:
        return Verdict(Status.NA, notes["off"])
    if name == "three_rings":
        return three_rings(facts)
    if not facts.answered:
        return Verdict(Status.NA, notes["unanswered"])
    if name == "hangup_consent":
        return _doubted(facts, hangup_consent(facts))
    if not facts.recorded:
        return Verdict(Status.NA, notes["no_recording"])
    if facts.mono and name in _BOTH_SIDES:
        return Verdict(Status.NA, notes["no_sides"])
    if name == FORBIDDEN:
        return judge_findings(facts.rules.forbidden_phrase, found)
    return _doubted(facts, _HEARD[name](facts))


def _doubted(facts: Facts, answer: Verdict) -> Verdict:
    """A failure that rests on a mono mix or a bad line is a review: it may not be the agent's."""
    if answer.status is not Status.FAIL or not (facts.mono or facts.bad_line):
        return answer
    note = facts.rules.notes.say["mono" if facts.mono else "bad_line"]
    return replace(answer, status=Status.REVIEW, said=note.format(said=answer.said), veto=False)
