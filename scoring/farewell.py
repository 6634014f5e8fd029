"""走有送声: a word to see the caller off."""

from calls.call import Channel, EndedBy
from calls.hit import Status
from scoring.facts import Facts
from scoring.verdict import Verdict, verdict


def farewell(facts: Facts) -> Verdict:
    """守则 9: the agent says goodbye in the last 15 s.

    Not applicable when the caller hung up mid-sentence, or before a greeting was due.
    """
    rule = facts.rules.farewell
    end = facts.end_ms
    start = max(0, end - rule.within_ms)
    cues = facts.cues(Channel.AGENT, ("farewell",), rule.words, start, end)
    for cue in cues:
        if cue.sure:
            return verdict(rule, Status.PASS, "passed", word=cue.text, evidence=(cue.evidence,))
    if facts.lost or not facts.complete:
        return verdict(rule, Status.NA, "lost")
    if facts.transferred:
        return verdict(rule, Status.NA, "transferred")
    if facts.call.ended_by is EndedBy.CALLER:
        if any(facts.speaks(channel, end - rule.cut_ms, end) for channel in Channel):
            return verdict(rule, Status.NA, "cut")
        unopened = not facts.stretches[Channel.AGENT]
        if unopened and end <= facts.rules.greeting.within_ms:
            return verdict(rule, Status.NA, "too_short")
    evidence = tuple(cue.evidence for cue in cues[:1])
    if cues or facts.doubtful(Channel.AGENT, start, end):
        return verdict(rule, Status.REVIEW, "unclear", evidence=evidence)
    return verdict(rule, Status.FAIL, "missing", seconds=f"{(end - start) / 1000:.0f}")
