"""A scorecard's life: what follows what, who may do it and until when, and every state's score."""

import dataclasses
from datetime import datetime, timedelta
from typing import Any

import pytest

from calls.call import Channel, EndedBy
from calls.codec import from_json, to_json
from calls.errors import RulesError
from calls.hit import Severity, Status
from calls.scorecard import Scorecard
from scoring import life
from scoring.life import Life, Ruling, State, Terms, Veto
from scoring.rules import RuleBook
from tests.scoring.scripted import INVITED, A, C, make_call, make_hit, make_transcript

TERMS = Terms()
DAY = timedelta(days=1)


@pytest.fixture
def scorecard(card: Any) -> Scorecard:
    """A bad call: late, a critical and a minor phrase, and cut off."""
    transcript = make_transcript(
        (A, 1, 3, "您好，便民专线"), (A, 50, 52, "再见"), (C, 57, 60, "我还没说完呢你听我讲")
    )
    hits = (
        make_hit("F_off_duty", 30, 31, "我要下班啦", severity=Severity.CRITICAL),
        make_hit("D_hurry", 40, 41, "快点说"),
    )
    made: Scorecard = card(make_call(ring=18.2, ended_by=EndedBy.AGENT), transcript, *hits)
    assert [f.family for f in made.findings] == ["F_off_duty", "D_hurry"]
    return made


@pytest.fixture
def fresh(scorecard: Scorecard) -> Life:
    return life.begin(scorecard, at=INVITED, by="service", terms=TERMS)


def reviewed(before: Life, *rulings: Ruling, day: int = 1, by: str = "qa-1") -> Life:
    return life.review(
        before, at=INVITED + day * DAY, by=by, reason="听过了", rulings=rulings, terms=TERMS
    )


def appealed(before: Life, *rules: str, day: int = 2) -> Life:
    return life.appeal(
        before,
        at=INVITED + day * DAY,
        by="agent-1",
        reason="来电人已同意",
        rules=rules or ("three_rings",),
        terms=TERMS,
    )


def decided(before: Life, *rulings: Ruling, by: str = "boss") -> Life:
    return life.decide(before, at=INVITED + 3 * DAY, by=by, reason="核听属实", rulings=rulings)


def scores(of: Life, book: RuleBook) -> list[float | None]:
    return [standing.score for standing in life.standings(of, book.file.forbidden_phrase)]


def test_every_state_keeps_its_own_score(fresh: Life, book: RuleBook) -> None:
    whole = reviewed(fresh, Ruling(rule="three_rings", status=Status.PASS))
    whole = appealed(whole, "hangup_consent")
    whole = decided(whole, Ruling(rule="hangup_consent", status=Status.PASS))
    made = life.standings(whole, book.file.forbidden_phrase)
    assert [s.state for s in made] == [
        State.AUTOMATIC,
        State.REVIEWED,
        State.APPEALED,
        State.DECIDED,
    ]
    automatic, after_review, on_appeal, final = (s.score for s in made)
    assert automatic == fresh.scorecard.score
    assert automatic is not None
    assert after_review is not None
    assert on_appeal is not None
    assert final is not None
    assert automatic < after_review == on_appeal < final
    assert whole.state is State.DECIDED
    assert fresh.state is State.AUTOMATIC
    assert [event.by for event in whole.events] == ["service", "qa-1", "agent-1", "boss"]


def test_na_leaves_the_score_and_fail_enters_it(fresh: Life, book: RuleBook) -> None:
    before = life.standings(fresh, book.file.forbidden_phrase)[-1]
    weight = sum(i.weight for i in before.items if i.status is not Status.NA)
    earned = sum(i.earned for i in before.items)
    out = reviewed(fresh, Ruling(rule="three_rings", status=Status.NA))
    assert scores(out, book)[-1] == round(earned / (weight - 10) * 100, 1)
    worse = reviewed(fresh, Ruling(rule="greeting", status=Status.FAIL))
    assert scores(worse, book)[-1] == round((earned - 10) / weight * 100, 1)


