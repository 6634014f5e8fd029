"""Where two phrasebooks differ: nothing outside it may come out otherwise."""

import re
from dataclasses import replace
from random import Random

import pytest

from calls.call import Channel
from calls.hit import Kind
from calls.speech import SpeechSpan, Transcript, Utterance
from calls.text import spoken
from phrasebook import difference
from phrasebook.book import Family, Guard, Phrase, Phrasebook
from phrasebook.difference import compare, everywhere, forgives
from phrasebook.index import PhraseIndex
from phrasebook.search import search
from phrasebook.sound import code
from tests.phrasebook.altered import CHANGES, altered, chance_call, hits_of

CALLS = 40


@pytest.fixture(scope="module")
def heard(book: Phrasebook) -> list[Transcript]:
    random = Random(20_260_401)
    return [chance_call(random, book) for _ in range(CALLS)]


def with_phrases(book: Phrasebook, *more: Phrase) -> Phrasebook:
    return replace(book, phrases=(*book.phrases, *more), version="more")


def like(book: Phrasebook, kind: Kind, text: str, **other: object) -> Phrase:
    """A phrase of the book's first family of a kind, with another text."""
    first = next(book.of(kind))
    fields = {"id": "new", "text": text, "forms": (text,), "misheard": (), "exclude": None}
    return replace(first, **{**fields, "whole": False, "first_turn": False, **other})  # type: ignore[arg-type]


def threshold(book: Phrasebook, **values: float) -> Phrasebook:
    return replace(book, thresholds=book.thresholds.model_copy(update=values), version="limits")


@pytest.mark.parametrize("kind", sorted(CHANGES))
def test_candidates_differ_only_where_it_says(
    book: Phrasebook, heard: list[Transcript], kind: str
) -> None:
    random, differed = Random(kind), 0
    for number in range(8):
        tried = replace(CHANGES[kind](random, book), version=f"{kind}-{number}")
        apart = compare(book, tried)
        if apart is None:
            continue
        for call in heard[number % 4 :: 4]:
            reach = apart.reach(call, ())
            changed = set(search(book, call)) ^ set(search(tried, call))
            assert {candidate.utterance for candidate in changed} <= reach.places
            assert reach.families is not None
            assert {candidate.family for candidate in changed} <= reach.families
            differed += bool(changed)
    assert differed or kind == "threshold"


def test_several_changes_at_once(book: Phrasebook, heard: list[Transcript]) -> None:
    random = Random(5)
    for number in range(8):
        tried = altered(random, altered(random, book, number), number)
        apart = compare(book, tried)
        assert (apart is None) == bool(everywhere(book, tried))
        for call in heard[number::8]:
            changed = set(search(book, call)) ^ set(search(tried, call))
            assert apart is None or {c.utterance for c in changed} <= apart.reach(call, ()).places


