import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.engine import Heard, Piece
from asr.text import is_supported, log_probability, simplified


def pieces(text: str, probability: float = 0.9) -> list[Piece]:
    return [Piece(c, i * 200, i * 200 + 200, probability) for i, c in enumerate(text)]


def heard(no_speech: float = 0.0) -> Heard:
    return Heard((), -0.2, no_speech)


def supported(
    text: str,
    *,
    probability: float = 0.9,
    length_ms: int = 5000,
    prompt: str = "",
    no_speech: float = 0.0,
) -> bool:
    return is_supported(pieces(text, probability), heard(no_speech), length_ms, prompt)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("請問您還有其他需要幫助的嗎?", "请问您还有其他需要帮助的吗?"),
        ("我要下班啦", "我要下班啦"),
        ("打12345,OK", "打12345,OK"),
        ("", ""),
    ],
)
def test_traditional_becomes_simplified(written: str, read: str) -> None:
    assert simplified(written) == read


@given(st.text(alphabet=st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), max_size=30))
def test_offsets_hold(text: str) -> None:
    assert len(simplified(text)) == len(text)


def test_plain_speech_stands() -> None:
    assert supported("您好,请问有什么可以帮您")
    assert supported("嗯", length_ms=300)


@pytest.mark.parametrize("text", ["", "。", ",…?"])
def test_punctuation_alone_is_no_text(text: str) -> None:
    assert not supported(text)


def test_what_the_engine_itself_doubts_falls() -> None:
    assert not supported("您好您请坐", probability=0.15)
    assert not supported("您好您请坐", probability=0.35, no_speech=0.8)


def test_sure_marks_do_not_bear_out_a_doubted_word() -> None:
    word, mark = Piece("文", 0, 200, 0.12), Piece(",", 200, 400, 0.9)
    assert not is_supported([word, mark], heard(), 1000, "")
    assert is_supported([Piece("文", 0, 200, 0.3), mark], heard(), 1000, "")


def test_more_characters_than_the_time_holds_fall() -> None:
    assert not supported("今天没有时间了我的电脑已经关了", length_ms=500)
    assert supported("我要下班啦", length_ms=400)


def test_a_loop_falls() -> None:
    assert not supported("谢谢你的来电" * 12, length_ms=25_000)


@pytest.mark.parametrize("artefact", ["谢谢观看", "请不吝点赞 订阅", "字幕由某某提供"])
def test_an_invention_falls_where_the_engine_doubts(artefact: str) -> None:
    assert not supported(artefact, probability=0.38)
    assert not supported(artefact, no_speech=0.7)
    assert supported(artefact, probability=0.95)


def test_the_prompt_given_back_falls() -> None:
    prompt = "河西区政务服务中心 社保局"
    assert not supported("政务服务中心", prompt=prompt)
    assert supported("政务服务中心在哪里", prompt=prompt)
    assert supported("社保", prompt=prompt)


def test_log_probability_is_a_mean_and_never_infinite() -> None:
    assert log_probability(pieces("好", 1.0)) == 0
    assert -22 < log_probability(pieces("好", 0.0)) < -20