@pytest.mark.parametrize(
    ("ruling", "veto", "vetoed"),
    [
        (Ruling(rule="hangup_consent", status=Status.FAIL), "pending", False),
        (
            Ruling(rule="hangup_consent", status=Status.FAIL, veto=Veto.CONFIRMED),
            "confirmed",
            True,
        ),
        (Ruling(rule="hangup_consent", status=Status.FAIL, veto=Veto.LIFTED), "lifted", False),
        (Ruling(rule="hangup_consent", status=Status.PASS), "lifted", False),
    ],
)
def test_a_veto_is_pending_until_a_person_speaks(
    fresh: Life, book: RuleBook, ruling: Ruling, veto: str, vetoed: bool
) -> None:
    last = life.standings(reviewed(fresh, ruling), book.file.forbidden_phrase)[-1]
    item = next(i for i in last.items if i.rule == "hangup_consent")
    assert (item.veto, last.vetoed) == (veto, vetoed)
    assert (last.score == 0.0) is vetoed


def test_a_confirmed_veto_falls_on_appeal(fresh: Life, book: RuleBook) -> None:
    confirmed = Ruling(rule="hangup_consent", status=Status.FAIL, veto=Veto.CONFIRMED)
    whole = appealed(reviewed(fresh, confirmed), "hangup_consent")
    whole = decided(whole, Ruling(rule="hangup_consent", status=Status.PASS))
    made = scores(whole, book)
    assert made[1] == made[2] == 0.0
    assert made[3] is not None
    assert made[3] > 0


def test_findings_are_ruled_one_by_one(fresh: Life, book: RuleBook) -> None:
    def item(of: Life) -> Any:
        last = life.standings(of, book.file.forbidden_phrase)[-1]
        return next(i for i in last.items if i.rule == "forbidden_phrase")

    first = Ruling(rule="forbidden_phrase", finding=0, status=Status.PASS)
    one = reviewed(fresh, first)
    assert (item(one).status, item(one).veto) == (Status.FAIL, None)
    both = reviewed(one, Ruling(rule="forbidden_phrase", finding=1, status=Status.PASS))
    assert (item(both).status, item(both).earned) == (Status.PASS, 15)
    back = reviewed(both, Ruling(rule="forbidden_phrase", finding=0, status=Status.FAIL))
    assert (item(back).status, item(back).veto) == (Status.FAIL, "pending")


def test_the_later_ruling_stands_whatever_it_is_on(fresh: Life, book: RuleBook) -> None:
    rulings = (
        Ruling(rule="forbidden_phrase", status=Status.PASS),
        Ruling(rule="forbidden_phrase", finding=1, status=Status.FAIL),
    )
    items = life.apply(fresh.scorecard, rulings, book.file.forbidden_phrase)
    assert next(i for i in items if i.rule == "forbidden_phrase").status is Status.FAIL
    items = life.apply(fresh.scorecard, rulings[::-1], book.file.forbidden_phrase)
    assert next(i for i in items if i.rule == "forbidden_phrase").status is Status.PASS


def test_a_confirmed_veto_outlives_a_ruling_on_another_finding(fresh: Life, book: RuleBook) -> None:
    rulings = (
        Ruling(rule="forbidden_phrase", status=Status.FAIL, veto=Veto.CONFIRMED),
        Ruling(rule="forbidden_phrase", finding=1, status=Status.PASS),
    )
    items = life.apply(fresh.scorecard, rulings, book.file.forbidden_phrase)
    assert next(i for i in items if i.rule == "forbidden_phrase").veto == "confirmed"


@pytest.mark.parametrize(("after", "in_time"), [(7.0, True), (7.001, False)])
def test_an_appeal_has_a_deadline_that_a_review_renews(
    fresh: Life, after: float, in_time: bool
) -> None:
    base = reviewed(fresh, day=5)
    at = INVITED + 5 * DAY + after * DAY

    def run() -> Life:
        return life.appeal(base, at=at, by="a", reason="不服", rules=("greeting",), terms=TERMS)

    if in_time:
        assert run().state is State.APPEALED
    else:
        with pytest.raises(RulesError, match="time to appeal ended on 2026-03-14"):
            run()


def test_an_appeal_that_waits_too_long_is_overdue(fresh: Life) -> None:
    open_one = appealed(fresh)
    assert not open_one.overdue(INVITED + 17 * DAY)
    assert open_one.overdue(INVITED + 17 * DAY + timedelta(seconds=1))
    assert not decided(open_one).overdue(INVITED + 99 * DAY)


