"""A changed rules file or phrasebook on calls that are already scored: what would be different.

Pure and lazy: one difference a call comes out as soon as it is known, so a run over a year can be
watched, stopped and still be of use. Nothing is recognised again.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from calls.call import Call
from calls.hit import Finding, Hit, Status
from calls.scorecard import Scorecard, Versions
from calls.speech import Transcript
from scoring.calibration import Judged, Quality, rule_quality
from scoring.judge import rescore, score
from scoring.rehear import Words, rehear
from scoring.rules import RuleBook
from scoring.standing import Standing

_SAME_PLACE_MS = 3000
"""Findings of a family that start this close are the same one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A call as the warehouse keeps it."""

    call: Call
    transcript: Transcript | None
    hits: tuple[Hit, ...]
    scorecard: Scorecard
    people: Mapping[str, Status] = field(default_factory=dict)
    """What people ruled, by rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A verdict that is new, or gone: a rule's, or a finding's with its phrase and place."""

    rule: str
    status: Status
    family: str = ""
    phrase: str = ""
    start_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One call before and after."""

    call_id: str
    agent: str
    before: float | None
    after: float | None
    flagged: tuple[Mark, ...]
    """Fails that were none, and reviews that were neither."""
    cleared: tuple[Mark, ...]
    """Fails and reviews that are none any more; a fail that is now a review is in both."""
    unasked: int
    """Candidates that only the audio can settle."""
    elsewhere: bool = False
    """Whether other code than that of now made the stored scorecard: that may be a difference."""
    scorecard: Scorecard | None
    """The call's scorecard under the change, without coaching figures, which are not compared;
    None once it is counted."""

    @property
    def changed(self) -> bool:
        """Whether anything an agent would notice is different."""
        return self.before != self.after or bool(self.flagged or self.cleared)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentEffect:
    """An agent's average before and after, over calls with a score both times."""

    agent: str
    calls: int
    before: float
    after: float


def backtest(
    stored: Iterable[Stored],
    rules: RuleBook,
    words: Words | None = None,
    standing: Standing | None = None,
) -> Iterator[Difference]:
    """Score each stored call anew and tell what is different.

    ``words`` is the changed phrasebook, None when only the rules changed and the stored hits
    stand. ``standing``: of the scorecards that the rules in use made, only the verdicts that read
    something changed are made again. None: all are.
    """
    for one in stored:
        hits, unasked = one.hits, 0
        if words is not None and one.transcript is not None:
            reheard = rehear(one.transcript, one.hits, words)
            hits, unasked = reheard.hits, len(reheard.unasked)
        old = one.scorecard
        versions = Versions(
            rules=rules.version,
            phrasebook=words.version if words else old.versions.phrasebook,
            engine=old.versions.engine,
            model=old.versions.model,
            code=standing.code if standing else "",
        )
        if (
            standing is not None
            and standing.holds(old.versions)
            and one.transcript is not None
            and hits == one.hits
        ):
            if standing.changed:
                changed = standing.changed
                new = rescore(one.call, one.transcript, hits, rules, versions, old, changed)
            else:
                new = replace(old, versions=versions, coaching=None)
        else:
            new = score(one.call, one.transcript, hits, rules, versions, figures=False)
        before, after = _marks(old), _marks(new)
        yield Difference(
            call_id=one.call.call_id,
            agent=one.call.agent,
            before=old.score,
            after=new.score,
            flagged=tuple(m for m in after if not _among(m, before)),
            cleared=tuple(m for m in before if not _among(m, after)),
            unasked=unasked,
            elsewhere=standing is not None and standing.code != old.versions.code,
            scorecard=new,
        )


