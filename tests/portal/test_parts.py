"""The small parts: masks, peaks, verdicts, timeline, transcript marks."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calls import wav
from calls.call import Call, Channel
from calls.codec import read_record
from calls.hit import Severity, Status
from calls.scorecard import Scorecard
from calls.speech import Transcript, Utterance
from portal.filters import clock_ms, clock_tenths, score, share
from portal.peaks import MOST, peaks
from portal.timeline import timeline
from portal.transcripts import lines
from portal.verdicts import Ruling, revise
from tests.peers.hotline import hand_over, scorecard, stories, transcript


def test_peaks_find_the_loud_places_of_each_side(tmp_path: Path) -> None:
    sound = np.zeros((16_000, 2), np.float32)
    sound[4000:4160, 0] = 0.5
    sound[12_000:12_160, 1] = -0.8
    wav.write(tmp_path / "a.wav", sound, 8000)
    left, right = peaks(tmp_path / "a.wav")
    assert len(left) == len(right) == 100
    assert [i for i, v in enumerate(left) if v > 0.1] == [25]
    assert [i for i, v in enumerate(right) if v > 0.1] == [75]
    assert [left[25], right[75]] == pytest.approx([0.5, 0.8], abs=0.01)


@pytest.mark.parametrize("frames", [1, 7, 159, 8001, 3_300_000])
def test_peaks_of_any_length(tmp_path: Path, frames: int) -> None:
    wav.write(tmp_path / "a.wav", np.full((frames,), 0.25, np.float32), 8000)
    (side,) = peaks(tmp_path / "a.wav")
    assert 1 <= len(side) <= MOST
    assert set(side) == {0.25}


def card() -> Scorecard:
    return scorecard(stories()[0])


def rule(status: Status, finding: int | None = 0, name: str = "forbidden_phrase") -> Ruling:
    return Ruling(rule=name, finding=finding, status=status)


@pytest.mark.parametrize(
    ("rulings", "score", "status", "veto"),
    [
        ([], 85.0, Status.FAIL, "pending"),
        ([rule(Status.FAIL)], 0.0, Status.FAIL, "confirmed"),
        ([rule(Status.PASS)], 100.0, Status.PASS, "lifted"),
        ([rule(Status.PASS), rule(Status.FAIL)], 0.0, Status.FAIL, "confirmed"),
        ([rule(Status.PASS, None)], 100.0, Status.PASS, "lifted"),
        ([rule(Status.NA, None)], 100.0, Status.NA, "lifted"),
        ([rule(Status.PASS, 9)], 85.0, Status.FAIL, "pending"),
        ([rule(Status.FAIL, None, "no_such")], 85.0, Status.FAIL, "pending"),
    ],
)
def test_rulings(rulings: list[Ruling], score: float, status: Status, veto: str) -> None:
    revised = revise(card(), rulings)
    item = next(i for i in revised.items if i.rule == "forbidden_phrase")
    assert (revised.score, item.status, item.veto) == (score, status, veto)


def test_a_veto_waits_for_every_critical_finding() -> None:
    one = card()
    two = replace(one, findings=(one.findings[0], replace(one.findings[0], start_ms=1)))
    half = revise(two, [rule(Status.PASS, 0)])
    item = next(i for i in half.items if i.rule == "forbidden_phrase")
    assert (item.status, item.veto) == (Status.FAIL, "pending")
    both = revise(two, [rule(Status.PASS, 0), rule(Status.PASS, 1)])
    item = next(i for i in both.items if i.rule == "forbidden_phrase")
    assert (item.status, item.veto) == (Status.PASS, "lifted")
    assert two.findings[0].severity is Severity.CRITICAL


def test_without_rulings_the_automatic_scores_stand() -> None:
    for story in stories():
        automatic = scorecard(story)
        assert revise(automatic, []).score == automatic.score


def test_the_words_of_a_finding_are_marked() -> None:
    story = stories()[0]
    found = lines(transcript(story, 15_000), card().findings)
    marked = [(p.text, p.finding) for p in found[-1].pieces]
    assert marked == [("快点我这里正忙呢", 0), ("，你问别人吧。", None)]
    assert all(p.finding is None for line in found[:-1] for p in line.pieces)


def test_a_finding_whose_words_are_not_there_marks_the_utterance() -> None:
    finding = replace(card().findings[0], heard="别的话")
    found = lines(transcript(stories()[0], 15_000), [finding])
    assert [p.finding for p in found[-1].pieces] == [0]
    other = replace(finding, channel=Channel.CALLER)
    assert all(
        p.finding is None
        for line in lines(transcript(stories()[0], 15_000), [other])
        for p in line.pieces
    )


def test_the_timeline(tmp_path: Path) -> None:
    call = read_record(hand_over(stories()[0], tmp_path) / "call.json", Call)
    drawn = timeline(call, 6200)
    assert drawn.ring is not None
    assert drawn.ring.width < drawn.limit_x
    assert [(h[1], h[2]) for h in drawn.holds] == [("agent", 12_000)]
    late = timeline(call, 40_000)
    assert late.ring is not None
    assert late.limit_x < late.ring.width < 1000
    assert timeline(call, None).ring is None
    assert timeline(replace(call, answered_at=None, recording=None), 1).talk_ms is None


def test_figures_look_as_people_write_them() -> None:
    assert [clock_ms(0), clock_ms(61_999), clock_tenths(12_240)] == ["0:00", "1:01", "0:12.2"]
    assert [score(100.0), score(87.5), score(None), share(0.9512)] == ["100", "87.5", "–", "95.1%"]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("二零二四年三月五号", "2024年3月5号"),
        ("我的电话是幺三八零零幺三八零零零", "我的电话是138******零零"),
        ("您好", "您好"),
    ],
)
def test_numbers_are_shown_in_figures_and_starred_in_either_form(said: str, shown: str) -> None:
    utterance = Utterance(channel=Channel.AGENT, start_ms=0, end_ms=1000, text=said)
    talk = Transcript(call_id="x", duration_ms=1000, utterances=(utterance,))
    assert "".join(piece.text for line in lines(talk, ()) for piece in line.pieces) == shown