@pytest.mark.parametrize("by", ["agent-1", "qa-1"])
def test_nobody_decides_in_their_own_matter(fresh: Life, by: str) -> None:
    with pytest.raises(RulesError, match="had no part"):
        decided(appealed(reviewed(fresh)), by=by)


def test_a_decision_keeps_to_what_was_appealed(fresh: Life) -> None:
    with pytest.raises(RulesError, match="appealed: three_rings"):
        decided(appealed(fresh), Ruling(rule="greeting", status=Status.PASS))


@pytest.mark.parametrize("step", ["review", "appeal", "decide"])
def test_a_decision_is_final(fresh: Life, step: str) -> None:
    done = decided(appealed(fresh))
    steps: dict[str, Any] = {
        "review": lambda: reviewed(done, day=9),
        "appeal": lambda: appealed(done, day=4),
        "decide": lambda: decided(done),
    }
    with pytest.raises(RulesError):
        steps[step]()


def test_an_open_appeal_takes_no_review_and_no_second_appeal(fresh: Life) -> None:
    open_one = appealed(fresh)
    with pytest.raises(RulesError, match="cannot be reviewed"):
        reviewed(open_one, day=3)
    with pytest.raises(RulesError, match="cannot be appealed"):
        appealed(open_one, day=3)


def test_without_an_appeal_there_is_nothing_to_decide(fresh: Life) -> None:
    with pytest.raises(RulesError, match="no open appeal"):
        decided(fresh)


@pytest.mark.parametrize(
    ("ruling", "said"),
    [
        (Ruling(rule="nonsense", status=Status.PASS), "does not have"),
        (Ruling(rule="greeting", status=Status.REVIEW), "pass, fail or na"),
        (Ruling(rule="greeting", status=Status.FAIL, veto=Veto.CONFIRMED), "no veto"),
        (Ruling(rule="hangup_consent", status=Status.PASS, veto=Veto.CONFIRMED), "only on"),
        (Ruling(rule="forbidden_phrase", status=Status.PASS, finding=2), "does not have"),
        (Ruling(rule="forbidden_phrase", status=Status.PASS, finding=-1), "does not have"),
        (Ruling(rule="greeting", status=Status.PASS, finding=0), "another rule"),
    ],
)
def test_a_ruling_that_does_not_fit_is_refused(fresh: Life, ruling: Ruling, said: str) -> None:
    with pytest.raises(RulesError, match=said):
        reviewed(fresh, ruling)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"reason": " "}, "needs a reason"),
        ({"rules": ()}, "names rules"),
        ({"rules": ("nonsense",)}, "names rules"),
        ({"by": ""}, "sign in"),
        ({"at": INVITED - DAY}, "older than"),
        ({"at": datetime(2026, 3, 3)}, "without a zone"),  # noqa: DTZ001
    ],
)
def test_an_appeal_that_does_not_fit_is_refused(
    fresh: Life, change: dict[str, Any], said: str
) -> None:
    fields: dict[str, Any] = {
        "at": INVITED + DAY,
        "by": "a",
        "reason": "不服",
        "rules": ("greeting",),
        "terms": TERMS,
    }
    if "zone" in said:
        with pytest.raises(RulesError, match=said):
            life.begin(fresh.scorecard, at=change["at"], by="x", terms=TERMS)
        return
    with pytest.raises(RulesError, match=said):
        life.appeal(fresh, **{**fields, **change})


def test_a_decision_needs_a_reason(fresh: Life) -> None:
    with pytest.raises(RulesError, match="needs a reason"):
        life.decide(appealed(fresh), at=INVITED + 3 * DAY, by="boss", reason="", rulings=())


def test_a_life_survives_the_codec(fresh: Life) -> None:
    whole = reviewed(fresh, Ruling(rule="three_rings", status=Status.PASS, comment="听错"))
    assert from_json(to_json(whole), Life) == whole


def test_the_automatic_scorecard_is_never_touched(fresh: Life) -> None:
    before = dataclasses.replace(fresh.scorecard)
    whole = reviewed(fresh, Ruling(rule="three_rings", status=Status.PASS))
    assert whole.scorecard == before
    assert whole.scorecard.findings[0].channel is Channel.AGENT
