"""禁用语: the phrasebook's forbidden hits as findings, and what they cost."""

from collections.abc import Sequence
from dataclasses import replace

from calls.call import Channel
from calls.hit import Finding, Hit, Kind, Severity, Status
from calls.scorecard import Evidence
from scoring.facts import Facts
from scoring.hangup import agreed
from scoring.sections import ForbiddenPhrase
from scoring.verdict import Verdict, verdict

RULE = "forbidden_phrase"
_GRAVITY = {Severity.MINOR: 0, Severity.MAJOR: 1, Severity.CRITICAL: 2}


def findings(facts: Facts) -> tuple[Finding, ...]:
    """The forbidden hits on the agent's channel, one a family a passage, in order of time.

    What the dialogue excuses (a named department after 不归我管, 挂了 after the caller's consent)
    goes to review and is never dropped; so does everything of a mono mix or a bad line.
    """
    families: dict[str, list[Hit]] = {}
    for hit in sorted(facts.hits, key=lambda hit: hit.candidate.start_ms):
        candidate = hit.candidate
        if (
            candidate.kind is Kind.FORBIDDEN
            and candidate.channel is Channel.AGENT
            and hit.status in (Status.FAIL, Status.REVIEW)
        ):
            families.setdefault(candidate.family, []).append(hit)
    found = [
        _excused(facts, _finding(_gravest(passage)))
        for hits in families.values()
        for passage in _passages(hits, facts.rules.forbidden_phrase.passage_ms)
    ]
    return tuple(sorted(found, key=lambda finding: (finding.start_ms, finding.family)))


def forbidden_phrase(facts: Facts) -> Verdict:
    """守则 12: no forbidden words, up to the very BYE; a critical family is a veto."""
    return judge_findings(facts.rules.forbidden_phrase, findings(facts))


def judge_findings(rule: ForbiddenPhrase, found: Sequence[Finding]) -> Verdict:
    """The verdict on findings that are already known: the machine's, or as a person left them."""
    cost = {
        Severity.CRITICAL: rule.critical,
        Severity.MAJOR: rule.major,
        Severity.MINOR: rule.minor,
    }
    failed = [f for f in found if f.status is Status.FAIL and cost[f.severity] > 0]
    if failed:
        return verdict(
            rule,
            Status.FAIL,
            "failed",
            count=len(failed),
            phrases=_names(failed),
            evidence=_places(failed),
            veto=any(f.severity is Severity.CRITICAL for f in failed),
            lost=min(1.0, sum(cost[f.severity] for f in failed)),
        )
    found = [f for f in found if f.status in (Status.FAIL, Status.REVIEW)]
    open_ones = [f for f in found if f.status is Status.REVIEW and cost[f.severity] > 0]
    if open_ones:
        return verdict(
            rule,
            Status.REVIEW,
            "review",
            count=len(open_ones),
            phrases=_names(open_ones),
            evidence=_places(open_ones),
        )
    if found:
        places = _places(found)
        return verdict(rule, Status.PASS, "minor", phrases=_names(found), evidence=places)
    return verdict(rule, Status.PASS, "passed")


def _passages(hits: Sequence[Hit], gap_ms: int) -> list[list[Hit]]:
    """Hits of one family in groups that lie close together or in one utterance."""
    groups: list[list[Hit]] = []
    end = 0
    for hit in hits:
        candidate = hit.candidate
        same = groups and (
            candidate.start_ms - end <= gap_ms
            or (
                candidate.utterance >= 0
                and candidate.utterance == groups[-1][-1].candidate.utterance
            )
        )
        if same:
            groups[-1].append(hit)
            end = max(end, candidate.end_ms)
        else:
            groups.append([hit])
            end = candidate.end_ms
    return groups


def _gravest(hits: Sequence[Hit]) -> Hit:
    """The hit that stands for its passage: sure before unsure, then the graver, then the surer."""
    return max(
        hits,
        key=lambda hit: (
            hit.status is Status.FAIL,
            _GRAVITY[hit.candidate.severity],
            hit.confidence,
            len(hit.candidate.phrase),
        ),
    )


def _finding(hit: Hit) -> Finding:
    candidate = hit.candidate
    return Finding(
        rule=RULE,
        family=candidate.family,
        phrase=candidate.phrase,
        heard=candidate.heard,
        channel=candidate.channel,
        start_ms=candidate.start_ms,
        end_ms=candidate.end_ms,
        confidence=hit.confidence,
        severity=candidate.severity,
        status=hit.status,
        phrase_id=candidate.phrase_id,
        by=candidate.by,
        reason=hit.reason,
        guards=candidate.guards,
        reading=hit.reading,
    )


def _excused(facts: Facts, finding: Finding) -> Finding:
    """The finding, as a review where line, mix or dialogue speak for the agent."""
    if finding.status is not Status.FAIL:
        return finding
    rule = facts.rules.forbidden_phrase
    reason = ""
    if facts.mono:
        reason = "mono"
    elif facts.bad_line:
        reason = "bad_line"
    elif finding.family in rule.way_out and facts.way_out(
        finding.start_ms, facts.rules.shirking.turns
    ):
        reason = "way_out"
    elif finding.family in rule.consent and agreed(facts):
        reason = "consent"
    return replace(finding, status=Status.REVIEW, reason=reason) if reason else finding


def _names(found: Sequence[Finding]) -> str:
    return "、".join(dict.fromkeys(f"“{finding.phrase}”" for finding in found))


def _places(found: Sequence[Finding]) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(channel=f.channel, start_ms=f.start_ms, end_ms=f.end_ms, text=f.heard)
        for f in found
    )
