"""推诿: 不归我管, and then nothing."""

from calls.hit import Status
from scoring.facts import Facts
from scoring.refusing import suspects
from scoring.verdict import Verdict, verdict


def shirking(facts: Facts) -> Verdict:
    """守则 13: a disclaimer is followed within two turns by a department, a number, a transfer or
    a work order.

    A failure rests on words that were surely said; what a guard or the recogniser puts in doubt is
    a review.
    """
    rule = facts.rules.shirking
    resolved: Verdict | None = None
    review: Verdict | None = None
    for suspect in suspects(facts, rule.families, rule.disclaimer):
        evidence = (suspect.evidence,)
        way_out = facts.way_out(suspect.start_ms, rule.turns)
        if way_out is not None and way_out.sure:
            resolved = resolved or verdict(
                rule,
                Status.PASS,
                "resolved",
                phrase=suspect.text,
                way_out=way_out.text,
                evidence=(*evidence, way_out.evidence),
            )
        elif (
            way_out is not None
            or not suspect.sure
            or facts.unheard_after(suspect.start_ms, rule.turns)
        ):
            review = review or verdict(
                rule, Status.REVIEW, "review", phrase=suspect.text, evidence=evidence
            )
        else:
            return verdict(
                rule,
                Status.FAIL,
                "failed",
                phrase=suspect.text,
                turns=rule.turns,
                evidence=evidence,
            )
    return review or resolved or verdict(rule, Status.PASS, "passed")