def test_a_call_without_the_phrase_is_not_searched(
    book: Phrasebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = (
        Utterance(channel=Channel.AGENT, start_ms=0, end_ms=3000, text="材料带上到窗口办理"),
        Utterance(channel=Channel.CALLER, start_ms=4000, end_ms=6000, text="少废话赶紧的"),
    )
    call = Transcript(call_id="c1", duration_ms=9000, utterances=said)
    apart = compare(book, with_phrases(book, like(book, Kind.FORBIDDEN, "少废话赶紧的")))
    assert apart is not None

    def never(*_: object, **__: object) -> None:
        raise AssertionError("searched")

    monkeypatch.setattr(difference, "search", never)
    assert apart.reach(call, ()) == (frozenset(), frozenset(), ())
    aloud = replace(call, utterances=(replace(said[1], channel=Channel.AGENT),))
    with pytest.raises(AssertionError, match="searched"):
        apart.reach(aloud, ())


def test_a_new_seed_phrase_is_asked_of_speech_without_words(book: Phrasebook) -> None:
    span = SpeechSpan(channel=Channel.AGENT, start_ms=1000, end_ms=1900)
    call = Transcript(call_id="c1", duration_ms=9000, speech=(span,))
    seed = like(book, Kind.FORBIDDEN, "甭问", whole=True, sources=("seed",))
    apart = compare(book, with_phrases(book, seed))
    assert apart is not None
    assert apart.reach(call, ()).families == frozenset({seed.family})


def test_a_new_short_phrase_is_asked_of_short_speech_that_is_far_off(book: Phrasebook) -> None:
    said = Utterance(channel=Channel.AGENT, start_ms=3000, end_ms=3600, text="甭说")
    call = Transcript(call_id="c1", duration_ms=9000, utterances=(said,))
    short = like(book, Kind.FORBIDDEN, "甭问", whole=True)
    bare = replace(book, phrases=tuple(book.of(Kind.COURTESY)), version="bare")
    apart = compare(bare, with_phrases(bare, short))
    assert apart is not None
    families = apart.reach(call, ()).families
    assert families is not None
    assert short.family in families


def test_thresholds_matter_where_the_audio_was_asked(
    book: Phrasebook, heard: list[Transcript]
) -> None:
    call = next(call for call in heard if any(hit.reading for hit in hits_of(book, call)))
    stored = hits_of(book, call)
    unread = [replace(hit, reading=None) for hit in stored]
    surer = compare(book, threshold(book, fail_probability=0.95))
    written = compare(book, threshold(book, meaning_review=0.9))
    assert surer is not None
    assert written is not None
    assert surer.reach(call, stored).families is None
    assert surer.reach(call, unread).families == frozenset()
    assert written.reach(call, stored).families == frozenset()


def test_meaning_that_words_silence_is_judged_with_them(book: Phrasebook) -> None:
    """Where words of another family are borne out, what was proposed by meaning is not told."""
    text = "这事儿不归我们管你问别人去吧"
    said = Utterance(channel=Channel.AGENT, start_ms=5000, end_ms=9000, text=text)
    call = Transcript(call_id="c1", duration_ms=20_000, utterances=(said,))
    courtesies = tuple(book.of(Kind.COURTESY))
    bare = replace(book, phrases=courtesies, version="bare")
    (meant,) = (c for c in search(bare, call) if c.by == "meaning")
    nearly = like(book, Kind.FORBIDDEN, "这事儿不归他们管", family="K_insolence")
    apart = compare(bare, replace(bare, phrases=(*courtesies, nearly), version="nearly"))
    assert apart is not None
    families = apart.reach(call, ()).families
    assert meant.family != nearly.family
    assert families == frozenset({meant.family, nearly.family})


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"meaning_heard": 0.6}, ["[verdict] meaning_heard"]),
        ({"review_probability": 0.1}, ["[verdict] review_probability"]),
        ({"near_probability": 0.05}, ["[verdict] near_probability"]),
        ({"review_probability": 0.6, "fail_probability": 0.95}, []),
    ],
)
def test_thresholds_that_matter_everywhere_are_named(
    book: Phrasebook, values: dict[str, float], named: list[str]
) -> None:
    tried = threshold(book, **values)
    assert list(everywhere(book, tried)) == named
    assert (compare(book, tried) is None) == bool(named)
    assert forgives(book, tried) == ("review_probability" in str(named) or "near" in str(named))


def test_what_else_matters_everywhere_is_named(book: Phrasebook) -> None:
    empty = Guard("empty", "空", re.compile("好*"), frozenset())
    family = book.families["K_insolence"]
    greeting = next(p for p in book.phrases if p.kind is Kind.COURTESY and p.text == "您好")
    named = {
        "particles": replace(book, final_particles=("哈",)),
        "order of guards": replace(book, guards=book.guards[::-1]),
        "empty text": replace(book, guards=(*book.guards, empty)),
        "K_insolence": replace(
            book, families={**book.families, family.id: Family(family.id, "别", family.kind)}
        ),
        "greeting": replace(book, phrases=tuple(p for p in book.phrases if p is not greeting)),
    }
    for words, tried in named.items():
        (told,) = everywhere(book, replace(tried, version="t"))
        assert words in told
    assert everywhere(book, book) == ()


def test_what_may_be_found_is_seen_before_it_is_measured(
    book: Phrasebook, heard: list[Transcript]
) -> None:
    indexes = [PhraseIndex([phrase]) for phrase in book.phrases[::40]]
    texts = [spoken(u.text) for call in heard for u in call.utterances]
    seen = [(index.may_find(code(t)), bool(index.find(t))) for t in texts for index in indexes]
    assert all(may for may, found in seen if found)
    assert {found for _, found in seen} == {True, False}
    assert not all(may for may, _ in seen)
