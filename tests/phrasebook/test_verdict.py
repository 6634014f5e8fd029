"""Verdicts: what fails, what a person must hear, what is dropped."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from calls.call import Channel
from calls.hit import Candidate, Hit, Kind, Reading, Status
from calls.speech import Transcript
from phrasebook.book import Phrasebook
from phrasebook.search import check_text, search
from phrasebook.verdict import decide

MakeCall = Callable[..., Transcript]


def reading(probability: float) -> Reading:
    return Reading(phrase_logprob=-1.0, heard_logprob=-0.5, probability=probability)


@pytest.fixture
def call(make_call: MakeCall) -> Transcript:
    return make_call(("agent", "您好，请讲"), ("caller", "还有个事"), ("agent", "我要下班啦"))


@pytest.fixture
def rude(book: Phrasebook, call: Transcript) -> Candidate:
    return next(c for c in search(book, call) if c.kind is Kind.FORBIDDEN and c.by == "text")


def judge(
    book: Phrasebook, call: Transcript, candidate: Candidate, answer: Reading | None
) -> list[tuple[Status, str]]:
    hits: tuple[Hit, ...] = decide(book, call, [candidate], [answer])
    return [(h.status, h.reason) for h in hits]


def test_words_that_the_audio_confirmed_fail(
    book: Phrasebook, call: Transcript, rude: Candidate
) -> None:
    assert judge(book, call, rude, reading(0.98)) == [(Status.FAIL, "")]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(reading(0.6), "low_probability"), (reading(0.0), "low_probability"), (None, "not_checked")],
)
def test_words_without_firm_audio_go_to_review(
    book: Phrasebook, call: Transcript, rude: Candidate, answer: Reading | None, reason: str
) -> None:
    assert judge(book, call, rude, answer) == [(Status.REVIEW, reason)]


def test_a_guard_leads_to_review_not_to_silence(
    book: Phrasebook, call: Transcript, rude: Candidate
) -> None:
    guarded = replace(rude, guards=("quote",))
    assert judge(book, call, guarded, reading(0.99)) == [(Status.REVIEW, "quote")]


def test_meaning_alone_never_fails(book: Phrasebook, call: Transcript, rude: Candidate) -> None:
    meant = replace(rude, by="meaning")
    assert judge(book, call, meant, reading(1.0)) == [(Status.REVIEW, "meaning")]


@pytest.mark.parametrize("by", ["sound", "audio"])
def test_a_sound_that_the_audio_refutes_is_dropped(
    book: Phrasebook, call: Transcript, rude: Candidate, by: str
) -> None:
    assert judge(book, call, replace(rude, by=by), reading(0.01)) == []


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("我要下班啦", Status.FAIL),
        ("喂，我要下班啦", Status.FAIL),
        ("我要下班啦，你别说了", Status.FAIL),
        ("公交司机跟乘客讲我要下班啦，这个情况我已经登记好了，马上给公交公司派单", Status.REVIEW),
    ],
)
def test_a_sentence_that_speaks_against_its_words_goes_to_review(
    book: Phrasebook, make_call: MakeCall, text: str, status: Status
) -> None:
    call = make_call(("agent", "您好，请讲"), ("caller", "司机不让我上车"), ("agent", text))
    found = [c for c in search(book, call) if c.kind is Kind.FORBIDDEN and c.by == "text"]
    bare = [replace(c, guards=()) for c in found]
    hits = decide(book, call, bare, [reading(0.98)] * len(bare))
    assert {h.status for h in hits} == {status}


def test_one_finding_a_family_and_passage(
    book: Phrasebook, call: Transcript, rude: Candidate
) -> None:
    again = replace(rude, phrase_id="F169", start_ms=rude.end_ms, end_ms=rude.end_ms + 500)
    far = replace(rude, start_ms=rude.end_ms + 60_000, end_ms=rude.end_ms + 61_000, utterance=9)
    longer = replace(call, utterances=call.utterances + call.utterances[-1:] * 7)
    hits = decide(book, longer, [rude, again, far], [reading(0.95), reading(0.99), reading(0.97)])
    assert [h.candidate.start_ms for h in hits] == [again.start_ms, far.start_ms]
    assert hits[0].confidence == 0.99


def test_courtesy_in_the_text_is_said_and_by_sound_the_audio_decides(
    book: Phrasebook, call: Transcript
) -> None:
    greeting = next(c for c in search(book, call) if c.family == "greeting")
    alike = replace(greeting, by="sound")
    assert judge(book, call, greeting, None) == [(Status.PASS, "")]
    assert judge(book, call, alike, reading(0.8)) == [(Status.PASS, "")]
    assert judge(book, call, alike, reading(0.3)) == [(Status.REVIEW, "low_probability")]
    assert judge(book, call, alike, reading(0.01)) == []


def test_meaning_stands_where_the_audio_refutes_words_and_yields_where_it_does_not(
    book: Phrasebook, call: Transcript, rude: Candidate
) -> None:
    meant = replace(rude, by="meaning", family="D_hurry", score=0.9)
    alike = replace(rude, by="sound")
    refuted = decide(book, call, [alike, meant], [reading(0.01), None])
    borne_out = decide(book, call, [alike, meant], [reading(0.99), None])
    assert [(h.candidate.by, h.status) for h in refuted] == [("meaning", Status.REVIEW)]
    assert [(h.candidate.by, h.status) for h in borne_out] == [("sound", Status.FAIL)]


@pytest.mark.parametrize(
    ("phrase", "score", "probability", "raised"),
    [
        ("快点，我这里正忙呢！", 0.86, 0.2, True),
        ("快点，我这里正忙呢！", 0.84, 0.2, False),
        ("快点，我这里正忙呢！", 0.86, 0.05, False),
        ("不归我管", 0.95, 0.2, False),
    ],
)
def test_a_long_phrase_but_for_a_syllable_needs_less_of_the_audio(
    book: Phrasebook,
    call: Transcript,
    rude: Candidate,
    phrase: str,
    score: float,
    probability: float,
    raised: bool,
) -> None:
    listed = next(p for p in book.phrases if p.text == phrase)
    near = replace(rude, by="sound", phrase_id=listed.id, phrase=phrase, score=score)
    found = judge(book, call, near, reading(probability))
    assert found == ([(Status.REVIEW, "low_probability")] if raised else [])


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("不兴，就是不行", Status.FAIL),
        ("不管，就是不行", Status.FAIL),
        ("您提交的不兴，就是不行", Status.REVIEW),
    ],
)
def test_a_listed_clause_that_is_most_of_what_was_said_stands(
    book: Phrasebook,
    make_call: MakeCall,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    status: Status,
) -> None:
    monkeypatch.setattr("phrasebook.meaning.likelihood_heard", lambda _: 0.1)
    said = make_call(("agent", "您好，请讲"), ("caller", "能办吗"), ("agent", text))
    candidates = [c for c in search(book, said) if c.phrase == "就是不行"]
    hits = decide(book, said, candidates, [reading(0.99)])
    assert [hit.status for hit in hits] == [status]


@pytest.mark.parametrize(
    ("before", "said", "status"),
    [
        ("会不会让别人知道", "不会", Status.REVIEW),
        ("那摊子就叫滚蛋", "滚蛋", Status.REVIEW),
        ("那我想问问低保怎么办", "不会", Status.FAIL),
        ("您几点夏班", "我要下班啦", Status.FAIL),
        ("那就是部形了对吧", "不行", Status.REVIEW),
    ],
)
def test_words_that_the_caller_has_just_used_are_for_a_person(
    book: Phrasebook, make_call: MakeCall, before: str, said: str, status: Status
) -> None:
    call = make_call(("agent", "您好，请讲"), ("caller", before), ("agent", said))
    candidates = [c for c in search(book, call) if c.by == "text" and c.kind is Kind.FORBIDDEN]
    heard = decide(book, call, candidates, [reading(0.98)] * len(candidates))
    written = check_text(book, Channel.AGENT, said, before)
    for hits in (heard, written):
        [hit] = [h for h in hits if h.candidate.by == "text"]
        assert hit.status is status
        assert (hit.reason == "echo") is (status is Status.REVIEW)


def test_only_the_callers_last_turn_is_echoed(book: Phrasebook, make_call: MakeCall) -> None:
    call = make_call(
        ("caller", "他说我不会办"),
        ("agent", "嗯，您接着说"),
        ("caller", "那怎么弄"),
        ("agent", "不会"),
    )
    [candidate] = [c for c in search(book, call) if c.by == "text" and c.kind is Kind.FORBIDDEN]
    assert judge(book, call, candidate, reading(0.98)) == [(Status.FAIL, "")]
