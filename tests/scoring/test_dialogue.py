"""Stretches, turns, waits and interruptions as plain arithmetic on times."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.dialogue import Stretch, covered, gaps, interruptions, join, overlap, turns, waits
from scoring.words import Words
from tests.scoring.scripted import A, C, utterance

BACK = Words(any=("嗯", "好的"))
stretches = st.lists(
    st.tuples(st.integers(0, 1000), st.integers(0, 1000)).map(lambda p: (min(p), max(p))),
    max_size=12,
)


@given(stretches, st.integers(0, 50))
def test_joined_stretches_are_apart_and_cover_the_same(those: list[Stretch], gap: int) -> None:
    joined = join(those, gap)
    assert all(a[1] + gap < b[0] for a, b in pairwise(joined))
    assert all(covered(s, joined) == s[1] - s[0] for s in those)


@given(stretches, st.integers(0, 1000), st.integers(0, 1000))
def test_gaps_and_stretches_together_are_the_whole(
    those: list[Stretch], one: int, other: int
) -> None:
    start, end = sorted((one, other))
    joined = join(those)
    silent = gaps(joined, start, end)
    assert sum(e - s for s, e in silent) + covered((start, end), joined) == end - start
    assert all(covered(g, joined) == 0 for g in silent)


@given(stretches, stretches)
def test_the_overlap_is_what_the_others_cover(those: list[Stretch], others: list[Stretch]) -> None:
    mine, theirs = join(those), join(others)
    assert overlap(mine, theirs) == sum(covered(stretch, theirs) for stretch in mine)


def test_a_listeners_noises_make_no_turn() -> None:
    said = (
        utterance((C, 0, 2, "我想问一下")),
        utterance((A, 2, 3, "嗯")),
        utterance((C, 3, 5, "公积金")),
        utterance((A, 5, 7, "好的，您说")),
        utterance((A, 8, 9, "请讲")),
    )
    made = turns(said, BACK)
    assert [(t.channel, t.start_ms, t.end_ms, t.utterances) for t in made] == [
        (C, 0, 5000, (0, 2)),
        (A, 5000, 9000, (3, 4)),
    ]
    assert made[1].text == "好的，您说，请讲"


def test_turns_follow_time_and_not_the_order_of_the_list() -> None:
    said = (utterance((A, 5, 6, "请讲")), utterance((C, 0, 2, "喂")))
    assert [t.channel for t in turns(said, BACK)] == [C, A]


LIMITS: dict[str, Any] = {"silence_ms": 20_000, "pause_ms": 5_000, "word_ms": 5_000}


@pytest.mark.parametrize(
    ("agent", "caller", "found"),
    [
        ([(0, 1000), (21_000, 42_000)], [], []),
        ([(0, 1000), (21_001, 42_000)], [], [(1000, 21_001)]),
        ([(0, 1000), (40_000, 41_000)], [(2000, 30_000)], []),
        ([(0, 1000), (13_000, 14_000), (40_000, 41_000)], [], [(1000, 40_000)]),
        ([], [], []),
        ([(30_000, 31_000)], [], []),
    ],
)
def test_silences_that_leave_the_caller_waiting(
    agent: list[Stretch], caller: list[Stretch], found: list[Stretch]
) -> None:
    made = waits((), agent, caller, 42_000, **LIMITS)
    assert [(w.start_ms, w.end_ms) for w in made] == found


@pytest.mark.parametrize(
    ("returned", "found"),
    [((), [(1000, 45_001)]), ((24_500,), [(1000, 24_000), (25_000, 45_001)])],
)
def test_words_of_return_end_a_wait(returned: tuple[int, ...], found: list[Stretch]) -> None:
    agent = [(0, 1000), (24_000, 25_000), (45_001, 50_000)]
    made = waits((), agent, (), 50_000, returned=lambda: returned, **LIMITS)
    assert [(w.start_ms, w.end_ms) for w in made] == found


def test_a_silence_during_a_sip_hold_is_that_hold() -> None:
    made = waits([(2000, 30_000)], [(0, 1000), (31_000, 32_000)], (), 32_000, **LIMITS)
    assert [(w.start_ms, w.end_ms, w.signalled) for w in made] == [(2000, 30_000, True)]


@pytest.mark.parametrize(
    ("agent", "caller", "count"),
    [
        ((1000, 4000), (0, 3000), 1),
        ((999, 4000), (0, 3000), 0),
        ((1000, 4000), (0, 2999), 0),
        ((1000, 2999), (0, 5000), 0),
        ((0, 4000), (1000, 3000), 0),
    ],
)
def test_who_talks_whom_down(agent: Stretch, caller: Stretch, count: int) -> None:
    found = interruptions([agent], [caller], into_ms=1000, overlap_ms=2000)
    assert len(found) == count
