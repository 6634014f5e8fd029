"""A scorecard in the terminal: Chinese, 80 columns, every verdict with its clause and its place."""

from collections.abc import Iterator

from calls.call import Call, Channel, EndedBy, EndReason
from calls.hit import Finding, Severity, Status
from calls.numbers import shown
from calls.scorecard import Item, Scorecard
from calls.speech import Transcript
from calls.text import cell_width

WIDTH = 80
"""Terminal cells a line; a CJK character takes two."""

STATUS_WORDS = {
    Status.PASS: "合格",
    Status.FAIL: "违规",
    Status.REVIEW: "待核",
    Status.NA: "不适用",
}
SEVERITY_WORDS = {Severity.CRITICAL: "严重", Severity.MAJOR: "较重", Severity.MINOR: "轻微"}
CHANNEL_WORDS = {Channel.CALLER: "市民", Channel.AGENT: "话务员"}
ENDED_BY_WORDS = {
    EndedBy.AGENT: "话务员挂断",
    EndedBy.CALLER: "市民挂断",
    EndedBy.NETWORK: "线路中断",
    EndedBy.UNKNOWN: "挂断方不明",
}
REASON_WORDS = {
    EndReason.BYE: "正常结束",
    EndReason.CANCEL: "市民在接听前放弃",
    EndReason.BUSY: "坐席忙",
    EndReason.NO_ANSWER: "无人接听",
    EndReason.REJECTED: "拒接",
    EndReason.LOST: "中断",
}
VETO_WORDS = {"pending": "（一票否决，待人工确认）", "confirmed": "（一票否决）"}
RULE_WORDS = {
    "three_rings": "三声接听",
    "greeting": "来有迎声",
    "mandarin": "普通话",
    "please_first": "请字当先",
    "answers_questions": "问有答声",
    "farewell": "走有送声",
    "hold_consent": "中止先征得同意",
    "hangup_consent": "挂断先征得同意",
    "forbidden_phrase": "禁用语",
    "interruption": "随意打断",
    "shirking": "推诿",
    "flat_refusal": "不说不行",
}


def clock(ms: int) -> str:
    """Milliseconds as ``m:ss.t``, the way a player shows them."""
    tenths = round(ms / 100)
    return f"{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"


def scorecard_lines(call: Call, card: Scorecard) -> Iterator[str]:
    """The scorecard as lines of at most 80 cells."""
    yield _ruled(f"成绩单 {call.call_id}")
    yield from _wrapped(_summary(call, card), indent=0)
    yield ""
    for item in card.items:
        yield from _item_lines(item)
    if card.findings:
        yield ""
        yield "发现的用语"
        for finding in card.findings:
            yield from _finding_lines(finding)
    yield ""
    versions = card.versions
    yield from _wrapped(
        f"版本 规则 {versions.rules} · 词库 {versions.phrasebook}"
        + (f" · {versions.engine} · {versions.model}" if versions.engine else ""),
        indent=5,
        first="",
    )


def transcript_lines(transcript: Transcript) -> Iterator[str]:
    """The transcript as lines of at most 80 cells, numbers in figures, personal data masked."""
    yield ""
    yield "对话"
    for utterance in transcript.utterances:
        yield from _wrapped(
            f"{clock(utterance.start_ms):>7} {_padded(CHANNEL_WORDS[utterance.channel], 6)} "
            f"{shown(utterance.text)}",
            indent=15,
            first="",
        )


def _summary(call: Call, card: Scorecard) -> str:
    score = "不计分" if card.score is None else f"{card.score:.1f} 分"
    rings = (
        ""
        if card.rings is None or card.ring_ms is None
        else (f" · 铃响 {card.rings} 声（{card.ring_ms / 1000:.1f} 秒）")
    )
    length = f" · 通话 {clock(call.duration_ms)}" if call.answered_at else ""
    end = (
        ENDED_BY_WORDS[call.ended_by]
        if call.end_reason is EndReason.BYE
        else REASON_WORDS[call.end_reason]
    )
    return f"{score} · 坐席 {call.agent}{rings}{length} · {end}"


def _item_lines(item: Item) -> Iterator[str]:
    veto = VETO_WORDS.get(item.veto or "", "")
    points = "—" if item.status is Status.NA else f"{item.earned:g}/{item.weight:g}"
    head = (
        f"{_padded(STATUS_WORDS[item.status], 6)} "
        f"{_padded(RULE_WORDS.get(item.rule, item.rule), 14)} {points:>6}  {item.clause}{veto}"
    )
    yield from _wrapped(head, indent=7, first="")
    if item.explanation:
        yield from _wrapped(item.explanation, indent=7)
    for place in item.evidence:
        if place.text:
            yield from _wrapped(
                f"{clock(place.start_ms)}–{clock(place.end_ms)} "
                f"{CHANNEL_WORDS[place.channel]}：“{place.text}”",
                indent=9,
            )


def _finding_lines(finding: Finding) -> Iterator[str]:
    yield from _wrapped(
        f"{STATUS_WORDS[finding.status]} {SEVERITY_WORDS[finding.severity]} “{finding.phrase}”"
        f" {clock(finding.start_ms)}–{clock(finding.end_ms)} {CHANNEL_WORDS[finding.channel]}"
        f" 把握 {finding.confidence:.2f}",
        indent=7,
        first="",
    )
    detail = f"听到“{finding.heard}”"
    if finding.reading is not None:
        detail += (
            f"；声学核对：该语 {finding.reading.phrase_logprob:.2f}，"
            f"所听 {finding.reading.heard_logprob:.2f}"
        )
    yield from _wrapped(detail, indent=7)


def _ruled(title: str) -> str:
    return f"── {title} " + "─" * max(2, WIDTH - 4 - cell_width(title))


def _padded(text: str, width: int) -> str:
    return text + " " * max(0, width - cell_width(text))


def _wrapped(text: str, *, indent: int, first: str | None = None) -> Iterator[str]:
    """Break text at the width, by cells; continuation lines are indented."""
    line = " " * indent if first is None else first
    used = cell_width(line)
    for character in text:
        width = cell_width(character)
        if used + width > WIDTH:
            yield line.rstrip()
            line, used = " " * indent, indent
            if character == " ":
                continue
        line += character
        used += width
    yield line.rstrip()
