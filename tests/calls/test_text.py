"""Offsets survive normalising, whatever the text."""

from hypothesis import given
from hypothesis import strategies as st

from calls.text import cell_width, is_han, is_spoken, normalise, spoken


def test_punctuation_goes_and_the_offsets_stay() -> None:
    mapped = normalise("快点，我这里 正忙呢！")
    assert mapped.text == "快点我这里正忙呢"
    start = mapped.text.index("我这里正")
    begin, end = mapped.span(start, start + 4)
    assert mapped.original[begin:end] == "我这里 正"


@given(st.text())
def test_every_character_comes_from_where_the_map_says(text: str) -> None:
    mapped = normalise(text)
    assert len(mapped.text) == len(mapped.origin)
    assert list(mapped.origin) == sorted(mapped.origin)
    assert all(is_spoken(c) for c in mapped.text)
    for index in range(len(mapped.text)):
        begin, end = mapped.span(index, index + 1)
        assert end == begin + 1
        assert mapped.text[index] in normalise(text[begin]).text


def test_width_counts_cells() -> None:
    assert cell_width("三声 ok") == 7
    assert is_han("声")
    assert not is_han("a")


@given(st.text(max_size=40) | st.text("您你好a1Ａ，。 ?\u3000“", max_size=20))
def test_plain_text_takes_a_short_way_to_the_same(text: str) -> None:
    assert normalise(text) == normalise(text, is_spoken)
    assert spoken(text) == normalise(text).text
