"""随意打断: the agent talks the caller down."""

from calls.call import Channel
from calls.hit import Status
from calls.scorecard import Evidence
from scoring.dialogue import Interruption, interruptions
from scoring.facts import Facts
from scoring.verdict import Verdict, verdict
from scoring.words import fold


def interruption(facts: Facts) -> Verdict:
    """守则 12: fails when the caller is talked down twice in a call.

    Only speech that gave words on both sides counts: a noise is nobody's interruption.
    """
    rule = facts.rules.interruption
    certain: list[Interruption] = []
    unsure: list[Interruption] = []
    for found in interruptions(
        facts.stretches[Channel.AGENT],
        facts.stretches[Channel.CALLER],
        into_ms=rule.into_ms,
        overlap_ms=rule.overlap_ms,
    ):
        mine = [
            u for u in facts.utterances[Channel.AGENT] if _meets(found.agent, u.start_ms, u.end_ms)
        ]
        theirs = [
            u
            for u in facts.utterances[Channel.CALLER]
            if _meets(found.caller, u.start_ms, u.end_ms)
        ]
        if not theirs or sum(len(fold(u.text)) for u in mine) < rule.characters:
            continue
        (unsure if any(map(facts.unclear, mine)) else certain).append(found)
    evidence = tuple(
        Evidence(channel=Channel.AGENT, start_ms=found.overlap[0], end_ms=found.overlap[1])
        for found in (*certain, *unsure)
    )
    if len(certain) >= rule.times:
        return verdict(
            rule, Status.FAIL, "failed", count=len(certain), limit=rule.times, evidence=evidence
        )
    count = len(certain) + len(unsure)
    if count >= rule.times:
        said = rule.say["failed"].format(count=count, limit=rule.times)
        note = facts.rules.notes.say["unsure"]
        return Verdict(Status.REVIEW, note.format(said=said), evidence)
    if count:
        return verdict(rule, Status.PASS, "passed", count=count, evidence=evidence)
    return verdict(rule, Status.PASS, "none")


def _meets(stretch: tuple[int, int], start_ms: int, end_ms: int) -> bool:
    return start_ms < stretch[1] and stretch[0] < end_ms
