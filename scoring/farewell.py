"""走有送声: a word to see the caller off."""

from calls.call import Channel, EndedBy
from calls.hit import Status
from scoring.facts import Facts
from scoring.verdict import Verdict, verdict


def farewell(facts: Facts) -> Verdict:
    """守则 9: the agent says goodbye in the last 15 s, unless the caller hung up mid-sentence."""
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
    if facts.call.ended_by is EndedBy.CALLER and any(
        facts.speaks(channel, end - rule.cut_ms, end) for channel in Channel
    ):
        return verdict(rule, Status.NA, "cut")
    evidence = tuple(cue.evidence for cue in cues[:1])
    if cues or facts.doubtful(Channel.AGENT, start, end):
        return verdict(rule, Status.REVIEW, "unclear", evidence=evidence)
    return verdict(rule, Status.FAIL, "missing", seconds=f"{(end - start) / 1000:.0f}")
