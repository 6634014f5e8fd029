"""禁用语: one finding a family a passage, the agent's channel only, doubt to review, vetoes."""

from typing import Any

import pytest

from calls.call import EndedBy, SideQuality
from calls.hit import Severity, Status
from calls.scorecard import Scorecard
from tests.scoring.scripted import A, C, courtesy, make_call, make_hit, make_transcript

PLAIN = make_transcript((A, 1, 3, "您好"), (C, 4, 6, "你好"), (A, 50, 52, "再见"))


def verdict(card: Scorecard) -> Any:
    return next(item for item in card.items if item.rule == "forbidden_phrase")


def test_none(card: Any) -> None:
    made = card(make_call(), PLAIN)
    assert verdict(made).status is Status.PASS
    assert made.findings == ()


@pytest.mark.parametrize(
    ("severity", "status", "item", "veto", "earned"),
    [
        (Severity.CRITICAL, Status.FAIL, Status.FAIL, "pending", 0),
        (Severity.MAJOR, Status.FAIL, Status.FAIL, None, 0),
        (Severity.MINOR, Status.FAIL, Status.PASS, None, 15),
        (Severity.CRITICAL, Status.REVIEW, Status.REVIEW, None, 15),
        (Severity.MAJOR, Status.REVIEW, Status.REVIEW, None, 15),
        (Severity.MINOR, Status.REVIEW, Status.PASS, None, 15),
    ],
)
def test_severity_and_certainty(
    card: Any, severity: Severity, status: Status, item: Status, veto: str | None, earned: float
) -> None:
    hit = make_hit("F_off_duty", 30, 31, "我要下班啦", severity=severity, status=status)
    made = card(make_call(), PLAIN, hit)
    judged = verdict(made)
    assert (judged.status, judged.veto, judged.earned) == (item, veto, earned)
    (finding,) = made.findings
    assert (finding.status, finding.severity) == (status, severity)
    assert (finding.start_ms, finding.end_ms, finding.heard) == (30_000, 31_000, "我要下班啦")


def test_the_callers_words_are_never_held_against_the_agent(card: Any) -> None:
    made = card(make_call(), PLAIN, make_hit("F_off_duty", 30, 31, "我要下班啦", channel=C))
    assert made.findings == ()
    assert verdict(made).status is Status.PASS


@pytest.mark.parametrize(
    ("second", "count"),
    [(31.5, 1), (34.0, 1), (34.001, 2), (45.0, 2)],
)
def test_one_finding_a_family_a_passage(card: Any, second: float, count: int) -> None:
    hits = (
        make_hit("D_hurry", 30, 31, "快点说"),
        make_hit("D_hurry", second, second + 1, "少啰嗦"),
    )
    assert len(card(make_call(), PLAIN, *hits).findings) == count


def test_one_utterance_is_one_passage_however_long(card: Any) -> None:
    hits = (
        make_hit("D_hurry", 30, 31, "快点说", utterance=1),
        make_hit("D_hurry", 40, 41, "少啰嗦", utterance=1),
    )
    assert len(card(make_call(), PLAIN, *hits).findings) == 1


def test_two_families_in_a_passage_are_two_findings(card: Any) -> None:
    hits = (make_hit("D_hurry", 30, 31, "快点说"), make_hit("L_insult", 30.5, 31, "闭嘴"))
    made = card(make_call(), PLAIN, *hits)
    assert [finding.family for finding in made.findings] == ["D_hurry", "L_insult"]
    assert "“快点说”、“闭嘴”" in verdict(made).explanation


def test_the_gravest_sure_hit_stands_for_its_passage(card: Any) -> None:
    hits = (
        make_hit("D_hurry", 30, 31, "急什么", status=Status.REVIEW, severity=Severity.CRITICAL),
        make_hit("D_hurry", 30.2, 31, "快点说"),
        make_hit("D_hurry", 30.4, 31, "快点，我这里正忙呢", severity=Severity.CRITICAL),
    )
    (finding,) = card(make_call(), PLAIN, *hits).findings
    assert finding.phrase == "快点，我这里正忙呢"
    assert finding.status is Status.FAIL


@pytest.mark.parametrize("way", ["mono", "bad_line"])
def test_a_mono_mix_or_a_bad_line_is_at_most_a_review(card: Any, way: str) -> None:
    quality = (SideQuality(channel=A, mos=1.5),) if way == "bad_line" else ()
    transcript = make_transcript((A, 1, 3, "您好"), apart=way != "mono")
    hit = make_hit("L_insult", 30, 31, "闭嘴", severity=Severity.CRITICAL)
    made = card(make_call(quality=quality), transcript, hit)
    (finding,) = made.findings
    assert (finding.status, finding.reason) == (Status.REVIEW, way)
    assert (verdict(made).status, verdict(made).veto) == (Status.REVIEW, None)


def test_a_named_department_sends_a_disclaimer_to_review(card: Any) -> None:
    transcript = make_transcript((A, 30, 33, "这个不归我管，是人社局负责"))
    hits = (make_hit("C_not_my_job", 30, 31, "不归我管"), make_hit("L_insult", 30, 31, "闭嘴"))
    made = card(make_call(), transcript, *hits)
    assert {f.family: f.status for f in made.findings} == {
        "C_not_my_job": Status.REVIEW,
        "L_insult": Status.FAIL,
    }


@pytest.mark.parametrize(("agrees", "status"), [(True, Status.REVIEW), (False, Status.FAIL)])
def test_consent_sends_a_word_of_hanging_up_to_review(
    card: Any, agrees: bool, status: Status
) -> None:
    lines: list[Any] = [(A, 50, 52, "没别的我先挂了啊")]
    if agrees:
        lines.append((C, 53, 54, "好的再见"))
    hit = make_hit("O_abrupt_end", 51, 52, "挂了", severity=Severity.CRITICAL)
    made = card(make_call(ended_by=EndedBy.AGENT), make_transcript(*lines), hit)
    assert made.findings[0].status is status


def test_courtesy_hits_are_no_findings(card: Any) -> None:
    assert card(make_call(), PLAIN, courtesy("thanks", 30, 31, "谢谢")).findings == ()


def test_without_a_recording_nothing_is_found(card: Any) -> None:
    made = card(make_call(), None, make_hit("L_insult", 30, 31, "闭嘴"))
    assert made.findings == ()
    assert verdict(made).status is Status.NA
