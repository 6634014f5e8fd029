"""中止先征得同意: ask, be answered, hold, and thank on return."""

from typing import Any

from calls.call import Channel
from calls.hit import Status
from calls.scorecard import Evidence
from scoring.dialogue import Wait, waits
from scoring.facts import Cue, Facts
from scoring.sections import HoldConsent
from scoring.verdict import Verdict, clock, seconds, verdict

_REQUESTS = ("hold_consent", "transfer_consent")
_RETURNS = ("hold_return", "thanks", "apology")


def hold_consent(facts: Facts) -> Verdict:
    """守则 12: each hold or long silence has a request, the caller's assent, and thanks after it.

    Exempt: the caller asked to wait, holds the call, or fetches papers.
    """
    rule = facts.rules.hold_consent
    agent, caller = facts.stretches[Channel.AGENT], facts.stretches[Channel.CALLER]
    mine = [(h.start_ms, h.end_ms) for h in facts.call.holds if h.by is Channel.AGENT]
    theirs = [(h.start_ms, h.end_ms) for h in facts.call.holds if h.by is Channel.CALLER]
    found = waits(
        mine,
        agent,
        (*caller, *theirs),
        facts.end_ms,
        returned=lambda: [
            cue.start_ms
            for cue in facts.cues(Channel.AGENT, _RETURNS, rule.thanks, 0, facts.end_ms)
        ],
        silence_ms=rule.silence_ms,
        pause_ms=rule.pause_ms,
        word_ms=rule.word_ms,
    )
    if not found:
        return verdict(rule, Status.NA, "none")
    answers = [_judge(facts, rule, wait) for wait in found]
    for status in (Status.FAIL, Status.REVIEW):
        for answer in answers:
            if answer.status is status:
                return answer
    kept = sum(answer.status is Status.PASS for answer in answers)
    if not kept:
        return answers[0]
    evidence = tuple(place for answer in answers for place in answer.evidence)
    return verdict(rule, Status.PASS, "passed", holds=kept, evidence=evidence)


def _judge(facts: Facts, rule: HoldConsent, wait: Wait) -> Verdict:
    """One wait."""
    fields: dict[str, Any] = {
        "start": clock(wait.start_ms),
        "seconds": seconds(wait.end_ms - wait.start_ms),
    }
    start = wait.start_ms - rule.request_ms
    own = facts.cues(
        Channel.CALLER,
        ("caller_wait",),
        rule.caller_waits,
        start,
        wait.end_ms,
    )
    if own and own[0].sure:
        return verdict(
            rule, Status.NA, "exempt", start=fields["start"], evidence=(own[0].evidence,)
        )
    place = Evidence(channel=Channel.AGENT, start_ms=wait.start_ms, end_ms=wait.end_ms)
    heard_until = wait.last_start_ms + (0 if wait.signalled else rule.assent_ms)
    offers = facts.cues(Channel.CALLER, (), rule.offer, start, heard_until)
    if offers:
        return _returned(facts, rule, wait, (offers[-1].evidence, place), fields)
    requests = facts.cues(Channel.AGENT, _REQUESTS, rule.request, start, wait.last_start_ms)
    request = _surest(requests)
    if request is None or not request.sure:
        doubt = request or own or facts.doubtful(Channel.AGENT, start, wait.last_start_ms)
        status, key = (Status.REVIEW, "unclear") if doubt else (Status.FAIL, "no_request")
        return verdict(rule, status, key, evidence=(place,), **fields)
    refusals = facts.cues(Channel.CALLER, ("dissent",), rule.refusal, request.start_ms, heard_until)
    assent = _surest(facts.assents(request.start_ms, heard_until))
    evidence = (request.evidence, *((assent.evidence,) if assent else ()), place)
    if assent is None or not assent.sure or (refusals and refusals[-1].start_ms > assent.end_ms):
        heard = (request.start_ms, heard_until)
        doubt = not refusals and (
            assent is not None
            or facts.doubtful(Channel.CALLER, *heard)
            or facts.short_reply(*heard)
        )
        status, key = (Status.REVIEW, "unclear") if doubt else (Status.FAIL, "no_assent")
        return verdict(rule, status, key, evidence=evidence, **fields)
    return _returned(facts, rule, wait, evidence, fields)


def _returned(
    facts: Facts,
    rule: HoldConsent,
    wait: Wait,
    evidence: tuple[Evidence, ...],
    fields: dict[str, Any],
) -> Verdict:
    """Thanks or apology after a wait that was consented to; a call that ended in it has none."""
    until = wait.end_ms + rule.return_ms
    if not facts.speaks(Channel.AGENT, wait.end_ms, facts.end_ms):
        return verdict(rule, Status.PASS, "passed", holds=1, evidence=evidence)
    cues = facts.cues(Channel.AGENT, _RETURNS, rule.thanks, wait.end_ms, until)
    thanks = min(cues, key=lambda cue: (not cue.sure, cue.start_ms), default=None)
    if thanks is not None and thanks.sure:
        return verdict(rule, Status.PASS, "passed", holds=1, evidence=(*evidence, thanks.evidence))
    doubt = thanks is not None or facts.doubtful(Channel.AGENT, wait.end_ms, until)
    status, key = (Status.REVIEW, "unclear") if doubt else (Status.FAIL, "no_return")
    return verdict(rule, status, key, evidence=evidence, **fields)


def _surest(cues: tuple[Cue, ...]) -> Cue | None:
    """The last sure cue, else the last."""
    return max(cues, key=lambda cue: (cue.sure, cue.start_ms), default=None)
