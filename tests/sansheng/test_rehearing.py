"""A changed phrasebook looked for only where it can matter: the same as everywhere, and as anew."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest

from calls.hit import Hit
from calls.speech import Transcript
from phrasebook import book as books
from phrasebook.book import Phrasebook
from phrasebook.difference import compare
from phrasebook.search import search
from sansheng.backtest import words_of
from scoring.rehear import Reach, Words, rehear
from tests.phrasebook.altered import CHANGES, altered, chance_call, hits_of

CALLS = 30


@pytest.fixture(scope="module")
def book() -> Phrasebook:
    return books.load()


@pytest.fixture(scope="module")
def stored(book: Phrasebook) -> list[tuple[Transcript, tuple[Hit, ...]]]:
    """Calls with what the book in use makes of them, their audio being asked."""
    random = Random(20_260_402)
    calls = [chance_call(random, book) for _ in range(CALLS)]
    return [(call, hits_of(book, call)) for call in calls]


def whole(book: Phrasebook, words: Words) -> Words:
    """The same, every utterance of every call being searched by both books."""

    def reach(transcript: Transcript, _: Sequence[Hit]) -> Reach:
        return Reach(families=None, places=None, asked=search(book, transcript))

    return replace(words, reach=reach)


def test_the_short_way_says_the_same_as_the_long_one_and_as_the_audio(
    book: Phrasebook, stored: list[tuple[Transcript, tuple[Hit, ...]]]
) -> None:
    random, changed, asked_again = Random(9), 0, 0
    for number in range(24):
        tried = altered(random, book, number)
        if compare(book, tried) is None:
            continue
        words = words_of(book, tried)
        for call, hits in stored[number % 3 :: 3]:
            made = rehear(call, hits, words)
            assert made == rehear(call, hits, whole(book, words))
            changed += made.hits != hits
            asked_again += len(made.unasked)
            if not made.unasked and tried.thresholds == book.thresholds:
                assert made.hits == hits_of(tried, call)
    assert changed > 10
    assert asked_again > 10


@pytest.mark.parametrize("kind", sorted(CHANGES))
def test_what_a_change_does_not_reach_stands(
    book: Phrasebook, stored: list[tuple[Transcript, tuple[Hit, ...]]], kind: str
) -> None:
    """Other hits than the book would give now stay as they are: only the change is told."""
    tried = replace(CHANGES[kind](Random(kind), book), version=kind)
    words = words_of(book, tried)
    for call, hits in stored[::6]:
        odd = tuple(replace(hit, reason="as it was") for hit in hits)
        families = words.reach(call, odd).families
        kept = [h for h in odd if families is not None and h.candidate.family not in families]
        assert set(kept) <= set(rehear(call, odd, words).hits)


def test_what_the_audio_refuted_is_asked_again_under_a_milder_book(
    book: Phrasebook, stored: list[tuple[Transcript, tuple[Hit, ...]]]
) -> None:
    limits = book.thresholds.model_copy(update={"review_probability": 0.1})
    milder = replace(book, thresholds=limits, version="milder")
    made = [(hits, rehear(call, hits, words_of(book, milder))) for call, hits in stored]
    assert sum(len(anew.unasked) for _, anew in made) > 10
    assert all(candidate.by != "text" for _, anew in made for candidate in anew.unasked)
    same = [
        rehear(call, hits, words_of(book, replace(book, version="same"))) for call, hits in stored
    ]
    assert [anew.hits for anew in same] == [hits for _, hits in stored]
    assert not any(anew.unasked for anew in same)
