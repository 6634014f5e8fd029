"""A changed file on stored calls: the difference call by call, and what needs the audio again."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from calls.hit import Candidate, Hit, Kind, Reading, Status
from calls.speech import Transcript
from scoring import rules as rules_file
from scoring.backtest import Stored, Summary, backtest
from scoring.judge import score
from scoring.rehear import Reach, Reheard, Words, rehear
from scoring.rules import RuleBook
from tests.scoring.scripted import VERSIONS, A, C, make_call, make_hit, make_transcript

SAID = make_transcript((A, 0.5, 2, "您好，便民专线"), (C, 3, 5, "你好"), (A, 30, 31, "快点说"))
READ = Reading(phrase_logprob=-0.5, heard_logprob=-0.4, probability=0.97)


def stored(
    book: RuleBook,
    *hits: Hit,
    call_id: str = "call-1",
    agent: str = "1001",
    ring: float = 6.0,
    people: dict[str, Status] | None = None,
    transcript: Transcript | None = SAID,
) -> Stored:
    call = replace(make_call(ring=ring), call_id=call_id, agent=agent)
    return Stored(
        call=call,
        transcript=transcript,
        hits=hits,
        scorecard=score(call, transcript, hits, book, VERSIONS),
        people=people or {},
    )


def test_the_same_files_change_nothing(book: RuleBook) -> None:
    one = stored(book, make_hit("D_hurry", 30, 31, "快点说"))
    (made,) = backtest([one], book)
    assert not made.changed
    assert (made.before, made.unasked) == (made.after, 0)
    assert made.scorecard is not None
    assert made.scorecard.versions.rules == book.version


def test_a_stricter_rule_flags_calls_and_says_which(
    book: RuleBook, edited: Callable[..., Path]
) -> None:
    strict = rules_file.load(edited(("strict = false", "strict = true")))
    ok, late = stored(book, ring=6.0), stored(book, ring=13.0, call_id="call-2", agent="1002")
    fine, flagged = backtest([ok, late], strict)
    assert not fine.changed
    assert [(m.rule, m.status) for m in flagged.flagged] == [("three_rings", Status.FAIL)]
    assert flagged.cleared == ()
    assert flagged.before is not None
    assert flagged.after is not None
    assert flagged.after < flagged.before
    summary = Summary()
    for one, made in zip((ok, late), (fine, flagged), strict=True):
        summary.add(made, one)
    assert (summary.calls, summary.changed) == (2, 1)
    assert summary.flagged == {"three_rings": 1}
    assert [(e.agent, e.calls) for e in summary.agents] == [("1002", 1), ("1001", 1)]
    assert summary.agents[0].after == flagged.after


def test_a_milder_rule_clears_calls(book: RuleBook, edited: Callable[..., Path]) -> None:
    mild = rules_file.load(edited(("rings = 3", "rings = 4")))
    (made,) = backtest([stored(book, ring=16.0)], mild)
    assert [(m.rule, m.status) for m in made.cleared] == [("three_rings", Status.FAIL)]
    assert made.flagged == ()


def test_precision_against_people_before_and_after(
    book: RuleBook, edited: Callable[..., Path]
) -> None:
    mild = rules_file.load(edited(("rings = 3", "rings = 4")))
    calls = [
        stored(book, ring=16.0, call_id="a", people={"three_rings": Status.PASS}),
        stored(book, ring=26.0, call_id="b", people={"three_rings": Status.FAIL}),
        stored(book, ring=26.0, call_id="c"),
    ]
    summary = Summary()
    for one, made in zip(calls, backtest(calls, mild), strict=True):
        summary.add(made, one)
    before, after = summary.quality
    assert [(q.rule, q.precision.hits, q.precision.count) for q in before] == [
        ("three_rings", 1, 2)
    ]
    assert [(q.precision.hits, q.precision.count) for q in after] == [(1, 1)]


def test_a_run_can_be_stopped_at_any_call(book: RuleBook) -> None:
    taken: list[str] = []

    def endless() -> Iterator[Stored]:
        number = 0
        while True:
            number += 1
            taken.append(str(number))
            yield stored(book, call_id=f"call-{number}")

    run = backtest(endless(), book)
    assert [next(run).call_id for _ in range(3)] == ["call-1", "call-2", "call-3"]
    assert len(taken) == 3


def candidate(phrase: str, by: str = "text", **more: Any) -> Candidate:
    base = make_hit("D_hurry", 30, 31, phrase, utterance=2).candidate
    return replace(base, by=by, **more)


def book_of(
    *proposed: Candidate,
    asked: Sequence[Candidate] = (),
    families: frozenset[str] | None = None,
    places: frozenset[int] | None = None,
) -> Words:
    """A phrasebook that proposes these, and fails what the audio surely said."""

    def decide(
        _: Transcript, those: Sequence[Candidate], readings: Sequence[Reading | None]
    ) -> Sequence[Hit]:
        return [
            Hit(
                candidate=one,
                reading=reading,
                status=Status.FAIL if reading else Status.REVIEW,
                confidence=reading.probability if reading else 0.0,
            )
            for one, reading in zip(those, readings, strict=True)
        ]

    reach = Reach(families=families, places=places, asked=asked)
    return Words(propose=lambda _: proposed, decide=decide, version="p2", reach=lambda *_: reach)


HIT = replace(make_hit("D_hurry", 30, 31, "快点说", utterance=2), reading=READ)


def test_a_phrase_in_its_old_place_keeps_its_reading() -> None:
    made = rehear(SAID, [HIT], book_of(candidate("快点说")))
    assert [(h.status, h.reading) for h in made.hits] == [(Status.FAIL, READ)]
    assert made.unasked == ()


@pytest.mark.parametrize(("by", "hits"), [("text", [Status.REVIEW]), ("sound", []), ("audio", [])])
def test_a_new_phrase_needs_the_audio(by: str, hits: list[Status]) -> None:
    made = rehear(SAID, [HIT], book_of(candidate("少啰嗦", by=by)))
    assert [h.status for h in made.hits] == hits
    assert [c.phrase for c in made.unasked] == ["少啰嗦"]


def test_a_phrase_that_was_asked_about_and_left_no_hit_was_refuted() -> None:
    one = candidate("急什么", by="sound")
    assert rehear(SAID, [], book_of(one, asked=[one])) == Reheard((), ())
    assert rehear(SAID, [], book_of(one, places=frozenset({0}))) == Reheard((), ())
    new_there = book_of(one, asked=[replace(one, char_start=1)], places=frozenset({2}))
    assert rehear(SAID, [], new_there).unasked == (one,)


def test_what_was_refuted_is_asked_again_when_the_audio_refutes_less() -> None:
    sounds, stands = candidate("急什么", by="sound"), candidate("快点说")
    milder = replace(book_of(sounds, stands, asked=[sounds, stands]), forgives=True)
    assert rehear(SAID, [], milder) == Reheard((), (sounds,))


@pytest.mark.parametrize(("kept", "unasked"), [(True, []), (False, ["急什么"])])
def test_a_phrase_behind_a_graver_one_waits_when_that_is_gone(
    kept: bool, unasked: list[str]
) -> None:
    behind = candidate("急什么", by="sound")
    proposed = [behind] + ([candidate("快点说")] if kept else [])
    words = book_of(*proposed, asked=[behind, candidate("快点说")])
    assert [c.phrase for c in rehear(SAID, [HIT], words).unasked] == unasked


def test_families_that_cannot_differ_stand_as_they_are() -> None:
    insult = make_hit("L_insult", 40, 41, "闭嘴")
    proposed = (candidate("少啰嗦"), replace(insult.candidate, phrase="白痴"))
    made = rehear(SAID, [HIT, insult], book_of(*proposed, families=frozenset({"D_hurry"})))
    assert [(h.candidate.phrase, h.status) for h in made.hits] == [
        ("少啰嗦", Status.REVIEW),
        ("闭嘴", Status.FAIL),
    ]
    assert [c.phrase for c in made.unasked] == ["少啰嗦"]


def test_a_call_that_the_change_does_not_reach_is_not_searched() -> None:
    def never(_: Transcript) -> Sequence[Candidate]:
        raise AssertionError("searched")

    words = replace(book_of(families=frozenset()), propose=never)
    assert rehear(SAID, [HIT], words) == Reheard((HIT,), ())


@pytest.mark.parametrize(
    "needless",
    [
        candidate("请稍等", kind=Kind.COURTESY),
        candidate("不归我管", by="meaning"),
    ],
)
def test_courtesy_in_the_text_and_meaning_need_no_audio(needless: Candidate) -> None:
    made = rehear(SAID, [], book_of(needless))
    assert len(made.hits) == 1
    assert made.unasked == ()


def test_a_phrase_taken_out_of_the_book_clears_its_findings(book: RuleBook) -> None:
    (made,) = backtest([stored(book, HIT)], book, words=book_of())
    assert [(m.rule, m.family, m.phrase) for m in made.cleared] == [
        ("forbidden_phrase", "D_hurry", "快点说")
    ]
    assert made.scorecard is not None
    assert made.scorecard.versions.phrasebook == "p2"
    summary = Summary()
    summary.add(made)
    assert summary.cleared == {"forbidden_phrase/D_hurry": 1}


def test_a_phrase_put_into_the_book_is_told_and_counted(book: RuleBook) -> None:
    words = book_of(candidate("快点说"))
    (made,) = backtest([stored(book)], book, words=words)
    assert [(m.family, m.status) for m in made.flagged] == [("D_hurry", Status.REVIEW)]
    assert made.unasked == 1


def test_a_call_without_a_transcript_is_scored_by_its_signalling(book: RuleBook) -> None:
    one = stored(book, ring=16.0, transcript=None)
    (made,) = backtest([one], book, words=book_of(candidate("快点说")))
    assert not made.changed
