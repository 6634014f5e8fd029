"""不说不行: a refusal comes with its reason or with another way."""

from calls.call import Channel
from calls.hit import Status
from scoring.facts import Facts
from scoring.refusing import suspects
from scoring.verdict import Verdict, verdict
from scoring.words import holds

_COURTESIES = ("refuse_with_reason", "referral_named", "transfer_consent", "callback")


def flat_refusal(facts: Facts) -> Verdict:
    """正文三: after 不行 the agent gives a reason or a way out within two turns."""
    rule = facts.rules.flat_refusal
    resolved: Verdict | None = None
    review: Verdict | None = None
    for suspect in suspects(facts, rule.families, rule.refusal):
        evidence = (suspect.evidence,)
        text, (start, end) = facts.agent_text_from(suspect.start_ms, rule.turns)
        explained = (
            holds(rule.reason, text)
            or holds(rule.advice, text)
            or any(c.sure for c in facts.cues(Channel.AGENT, _COURTESIES, None, start, end))
            or facts.way_out(suspect.start_ms, rule.turns) is not None
        )
        if explained:
            resolved = resolved or verdict(
                rule, Status.PASS, "resolved", phrase=suspect.text, evidence=evidence
            )
        elif not suspect.sure or facts.unheard_after(suspect.start_ms, rule.turns):
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
