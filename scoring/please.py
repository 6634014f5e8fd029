"""请字当先: a request carries 请, 麻烦 or 劳驾."""

from calls.call import Channel
from calls.hit import Status
from calls.speech import Utterance
from scoring.facts import Facts
from scoring.sections import PleaseFirst
from scoring.verdict import Verdict, verdict
from scoring.words import fold, holds

Passage = tuple[Utterance, ...]


def please_first(facts: Facts) -> Verdict:
    """守则 10: the share of the agent's requests that are polite; na under two requests.

    What is said without a longer pause is one request, however many verbs it holds. A request that
    opens with 您 may have lost its 请 to the recogniser, which drops a soft first syllable: if the
    verdict hangs on those, it is a review. Unclear text counts only where it is polite.
    """
    rule = facts.rules.please_first
    polite = 0
    blunt: list[Utterance] = []
    clipped: list[Utterance] = []
    for passage in _passages(facts, rule):
        asked = [u for u in passage if holds(rule.request, u.text)]
        if not asked:
            continue
        if _is_polite(facts, rule, passage):
            polite += 1
        elif not any(map(facts.unclear, passage)):
            (clipped if fold(asked[0].text).startswith("你") else blunt).append(asked[0])
    requests = polite + len(blunt) + len(clipped)
    if requests < rule.requests:
        return verdict(rule, Status.NA, "too_few", requests=requests)
    evidence = tuple(map(facts.place, (*blunt, *clipped)[:3]))
    if polite / requests >= rule.share:
        return verdict(
            rule, Status.PASS, "passed", polite=polite, requests=requests, evidence=evidence
        )
    answer = verdict(
        rule,
        Status.FAIL,
        "failed",
        polite=polite,
        requests=requests,
        limit=f"{rule.share:.0%}",
        evidence=evidence,
    )
    if (polite + len(clipped)) / requests >= rule.share:
        note = facts.rules.notes.say["unsure"]
        return Verdict(Status.REVIEW, note.format(said=answer.said), evidence)
    return answer


def _passages(facts: Facts, rule: PleaseFirst) -> list[Passage]:
    """The agent's utterances, those with short pauses between them together."""
    passages: list[Passage] = []
    for utterance in facts.utterances[Channel.AGENT]:
        if passages and utterance.start_ms - passages[-1][-1].end_ms <= rule.pause_ms:
            passages[-1] = (*passages[-1], utterance)
        else:
            passages.append((utterance,))
    return passages


def _is_polite(facts: Facts, rule: PleaseFirst, passage: Passage) -> bool:
    if any(holds(rule.polite, u.text) for u in passage):
        return True
    start, end = passage[0].start_ms, passage[-1].end_ms
    return bool(facts.cues(Channel.AGENT, ("please",), None, start, end))
