"""挂断先征得同意: who hung up, and whether the other side had agreed.

The caller may be the first to consent ("没别的事了，再见"); then no request is needed.
"""

from calls.call import Channel, EndedBy
from calls.hit import Status
from calls.scorecard import Evidence
from scoring.dialogue import Stretch
from scoring.facts import Cue, Facts
from scoring.sections import HangupConsent
from scoring.verdict import Verdict, verdict
from scoring.words import holds

_SAME_WARNING_MS = 2000
_REQUESTS = ("hangup_consent", "further_help")


def hangup_consent(facts: Facts) -> Verdict:
    """守则 12: the agent who hangs up has asked and been answered, or the caller said goodbye.

    Hanging up while the caller speaks is a veto. Exempt: a lost line, a transfer, a line without
    sound after its script, an abusive caller after two civility warnings.
    """
    rule = facts.rules.hangup_consent
    settled = _settled(facts, rule)
    if settled is not None:
        return settled
    return _exempt(facts, rule) or _cut_off(facts, rule) or _consent(facts, rule)


def agreed(facts: Facts) -> bool:
    """Whether the caller agreed to the end of the call, whoever then hung up."""
    return _consent(facts, facts.rules.hangup_consent).status is Status.PASS


def _settled(facts: Facts, rule: HangupConsent) -> Verdict | None:
    """What the signalling alone decides."""
    ended_by = facts.call.ended_by
    if facts.lost:
        return verdict(rule, Status.NA, "lost")
    if ended_by is EndedBy.CALLER:
        return verdict(rule, Status.PASS, "caller_hung_up")
    if ended_by is not EndedBy.AGENT or not facts.call.signalling_known:
        return verdict(rule, Status.NA, "unknown")
    if facts.transferred:
        return verdict(rule, Status.NA, "transferred")
    if not facts.recorded or not facts.complete:
        return verdict(rule, Status.NA, "incomplete")
    return None


def _exempt(facts: Facts, rule: HangupConsent) -> Verdict | None:
    """Lines without sound after the script, and callers who were warned often enough."""
    end = facts.end_ms
    if not facts.mono and not facts.stretches[Channel.CALLER]:
        script = facts.cues(Channel.AGENT, ("silent_call",), rule.no_audio, 0, end)
        if script:
            return verdict(
                rule, Status.PASS, "silent_line", evidence=tuple(c.evidence for c in script[:2])
            )
    warnings = _apart(facts.cues(Channel.AGENT, ("civil_reminder",), rule.reminder, 0, end))
    if len(warnings) >= rule.reminders:
        evidence = tuple(cue.evidence for cue in warnings)
        return verdict(rule, Status.PASS, "abusive", count=len(warnings), evidence=evidence)
    return None


def _apart(cues: tuple[Cue, ...]) -> tuple[Cue, ...]:
    """Cues that do not overlap: several words of one warning are one warning."""
    kept: list[Cue] = []
    for cue in cues:
        if not kept or cue.start_ms - kept[-1].end_ms > _SAME_WARNING_MS:
            kept.append(cue)
    return tuple(kept)


def _consent(facts: Facts, rule: HangupConsent) -> Verdict:
    """The request and the assent, or the caller's own farewell, in the last seconds."""
    end = facts.end_ms
    start = max(0, end - rule.within_ms)
    dialogue = facts.rules.dialogue
    requests = facts.cues(Channel.AGENT, _REQUESTS, rule.request, start, end)
    closings = facts.cues(Channel.CALLER, ("farewell", "no_more"), dialogue.closing, start, end)
    asked = max((cue.start_ms for cue in (*requests, *closings)), default=end)
    objections = facts.cues(Channel.CALLER, ("dissent",), rule.objection, asked, end)
    if objections:
        last = objections[-1]
        # A consent that comes after the objection settles it.
        later = _answers(facts, rule, requests, closings, last.end_ms)
        if later is not None:
            return later
        status, key = (Status.FAIL, "refused") if last.sure else (Status.REVIEW, "unclear")
        return verdict(rule, status, key, word=last.text, evidence=(last.evidence,))
    found = _answers(facts, rule, requests, closings, 0)
    if found is not None:
        return found
    return _without_consent(facts, rule, requests, closings, (start, end))


