"""The terminal scorecard: within 80 cells, and every verdict with its place."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from calls.call import Call, Channel, EndedBy, EndReason, Mode
from calls.hit import Finding, Reading, Severity, Status
from calls.scorecard import Evidence, Item, Scorecard, Versions
from calls.speech import Transcript, Utterance
from calls.text import cell_width
from sansheng.document import analysis_document
from sansheng.present import WIDTH, clock, scorecard_lines, transcript_lines

START = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
CALL = Call(
    call_id="20261124-080000-ab12cd",
    mode=Mode.BRIDGE,
    caller="+8613900000000",
    called="88908890",
    agent="1001",
    invited_at=START,
    ringing_at=START,
    answered_at=START + timedelta(seconds=16.2),
    ended_at=START + timedelta(seconds=50),
    ended_by=EndedBy.AGENT,
)
PLACE = Evidence(channel=Channel.AGENT, start_ms=12_300, end_ms=14_000, text="我要下班啦" * 12)
CARD = Scorecard(
    call_id=CALL.call_id,
    score=43.2,
    ring_ms=16_200,
    rings=4,
    items=(
        Item(
            rule="three_rings",
            status=Status.FAIL,
            earned=0,
            weight=10,
            clause="守则12",
            explanation="铃响 4 声（16.2 秒）后接听，超过三声",
        ),
        Item(
            rule="forbidden_phrase",
            status=Status.FAIL,
            earned=0,
            weight=15,
            clause="守则12",
            veto="pending",
            explanation="说了禁用语" * 15,
            evidence=(PLACE,),
        ),
        Item(rule="interruption", status=Status.NA, earned=0, weight=8, clause="守则12"),
    ),
    findings=(
        Finding(
            rule="forbidden_phrase",
            family="F_off_duty",
            phrase="我要下班啦",
            heard="我要下半了",
            channel=Channel.AGENT,
            start_ms=12_300,
            end_ms=14_000,
            confidence=0.97,
            severity=Severity.CRITICAL,
            status=Status.FAIL,
            reading=Reading(phrase_logprob=-0.7, heard_logprob=-0.5, probability=0.97),
        ),
    ),
    versions=Versions(rules="1", phrasebook="1", engine="faster-whisper 1.2.1", model="base"),
)


def test_every_line_fits_the_terminal() -> None:
    lines = list(scorecard_lines(CALL, CARD))
    assert max(map(cell_width, lines)) <= WIDTH
    assert all(line == line.rstrip() for line in lines)


def test_it_says_what_where_and_by_which_clause() -> None:
    text = "\n".join(scorecard_lines(CALL, CARD))
    for part in (
        "43.2 分",
        "铃响 4 声（16.2 秒）",
        "话务员挂断",
        "守则12",
        "一票否决，待人工确认",
        "0:12.3–0:14.0",
        "把握 0.97",
        "听到“我要下半了”",
        "不适用",
        "faster-whisper 1.2.1",
    ):
        assert part in text


def test_it_does_not_show_the_callers_number() -> None:
    assert "139" not in "\n".join(scorecard_lines(CALL, CARD))


@pytest.mark.parametrize(
    ("ms", "shown"),
    [
        (0, "0:00.0"),
        (999, "0:01.0"),
        (59_960, "1:00.0"),
        (61_250, "1:01.2"),
        (3_600_000, "60:00.0"),
    ],
)
def test_clock(ms: int, shown: str) -> None:
    assert clock(ms) == shown


def test_an_unanswered_call_says_why_it_ended() -> None:
    card = Scorecard(
        call_id="c", score=None, ring_ms=None, rings=None, items=(), versions=CARD.versions
    )
    call = Call(
        call_id="c",
        mode=Mode.BRIDGE,
        caller="",
        called="",
        agent="1001",
        invited_at=START,
        ended_at=START,
        ended_by=EndedBy.CALLER,
        end_reason=EndReason.CANCEL,
    )
    text = "\n".join(scorecard_lines(call, card))
    assert "不计分" in text
    assert "市民在接听前放弃" in text


def talk_of(text: str) -> Transcript:
    said = Utterance(channel=Channel.CALLER, start_ms=1000, end_ms=5000, text=text)
    return Transcript(call_id="c", duration_ms=6000, utterances=(said,))


def test_a_transcript_writes_its_numbers_in_figures() -> None:
    text = "\n".join(transcript_lines(talk_of("二零二四年三月五号办的，五百元")))
    assert "2024年3月5号办的，500元" in text


def test_the_document_keeps_what_was_heard_beside_the_readable_form() -> None:
    document = msgspec.json.decode(analysis_document(CARD, talk_of("一共五百元，幺幺零")))
    [line] = document["transcript"]
    assert (line["text"], line["spoken"]) == ("一共五百元，幺幺零",) * 2
    assert line["readable"] == "一共500元，110"


@pytest.mark.parametrize("number", ["13812345678", "幺三八幺二三四五六七八"])
def test_a_transcript_shows_no_personal_data(number: str) -> None:
    text = "\n".join(transcript_lines(talk_of(f"我的电话是{number}，谢谢")))
    assert number not in text
    assert "13812345678" not in text
    assert "谢谢" in text
