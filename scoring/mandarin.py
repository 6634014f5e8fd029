"""普通话: only ever a question to a person, for language identification errs on accents."""

from calls.call import Channel
from calls.hit import Status
from scoring.facts import Facts
from scoring.verdict import Verdict, seconds, verdict


def mandarin(facts: Facts) -> Verdict:
    """守则 12: review when the agent's speech is surely identified as another language."""
    rule = facts.rules.mandarin
    known = 0
    other = []
    for utterance in facts.utterances[Channel.AGENT]:
        length = max(0, utterance.end_ms - utterance.start_ms)
        if utterance.language_probability < rule.probability:
            continue
        known += length
        if utterance.language not in rule.languages:
            other.append(utterance)
    if known < rule.speech_ms or known == 0:
        return verdict(rule, Status.NA, "too_little")
    foreign = sum(max(0, u.end_ms - u.start_ms) for u in other)
    if foreign / known < rule.share:
        return verdict(rule, Status.PASS, "passed")
    return verdict(
        rule,
        Status.REVIEW,
        "suspected",
        seconds=seconds(foreign),
        share=f"{foreign / known:.0%}",
        evidence=tuple(map(facts.place, other[:3])),
    )