def _answers(
    facts: Facts,
    rule: HangupConsent,
    requests: tuple[Cue, ...],
    closings: tuple[Cue, ...],
    from_ms: int,
) -> Verdict | None:
    """The consent that was surely given from a time on, if any."""
    end = facts.end_ms
    for request in requests:
        if not request.sure:
            continue
        heard = facts.assents(max(request.start_ms, from_ms), end)
        for assent in heard:
            if assent.sure:
                return verdict(
                    rule,
                    Status.PASS,
                    "passed",
                    request=request.text,
                    assent=assent.text,
                    evidence=(request.evidence, assent.evidence),
                )
    for closing in closings:
        if closing.sure and closing.start_ms >= from_ms:
            evidence = (closing.evidence,)
            return verdict(rule, Status.PASS, "caller_closed", word=closing.text, evidence=evidence)
    return None


def _without_consent(
    facts: Facts,
    rule: HangupConsent,
    requests: tuple[Cue, ...],
    closings: tuple[Cue, ...],
    window: Stretch,
) -> Verdict:
    """No sure consent: a review where something was unclear, else a failure."""
    start, end = window
    evidence = tuple(cue.evidence for cue in (*requests[:1], *closings[:1]))
    unsure = any(not cue.sure for cue in (*requests, *closings))
    if unsure or any(facts.doubtful(channel, start, end) for channel in Channel):
        return verdict(rule, Status.REVIEW, "unclear", evidence=evidence)
    thanks = facts.cues(Channel.CALLER, ("thanks",), facts.rules.dialogue.thanks, start, end)
    if thanks:
        return verdict(
            rule,
            Status.REVIEW,
            "thanks_only",
            word=thanks[-1].text,
            evidence=(thanks[-1].evidence,),
        )
    if requests and facts.short_reply(requests[-1].end_ms, end):
        return verdict(rule, Status.REVIEW, "unclear", evidence=evidence)
    if requests:
        return verdict(rule, Status.FAIL, "no_assent", request=requests[-1].text, evidence=evidence)
    return verdict(
        rule,
        Status.FAIL,
        "no_request",
        seconds=f"{(end - start) / 1000:.0f}",
        evidence=_last_words(facts),
    )


def _cut_off(facts: Facts, rule: HangupConsent) -> Verdict | None:
    """The caller was speaking when the agent hung up: a veto, where words prove it."""
    if facts.mono:
        return None
    end = facts.end_ms
    running = [
        s
        for s in facts.stretches[Channel.CALLER]
        if s[1] >= end - rule.speaking_ms and s[1] - s[0] >= rule.speech_ms
    ]
    if not running:
        return None
    start = running[-1][0]
    dialogue = facts.rules.dialogue
    said = [u for u in facts.utterances[Channel.CALLER] if u.end_ms > start]
    place = Evidence(
        channel=Channel.CALLER,
        start_ms=said[-1].start_ms if said else start,
        end_ms=end,
        text=said[-1].text if said else "",
    )
    if said and not facts.unclear(said[-1]):
        last = said[-1].text
        polite = any(holds(words, last) for words in (dialogue.closing, dialogue.thanks))
        if not holds(rule.objection, last) and (polite or facts.is_assent(last)):
            return None
        return verdict(rule, Status.FAIL, "cut_off", veto=True, evidence=(place,))
    return verdict(rule, Status.REVIEW, "cut_off_unclear", evidence=(place,))


def _last_words(facts: Facts) -> tuple[Evidence, ...]:
    """The last thing that either side said."""
    said = [u for those in facts.utterances.values() for u in those]
    if not said:
        return ()
    last = max(said, key=lambda u: u.end_ms)
    return (
        Evidence(channel=last.channel, start_ms=last.start_ms, end_ms=last.end_ms, text=last.text),
    )
