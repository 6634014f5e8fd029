"""Meaning raises a review where no listed words are, never a fail; plain help is left alone."""

import numpy as np
import pytest

from calls.call import Channel
from calls.hit import Status
from phrasebook import meaning
from phrasebook.book import Phrasebook
from phrasebook.search import check_text

SHIRKING = "路灯不亮你找电力局，电力局不管你找城管，反正别找我们"
HELPING = "您反映的路灯问题由城管委负责，我现在给您派单"


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


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("您好，请问有什么可以帮您", False),
        ("你听不懂人话吗", False),
        ("那您上派出所门口等等看吧", True),
    ],
)
def test_the_embedding_is_asked_only_where_the_pieces_leave_doubt(
    monkeypatch: pytest.MonkeyPatch, text: str, asked: bool
) -> None:
    embedded = []

    def encode(said: str) -> meaning.Floats:
        embedded.append(said)
        return np.zeros(meaning.EMBEDDING, np.float32)

    monkeypatch.setattr(meaning, "_embedder", lambda: encode)
    meaning._likelihood.cache_clear()
    meaning.likelihood(text, "我问个事")
    meaning._likelihood.cache_clear()
    assert embedded == (["我问个事 → " + text] if asked else [])


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
