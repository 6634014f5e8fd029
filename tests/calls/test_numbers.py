"""Numbers in figures where they are numbers, and as spoken where they are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calls.masks import mask_text
from calls.numbers import readable, shown

SPOKEN = "零一二三四五六七八九"


@pytest.mark.parametrize(
    ("spoken", "written"),
    [
        ("二零二四年三月五号", "2024年3月5号"),
        ("二〇二四年十二月三十一日", "2024年12月31日"),
        ("零五年办的", "05年办的"),
        ("三月份的账单", "3月份的账单"),
        ("下午三点半", "下午3点半"),
        ("早上九点二十分", "早上9点20分"),
        ("三点零五分", "3点05分"),
        ("十二点之前", "12点之前"),
        ("电话是幺三八零零幺三八零零零", "电话是13800138000"),
        ("打幺幺零", "打110"),
        ("工单号三五八六", "工单号3586"),
        ("一百二十三块五", "123块5"),
        ("五元", "5元"),
        ("一共一千零五十元", "一共1050元"),
        ("一万两千三百元", "12300元"),
        ("一万二", "12000"),
        ("三千五", "3500"),
        ("一百零五", "105"),
        ("一百二十万", "120万"),
        ("三亿", "3亿"),
        ("百分之二十", "20%"),
        ("百分之五", "5%"),
        ("百分之百", "100%"),
        ("百分之九十九点五", "99.5%"),
        ("三点五万", "3.5万"),
        ("三号楼二单元五零一室", "3号楼2单元501室"),
        ("第十二条", "第12条"),
        ("第三条", "第3条"),
        ("等了十天", "等了10天"),
        ("十分钟", "10分钟"),
    ],
)
def test_a_number_is_written_in_figures(spoken: str, written: str) -> None:
    assert readable(spoken) == written


@pytest.mark.parametrize(
    "text",
    [
        "请您稍等一下",
        "十分感谢",
        "千万别挂",
        "万一不行呢",
        "两三天",
        "三四百块",
        "几百块钱",
        "上百人",
        "十几个",
        "一百多块",
        "一起去",
        "一个人",
        "三点建议",
        "一月一次",
        "一块儿去",
        "老百姓",
        "星期三",
        "一五一十地说",
        "我找十足的理由",
        "5月3号打 12345",
        "",
    ],
)
def test_what_is_no_sure_number_stays_as_it_was_spoken(text: str) -> None:
    assert readable(text) == text


@given(st.text(alphabet=SPOKEN + "两十百千万亿点年月日号块元第几多个分之百一", max_size=20))
def test_any_text_is_read_and_reading_it_again_changes_nothing(text: str) -> None:
    once = readable(text)
    assert readable(once) == once


@given(st.integers(min_value=10, max_value=99_999_999))
def test_a_number_as_it_is_spoken_comes_back(value: int) -> None:
    written = readable(spoken_number(value) + "元")
    if value % 10_000 == 0:
        assert written == f"{value // 10_000}万元"
    else:
        assert written == f"{value}元"


@given(st.text(alphabet=SPOKEN, min_size=7, max_size=18))
def test_a_spoken_number_is_hidden_in_both_forms(digits: str) -> None:
    figures = "".join(str(SPOKEN.index(d)) for d in digits)
    page = shown(f"我的号码是{digits}，谢谢")
    assert figures not in page
    assert digits not in page
    assert page == readable(mask_text(f"我的号码是{digits}，谢谢"))


def test_a_number_that_only_figures_show_is_hidden() -> None:
    """Spoken in two breaths it is no number of seven digits; in figures it is a mobile's."""
    assert "0013" not in shown("一三八 零零一三 八零零零")


def spoken_number(value: int) -> str:
    """A number in words, as a school teaches it."""
    if value >= 10_000:
        head, tail = divmod(value, 10_000)
        return spoken_number(head) + "万" + _after(tail, 1_000)
    words, rest = "", value
    for unit, word in ((1_000, "千"), (100, "百"), (10, "十")):
        digit, rest = divmod(rest, unit)
        if digit:
            words += SPOKEN[digit] + word
            if 0 < rest < unit // 10:
                words += "零"
    words += SPOKEN[rest] if rest else ""
    return words.removeprefix("一") if 10 <= value < 20 else words


def _after(tail: int, unit: int) -> str:
    if not tail:
        return ""
    words = spoken_number(tail)
    words = "一" + words if words.startswith("十") else words
    return words if tail >= unit else "零" + words
