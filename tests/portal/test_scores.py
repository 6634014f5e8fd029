"""The portal's score of every state is scoring's own, whatever people ruled and rules cost."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from calls.hit import Finding, Severity, Status
from calls.scorecard import Scorecard
from portal.verdicts import PRICES, Ruling, revise
from scoring import life, rules
from scoring.judge import total
from scoring.phrases import judge_findings
from scoring.sections import ForbiddenPhrase
from tests.peers.hotline import scorecard, stories

FORBIDDEN = "forbidden_phrase"
RULES = ("greeting", "hangup_consent", FORBIDDEN)
BUNDLED = rules.load().file.forbidden_phrase
PEOPLE = (Status.PASS, Status.FAIL, Status.NA)


def priced(critical: float, major: float, minor: float) -> ForbiddenPhrase:
    """The bundled rule with other prices."""
    return BUNDLED.model_copy(update={"critical": critical, "major": major, "minor": minor})


def judged(findings: tuple[Finding, ...], rule: ForbiddenPhrase, hangup: Status) -> Scorecard:
    """A scorecard as the judge makes it: a veto waits where the judge says so."""
    answer = judge_findings(rule, findings)
    items = []
    for item in scorecard(stories()[0]).items:
        if item.rule == FORBIDDEN:
            failed = answer.status is Status.FAIL
            earned = round(item.weight * (1 - answer.lost), 4) if failed else item.weight
            veto = "pending" if answer.veto and failed else None
            item = replace(item, status=answer.status, earned=earned, veto=veto)
        if item.rule == "hangup_consent":
            earned = 0.0 if hangup in (Status.FAIL, Status.NA) else item.weight
            veto = "pending" if hangup is Status.FAIL else None
            item = replace(item, status=hangup, earned=earned, veto=veto)
        items.append(item)
    card = scorecard(stories()[0])
    return replace(card, items=tuple(items), findings=findings, score=total(items))


def as_scoring(card: Scorecard, said: list[Ruling], rule: ForbiddenPhrase) -> list[life.Ruling]:
    """The same rulings in scoring's words: to fail what a veto waits on is to confirm it."""
    made: list[life.Ruling] = []
    for ruling in said:
        items = {item.rule: item for item in life.apply(card, made, rule)}
        if ruling.finding is None:
            grave = items[ruling.rule].veto == "pending"
        else:
            critical = card.findings[ruling.finding].severity is Severity.CRITICAL
            grave = critical and rule.critical > 0
        confirmed = grave and ruling.status is Status.FAIL
        made.append(
            life.Ruling(
                rule=ruling.rule,
                finding=ruling.finding,
                status=ruling.status,
                veto=life.Veto.CONFIRMED if confirmed else None,
            )
        )
    return made


@given(
    marks=st.lists(
        st.tuples(st.sampled_from(list(Severity)), st.sampled_from([Status.FAIL, Status.REVIEW])),
        max_size=4,
    ),
    hangup=st.sampled_from(list(Status)),
    prices=st.one_of(
        st.just((BUNDLED.critical, BUNDLED.major, BUNDLED.minor)),
        st.tuples(*[st.sampled_from([0.0, 0.3, 0.5, 1.0])] * 3),
    ),
    said=st.lists(
        st.tuples(
            st.sampled_from(RULES), st.one_of(st.none(), st.integers(0, 3)), st.sampled_from(PEOPLE)
        ),
        max_size=6,
    ),
)
def test_every_state_scores_as_scoring_does(
    marks: list[tuple[Severity, Status]],
    hangup: Status,
    prices: tuple[float, float, float],
    said: list[tuple[str, int | None, Status]],
) -> None:
    rule = priced(*prices)
    port = dict(zip((Severity.CRITICAL, Severity.MAJOR, Severity.MINOR), prices, strict=True))
    one = scorecard(stories()[0]).findings[0]
    found = tuple(
        replace(one, start_ms=place, severity=severity, status=status)
        for place, (severity, status) in enumerate(marks)
    )
    card = judged(found, rule, hangup)
    rulings = [
        Ruling(rule=FORBIDDEN if finding is not None else name, finding=finding, status=status)
        for name, finding, status in said
        if finding is None or finding < len(found)
    ]
    for many in range(len(rulings) + 1):
        mine = revise(card, rulings[:many], port)
        theirs = life.apply(card, as_scoring(card, rulings[:many], rule), rule)
        vetoed = any(item.veto == life.Veto.CONFIRMED for item in theirs)
        assert [(i.rule, i.status, i.earned, i.veto == "confirmed") for i in mine.items] == [
            (i.rule, i.status, i.earned, i.veto == "confirmed") for i in theirs
        ]
        assert mine.score == (life.VETOED_SCORE if vetoed else total(theirs))


def test_the_prices_without_a_port_are_the_bundled_rules() -> None:
    assert dict(PRICES) == {
        Severity.CRITICAL: BUNDLED.critical,
        Severity.MAJOR: BUNDLED.major,
        Severity.MINOR: BUNDLED.minor,
    }
