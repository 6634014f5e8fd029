"""What sounds alike on a phone line is found; what does not, is not."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calls.text import normalise
from phrasebook.book import Phrasebook
from phrasebook.index import PhraseIndex
from phrasebook.sound import SYMBOLS, alike, code, spell

HAN = st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), min_size=1, max_size=30)


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("不归我管", "不鬼我馆"),
        ("找谁", "照谁"),
        ("牛奶", "流奶"),
        ("是", "四"),
        ("明星", "民心"),
        ("湖面", "福面"),
        ("您好", "你好"),
        ("下班啦", "下班了"),
    ],
)
def test_phone_confusions_are_one_sound(said: str, heard: str) -> None:
    assert code(said) == code(heard)


@pytest.mark.parametrize(("a", "b"), [("忙", "慢"), ("下", "上"), ("不", "我"), ("管", "光")])
def test_other_sounds_stay_apart(a: str, b: str) -> None:
    assert code(a) != code(b)


def test_a_dropped_final_costs_a_third_of_a_syllable() -> None:
    a, b = spell(code("呢")), spell(code("能"))
    assert sum(x != y for x, y in zip(a, b, strict=True)) == 1


@given(HAN)
def test_codes_and_spelling_keep_the_length(text: str) -> None:
    assert len(code(text)) == len(text)
    assert len(spell(code(text))) == SYMBOLS * len(text)


@pytest.mark.parametrize(
    ("heard", "phrase"),
    [
        ("快点我这里就忙能", "快点，我这里正忙呢！"),
        ("不知道问别人曲把", "不知道，问别人去吧"),
        ("那这个不规我馆啊", "不归我管"),
        ("我要夏班了", "我要下班啦"),
    ],
)
def test_misheard_phrases_are_proposed(book: Phrasebook, heard: str, phrase: str) -> None:
    found = PhraseIndex(book.phrases).find(heard)
    assert phrase in {m.phrase.text for m in found}


@given(st.text(max_size=60))
def test_any_text_can_be_searched(text: str) -> None:
    plain = normalise(text).text
    for match in _INDEX.find(plain):
        assert 0 <= match.start < match.end <= len(plain)
        assert 0 < match.likeness <= 1


def _load_index() -> PhraseIndex:
    from phrasebook import book as books

    return PhraseIndex(books.load().phrases)


_INDEX = _load_index()


COMMON = st.text(
    st.sampled_from("您好天津便民专线请问有什么可以帮是四明心找照谁说ab1.*[\\"), min_size=1
)


@given(COMMON, COMMON)
def test_a_pattern_matches_just_what_has_the_same_codes(words: str, other: str) -> None:
    pattern = re.compile(alike(words))
    assert pattern.fullmatch(words)
    assert pattern.fullmatch("，".join(words))
    alike_in_code = normalise(words).text == words and normalise(other).text == other
    if alike_in_code:
        assert (pattern.fullmatch(other) is not None) == (code(words) == code(other))
