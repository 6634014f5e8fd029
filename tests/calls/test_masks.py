"""Masks: what is personal goes out of sight, what only looks so stays, and every offset holds."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calls.masks import MAY_HOLD, mask_number, mask_text


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("打13812345678找我", "打138****5678找我"),
        ("+86 138 1234 5678", "+86 138 **** 5678"),
        ("022-23456789", "022-*****789"),
        ("身份证11010519491231002X。", "身份证1101**********002X。"),
        ("是110105 19491231 002X", "是1101** ******** 002X"),
        ("卡号6222600260001072444", "卡号6222***********2444"),
        ("卡号6222 6002 6000 1072 444", "卡号6222 **** **** ***2 444"),
        ("电话是幺三八一二三四五六七八", "电话是幺三八******七八"),
        ("我叫王小明，想问社保", "我叫王**，想问社保"),
        ("我叫王小明想问社保", "我叫王**想问社保"),
        ("我叫李强，住这儿", "我叫李*，住这儿"),
        ("姓名：欧阳修文。", "姓名：欧阳**。"),
        ("我住白堤路12号3单元501室", "我住白堤路**号*单元***室"),
        ("龙川里3号楼2门301", "龙川里*号楼*门***"),
        ("我家是十二号楼三单元五零一", "我家是**号楼*单元***"),
        ("阳光小区8栋1102", "阳光小区*栋****"),
    ],
)
def test_what_is_personal_is_masked(text: str, masked: str) -> None:
    assert mask_text(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "",
        "12345热线",
        "工单号202611240001234568",
        "身份证110105194912310021",
        "身份证110105194913310026",
        "卡号6222600260001072445",
        "编号1234567890123456",
        "请到3号窗口办理",
        "坐地铁3号线到营口道站",
        "我知道3号截止",
        "12月3号4号都行",
        "请到行政中心3号楼2层办理",
        "津政务发〔2019〕15号文件",
        "我叫了一辆出租车",
        "我叫张师傅来修的",
        "我叫高新区的人来",
        "您叫什么名字",
        "我在电话里说过三次了",
        "一共是二百五十块",
    ],
)
def test_what_only_looks_personal_stays(text: str) -> None:
    assert mask_text(text) == text


PIECES = st.lists(
    st.sampled_from(
        (
            *("我叫", "王", "小明", "13812345678", "11010519491231002X", "12", "号", "楼", "单元"),
            *("路", "姓名：", "幺三八", "零零", "六", "，", " ", "-", "三", "6222600260001072444"),
        )
    ),
    max_size=12,
).map("".join)


@given(PIECES | st.text())
def test_a_mask_keeps_every_offset(text: str) -> None:
    masked = mask_text(text)
    assert len(masked) == len(text)
    assert all(m in (c, "*") for m, c in zip(masked, text, strict=True))
    assert masked == text or re.search(MAY_HOLD, text)


@pytest.mark.parametrize(
    ("number", "shown"),
    [("13900001234", "139****1234"), ("+8613900001234", "+86139****1234"), ("1001", "1001")],
)
def test_a_number_alone(number: str, shown: str) -> None:
    assert mask_number(number) == shown
