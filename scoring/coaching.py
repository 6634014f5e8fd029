"""Unscored figures that help an agent to speak better."""

from itertools import pairwise

from calls.call import Channel
from scoring.dialogue import gaps, join, overlap
from scoring.facts import Facts
from scoring.words import fold


def coaching(facts: Facts) -> dict[str, float]:
    """Speech rate, loudness jumps, talk share, longest silence and overlap.

    Keys: ``chars_per_minute`` of the agent (silence apart), ``loudness_jumps``, ``talk_share``
    0–1 of all speech that is the agent's, ``longest_silence_s``, ``overlap_s``. A figure that has
    nothing to rest on is left out (a mono mix has no shares).
    """
    agent, caller = facts.stretches[Channel.AGENT], facts.stretches[Channel.CALLER]
    mine = sum(end - start for start, end in agent)
    theirs = sum(end - start for start, end in caller)
    figures: dict[str, float] = {}
    if mine > 0:
        characters = sum(len(fold(u.text)) for u in facts.utterances[Channel.AGENT])
        figures["chars_per_minute"] = round(characters / mine * 60_000, 1)
        figures["loudness_jumps"] = float(_jumps(facts))
    if mine + theirs > 0 and not facts.mono:
        figures["talk_share"] = round(mine / (mine + theirs), 3)
    if facts.end_ms > 0:
        silent = gaps(join((*agent, *caller)), 0, facts.end_ms)
        longest = max((end - start for start, end in silent), default=0)
        figures["longest_silence_s"] = round(longest / 1000, 1)
    if not facts.mono:
        figures["overlap_s"] = round(overlap(agent, caller) / 1000, 1)
    return figures


def _jumps(facts: Facts) -> int:
    """How often a stretch of the agent's is louder than the one before it by ``jump_db``."""
    levels = [s.level_dbfs for s in facts.transcript.speech if s.channel is Channel.AGENT]
    step = facts.rules.coaching.jump_db
    return sum(after - before >= step for before, after in pairwise(levels))
