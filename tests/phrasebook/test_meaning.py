"""Meaning raises a review where no listed words are, never a fail; plain help is left alone."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from calls.call import Channel
from calls.hit import Status
from calls.speech import Transcript
from phrasebook import meaning
from phrasebook.book import Phrasebook
from phrasebook.search import check_text, search

SHIRKING = "路灯不亮你找电力局，电力局不管你找城管，反正别找我们"
MISHEARD = "陆登不亮你找电力局，电力局不管你找程管，反正别早我们"
BEFORE = (("agent", "您好"), ("caller", "水管坏了"))
HELPING = "您反映的路灯问题由城管委负责，我现在给您派单"


def clear() -> None:
    meaning._likelihood.cache_clear()
    meaning._likelihood_heard.cache_clear()


def test_a_model_is_delivered() -> None:
    assert meaning.version().startswith("meaning-")


def test_shirking_reads_worse_than_helping() -> None:
    shirks, helps = meaning.likelihood(SHIRKING), meaning.likelihood(HELPING)
    assert shirks is not None
    assert helps is not None
    assert shirks > 0.5 > helps


def test_without_the_embedding_the_pieces_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meaning, "_embedder", lambda: None)
    meaning._likelihood.cache_clear()
    shirks, helps = meaning.likelihood(SHIRKING), meaning.likelihood(HELPING)
    meaning._likelihood.cache_clear()
    assert shirks is not None
    assert helps is not None
    assert shirks > 0.5 > helps


def test_rare_pieces_weigh_more_and_every_sentence_the_same() -> None:
    rarity = np.ones(meaning.FEATURES, np.float32)
    places, values = meaning.pieces(SHIRKING, "")
    rarity[places[0]] = 3
    weighed = meaning.weigh(places, values, rarity)
    other = meaning.weigh(*meaning.pieces("好", "你好吗"), rarity)
    assert weighed[0] / weighed[1] == pytest.approx(3)
    assert np.linalg.norm(weighed) == pytest.approx(np.linalg.norm(other))


def test_pairs_reach_over_what_stands_between() -> None:
    with_two, with_one = (set(meaning.pieces(t, "")[0]) for t in ("不归我管", "不用你管"))
    pair = with_two & with_one
    assert any(2 * meaning.BUCKETS <= place < meaning.FACTS for place in pair)


@pytest.mark.parametrize(("by_pieces", "asked"), [(0.01, False), (0.5, True), (0.99, False)])
def test_the_embedding_is_asked_only_where_the_pieces_leave_doubt(
    monkeypatch: pytest.MonkeyPatch, by_pieces: float, asked: bool
) -> None:
    embedded = []

    def encode(said: str) -> meaning.Floats:
        embedded.append(said)
        return np.zeros(meaning.EMBEDDING, np.float32)

    monkeypatch.setattr(meaning, "_embedder", lambda: encode)
    monkeypatch.setattr(
        meaning, "_by_pieces", lambda *_: float(np.log(by_pieces / (1 - by_pieces)))
    )
    meaning._likelihood.cache_clear()
    meaning.likelihood(SHIRKING, "我问个事")
    meaning._likelihood.cache_clear()
    assert embedded == ([SHIRKING] if asked else [])


def test_heard_text_is_never_embedded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meaning, "_embedder", lambda: pytest.fail("asked for the embedding"))
    shirks, helps = meaning.likelihood_heard(SHIRKING), meaning.likelihood_heard(HELPING)
    assert shirks is not None
    assert helps is not None
    assert shirks > 0.5 > helps


@pytest.mark.parametrize(
    ("text", "guilty"),
    [
        (MISHEARD, True),
        ("您反应的路等问题由城管委富责，我现在给您派但", False),
    ],
)
def test_meaning_outlives_mishearing(
    book: Phrasebook, make_call: Callable[..., Transcript], text: str, guilty: bool
) -> None:
    call = make_call(("agent", "您好，请讲"), ("caller", "路灯坏了"), ("agent", text))
    meant = [c for c in search(book, call) if c.by == "meaning"]
    assert bool(meant) is guilty


@pytest.mark.parametrize(
    ("language", "probability", "raised"),
    [("zh", 0.9, True), ("ja", 0.79, True), ("ja", 0.8, False), ("", 0.0, True)],
)
def test_what_was_said_in_another_language_has_no_meaning(
    book: Phrasebook,
    make_call: Callable[..., Transcript],
    language: str,
    probability: float,
    raised: bool,
) -> None:
    call = make_call(*BEFORE, ("agent", MISHEARD))
    spoken = replace(call.utterances[-1], language=language, language_probability=probability)
    call = replace(call, utterances=(*call.utterances[:-1], spoken))
    assert any(c.by == "meaning" for c in search(book, call)) is raised


def test_a_part_of_a_harmless_sentence_is_not_raised(
    book: Phrasebook, make_call: Callable[..., Transcript]
) -> None:
    part = ("agent", "您别再打了")
    whole = (part, ("agent", "我们马上派师傅过去，您在家等我电话就行，他十分钟就到"))
    raised = [
        any(c.by == "meaning" for c in search(book, make_call(*BEFORE, *turns)))
        for turns in ((part,), whole)
    ]
    assert raised == [True, False]


def test_misheard_courtesy_is_read_as_courtesy_too(
    book: Phrasebook, make_call: Callable[..., Transcript], monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = "然后您就等了"
    read: list[str] = []

    def likelihood(text: str) -> float:
        read.append(text)
        return 0.2 if "久等了" in text else 0.99

    monkeypatch.setattr(meaning, "likelihood_heard", likelihood)
    found = search(book, make_call(*BEFORE, ("agent", heard)))
    assert "然后您久等了" in read
    assert not [c for c in found if c.by == "meaning" and c.heard == heard]


def test_meaning_raises_review_only(book: Phrasebook) -> None:
    hits = check_text(book, Channel.AGENT, "您这话比裹脚布还长，我没工夫听")
    assert {h.status for h in hits if h.candidate.by == "meaning"} <= {Status.REVIEW}


@pytest.mark.parametrize("text", [HELPING, "您好，请问有什么可以帮您", "您别着急，我马上给您查"])
def test_plain_help_is_left_alone(book: Phrasebook, text: str) -> None:
    assert check_text(book, Channel.AGENT, text) == ()


def test_a_caller_may_say_anything(book: Phrasebook) -> None:
    assert check_text(book, Channel.CALLER, "神经病，我要下班了") == ()


def test_an_empty_text_has_no_hits(book: Phrasebook) -> None:
    assert check_text(book, Channel.AGENT, "。。。") == ()


def test_meaning_never_silences_listed_words(
    book: Phrasebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meaning, "likelihood", lambda text, previous="": 0.0)
    hits = check_text(book, Channel.AGENT, "放屁虫属于病媒生物，我帮您转疾控")
    assert {(h.candidate.by, h.status) for h in hits} == {("text", Status.REVIEW)}


@pytest.mark.parametrize("judge", [meaning.likelihood, meaning.likelihood_heard])
def test_a_few_syllables_weigh_less_than_a_sentence(
    monkeypatch: pytest.MonkeyPatch, judge: Callable[[str], float]
) -> None:
    monkeypatch.setattr(meaning, "_embedder", lambda: None)
    monkeypatch.setattr(meaning, "_by_pieces", lambda *_: 0.0)
    clear()
    one, six, eight, long = map(
        judge, ("行", "这个都行的", "这个怎么办都可以", "这个您怎么办都可以的呀")
    )
    clear()
    assert one < six < eight == long == 0.5
