"""来有迎声: 您好 before anything else."""

from calls.call import Channel
from calls.hit import Status
from calls.scorecard import Evidence
from calls.speech import Utterance
from scoring.facts import Cue, Facts
from scoring.sections import Greeting
from scoring.verdict import Verdict, seconds, verdict
from scoring.words import find, fold


def greeting(facts: Facts) -> Verdict:
    """守则 10 and 9: the agent's first words hold 您好, before any question and within 3 s.

    Commas of a recogniser do not tell clauses, so "first clause" is the first characters of the
    agent's speech (``first_characters``). 您 and 你 are never told apart. What cannot be heard is
    a review.
    """
    rule = facts.rules.greeting
    voice = facts.stretches[Channel.AGENT]
    if not voice:
        if facts.end_ms <= rule.within_ms:
            return verdict(rule, Status.NA, "too_short")
        return verdict(rule, Status.REVIEW, "silent")
    started = voice[0][0]
    opening = _opening(facts, rule)
    if not opening:
        return verdict(rule, Status.REVIEW, "unclear", evidence=_heard(voice[0]))
    first = opening[0]
    cue = _greeting_in(facts, rule, opening)
    evidence = (cue.evidence if cue else facts.place(first),)
    if cue is None:
        last = max(u.end_ms for u in opening)
        if any(map(facts.unclear, opening)) or facts.doubtful(Channel.AGENT, 0, last):
            return verdict(rule, Status.REVIEW, "unclear", evidence=evidence)
        return verdict(rule, Status.FAIL, "missing", seconds=seconds(started), evidence=evidence)
    if not cue.sure:
        return verdict(rule, Status.REVIEW, "unclear", evidence=evidence)
    before = _question_before(rule, opening, cue)
    if before:
        if facts.unclear(first):
            return verdict(rule, Status.REVIEW, "unclear", evidence=evidence)
        return verdict(rule, Status.FAIL, "question_first", question=before, evidence=evidence)
    if started > rule.within_ms:
        return verdict(
            rule,
            Status.FAIL,
            "late",
            seconds=seconds(started),
            limit=f"{rule.within_ms / 1000:g}",
            word=cue.text,
            evidence=evidence,
        )
    return verdict(
        rule, Status.PASS, "passed", seconds=seconds(started), word=cue.text, evidence=evidence
    )


def _opening(facts: Facts, rule: Greeting) -> tuple[Utterance, ...]:
    """The agent's first utterances, up to the characters that the greeting may start in."""
    taken: list[Utterance] = []
    characters = 0
    for utterance in facts.utterances[Channel.AGENT]:
        if characters >= rule.first_characters:
            break
        taken.append(utterance)
        characters += len(fold(utterance.text))
    return tuple(taken)


def _greeting_in(facts: Facts, rule: Greeting, opening: tuple[Utterance, ...]) -> Cue | None:
    """The greeting that starts within the first characters; a sure one before an unsure one."""
    end_ms = opening[-1].end_ms
    cues = facts.cues(Channel.AGENT, ("greeting",), rule.words, 0, end_ms, exact=True)
    early = [c for c in cues if _characters_before(opening, c.start_ms) < rule.first_characters]
    return min(early, key=lambda cue: (not cue.sure, cue.start_ms), default=None)


def _characters_before(opening: tuple[Utterance, ...], at_ms: int) -> int:
    """Characters of the agent's speech that were said before a time."""
    count = 0
    for utterance in opening:
        length = len(fold(utterance.text))
        if utterance.end_ms <= at_ms:
            count += length
        elif utterance.start_ms < at_ms:
            span = utterance.end_ms - utterance.start_ms
            count += length * (at_ms - utterance.start_ms) // span
    return count


def _question_before(rule: Greeting, opening: tuple[Utterance, ...], cue: Cue) -> str:
    """The question that was asked before the greeting, or nothing."""
    for utterance in opening:
        if utterance.start_ms > cue.start_ms:
            break
        questions = find(rule.question, utterance.text)
        greetings = find(rule.words, utterance.text)
        if not questions:
            continue
        first = questions[0]
        holds_cue = utterance.end_ms >= cue.end_ms
        if not holds_cue or (greetings and first.start < greetings[0].start):
            return utterance.text[first.start : first.end]
    return ""


def _heard(stretch: tuple[int, int]) -> tuple[Evidence, ...]:
    return (Evidence(channel=Channel.AGENT, start_ms=stretch[0], end_ms=stretch[1]),)