@dataclass(slots=True)
class Summary:
    """What a back-test has shown so far; ``add`` every difference, read it at any time."""

    calls: int = 0
    changed: int = 0
    unasked_calls: int = 0
    unasked: int = 0
    elsewhere: int = 0
    """Calls that other code judged."""
    flagged: Counter[str] = field(default_factory=Counter)
    """Newly flagged, by rule (and ``rule/family`` for phrases)."""
    cleared: Counter[str] = field(default_factory=Counter)
    _agents: dict[str, list[float]] = field(default_factory=lambda: defaultdict(_no_sums))
    _before: list[Judged] = field(default_factory=list)
    _after: list[Judged] = field(default_factory=list)

    def add(self, one: Difference, stored: Stored | None = None) -> None:
        """Count one difference; ``stored`` brings people's rulings on the call, if any."""
        self.calls += 1
        self.changed += one.changed
        self.unasked += one.unasked
        self.unasked_calls += one.unasked > 0
        self.elsewhere += one.elsewhere
        if one.flagged or one.cleared:
            self.flagged.update(map(_name, one.flagged))
            self.cleared.update(map(_name, one.cleared))
        if one.before is not None and one.after is not None:
            sums = self._agents[one.agent]
            sums[0] += 1
            sums[1] += one.before
            sums[2] += one.after
        if stored is not None and stored.people and one.scorecard is not None:
            self._before += _judged(stored, stored.scorecard)
            self._after += _judged(stored, one.scorecard)

    def merge(self, other: "Summary") -> None:
        """Take in what another summary has counted of other calls."""
        self.calls += other.calls
        self.changed += other.changed
        self.unasked += other.unasked
        self.unasked_calls += other.unasked_calls
        self.elsewhere += other.elsewhere
        self.flagged.update(other.flagged)
        self.cleared.update(other.cleared)
        for agent, sums in other._agents.items():
            self._agents[agent] = [a + b for a, b in zip(self._agents[agent], sums, strict=True)]
        self._before += other._before
        self._after += other._after

    @property
    def agents(self) -> tuple[AgentEffect, ...]:
        """The effect on each agent's average, the hardest hit first."""
        effects = [
            AgentEffect(agent=agent, calls=int(count), before=before / count, after=after / count)
            for agent, (count, before, after) in self._agents.items()
        ]
        return tuple(sorted(effects, key=lambda e: (e.after - e.before, e.agent)))

    @property
    def quality(self) -> tuple[tuple[Quality, ...], tuple[Quality, ...]]:
        """Precision and recall of each rule against people, before and after."""
        return rule_quality(self._before), rule_quality(self._after)


def _no_sums() -> list[float]:
    """Calls, and the sums of their scores before and after."""
    return [0.0, 0.0, 0.0]


def _judged(stored: Stored, card: Scorecard) -> list[Judged]:
    return [
        Judged(
            call_id=card.call_id,
            rule=item.rule,
            automatic=item.status,
            person=stored.people[item.rule],
            reviewer="",
        )
        for item in card.items
        if item.rule in stored.people
    ]


def _marks(card: Scorecard) -> tuple[Mark, ...]:
    """A scorecard's fails and reviews; phrases by their findings, other rules by their items."""
    told = {finding.rule for finding in card.findings}
    items = [
        Mark(rule=item.rule, status=item.status)
        for item in card.items
        if item.status in (Status.FAIL, Status.REVIEW) and item.rule not in told
    ]
    return (*items, *map(_finding_mark, card.findings))


def _finding_mark(finding: Finding) -> Mark:
    return Mark(
        rule=finding.rule,
        status=finding.status,
        family=finding.family,
        phrase=finding.phrase,
        start_ms=finding.start_ms,
    )


def _among(mark: Mark, others: Iterable[Mark]) -> bool:
    """Whether the same verdict stands among others; a phrase may differ within its family."""
    return any(
        other.rule == mark.rule
        and other.status is mark.status
        and other.family == mark.family
        and abs((other.start_ms or 0) - (mark.start_ms or 0)) <= _SAME_PLACE_MS
        for other in others
    )


def _name(mark: Mark) -> str:
    return f"{mark.rule}/{mark.family}" if mark.family else mark.rule
