"""Word lists: longest word, masked look-alikes, offsets in the original text."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calls.text import normalise
from scoring.words import Words, clauses, consists_of, find, fold, folded, holds

REFUSAL = Words(any=("不行", "不可以"), unless=("行不行", "可不可以"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("不行", ["不行"]),
        ("您看行不行", []),
        ("行不行？不行！", ["不行"]),
        ("可不可以办", []),
        ("这个，不可以。", ["不可以"]),
        ("不 行", ["不行"]),
        ("", []),
    ],
)
def test_words_count_unless_they_only_look_alike(text: str, words: list[str]) -> None:
    assert [found.word for found in find(REFUSAL, text)] == words


def test_a_word_is_found_across_punctuation_at_its_original_offsets() -> None:
    (found,) = find(Words(any=("您好",)), "喂， 您 ，好！")
    assert "喂， 您 ，好！"[found.start : found.end] == "您 ，好"


@pytest.mark.parametrize("said", ["您好", "你好"])
@pytest.mark.parametrize("listed", ["您好", "你好"])
def test_the_two_words_for_you_are_one(said: str, listed: str) -> None:
    assert holds(Words(any=(listed,)), said)


@pytest.mark.parametrize(
    ("text", "whole"),
    [("嗯嗯", True), ("嗯，好的。", True), ("嗯我查一下", False), ("", False), ("，。", False)],
)
def test_a_reply_of_nothing_else(text: str, whole: bool) -> None:
    assert consists_of(Words(any=("嗯", "好", "好的")), text) is whole


def test_clauses_keep_their_offsets() -> None:
    text = "好的，我查一下。 再见"
    assert [text[start:end] for _, start, end in clauses(text)] == ["好的", "我查一下", "再见"]


@given(st.text(max_size=40) | st.text("您你好a1，。 ?\u3000", max_size=20))
def test_folding_is_normalising_with_one_word_for_you(text: str) -> None:
    plain = normalise(text)
    assert folded(text) == replace(plain, text=plain.text.replace("您", "你"))
    assert fold(text) == folded(text).text


LISTED = st.lists(st.text("不行可以办", min_size=1, max_size=4), max_size=6)


@given(LISTED, LISTED, st.text("不行可以办，", max_size=16))
def test_a_word_is_found_where_no_mask_begins_before_it(
    good: list[str], masks: list[str], text: str
) -> None:
    words = Words(any=tuple(good), unless=tuple(masks))
    plain, at, expected = normalise(text).text, 0, []
    while at < len(plain):
        starting = [
            sorted((w for w in those if plain.startswith(w, at)), key=len)[-1:]
            for those in (masks, good)
        ]
        if not starting[0] and starting[1]:
            expected.append(starting[1][0])
        first = (starting[0] or starting[1] or ["-"])[0]
        at += len(first)
    assert [found.word for found in find(words, text)] == expected
    assert holds(words, text) == bool(expected)


@given(st.text(max_size=40), st.lists(st.text(max_size=4), max_size=5))
def test_every_place_found_holds_its_word(text: str, listed: list[str]) -> None:
    for found in find(Words(any=tuple(listed)), text):
        assert found.word in fold(text[found.start : found.end])
