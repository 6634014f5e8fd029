"""请字当先: a request carries 请, 麻烦 or 劳驾."""

from calls.call import Channel
from calls.hit import Status
from scoring.facts import Facts
from scoring.verdict import Verdict, verdict
from scoring.words import find, holds


def please_first(facts: Facts) -> Verdict:
    """守则 10: the share of the agent's requests that are polite; na under two requests.

    One utterance is one request, however many verbs it holds. Utterances that the recogniser is
    unsure of count only where they are polite.
    """
    rule = facts.rules.please_first
    polite = 0
    blunt = []
    for utterance in facts.utterances[Channel.AGENT]:
        if not find(rule.request, utterance.text):
            continue
        said = facts.cues(Channel.AGENT, ("please",), None, utterance.start_ms, utterance.end_ms)
        if said or holds(rule.polite, utterance.text):
            polite += 1
        elif not facts.unclear(utterance):
            blunt.append(utterance)
    requests = polite + len(blunt)
    if requests < rule.requests:
        return verdict(rule, Status.NA, "too_few", requests=requests)
    evidence = tuple(map(facts.place, blunt[:3]))
    if polite / requests >= rule.share:
        return verdict(
            rule, Status.PASS, "passed", polite=polite, requests=requests, evidence=evidence
        )
    return verdict(
        rule,
        Status.FAIL,
        "failed",
        polite=polite,
        requests=requests,
        limit=f"{rule.share:.0%}",
        evidence=evidence,
    )
