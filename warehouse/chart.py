"""A report as one HTML file that needs nothing else: a bar a row, and the table, in Chinese."""

from collections.abc import Mapping, Sequence
from datetime import date
from html import escape

from warehouse.reports import Report

TITLES: Mapping[Report, str] = {
    Report.THREE_RINGS: "三声接听率",
    Report.VIOLATIONS: "违规情况",
    Report.AGENTS: "话务员得分",
    Report.BUSY_IDLE: "忙时与闲时",
    Report.NOON_DUTY: "中午与夜间值班",
    Report.CALIBRATION: "机器与人工复核",
}
"""Each report's title."""
DRAWN: Mapping[Report, str] = {
    Report.THREE_RINGS: "three_ring_rate",
    Report.VIOLATIONS: "fails",
    Report.AGENTS: "score",
    Report.BUSY_IDLE: "difference",
    Report.NOON_DUTY: "answer_rate",
    Report.CALIBRATION: "precision",
}
"""The column of each report that is drawn."""
HEADS: Mapping[str, str] = {
    "team": "班组",
    "agent": "话务员",
    "agent_name": "姓名",
    "hour": "时",
    "day": "日期",
    "rule": "规则",
    "part": "时段",
    "calls": "通话",
    "answered": "接听",
    "in_time": "三声内",
    "three_ring_rate": "三声接听率",
    "mean_ring_s": "平均振铃（秒）",
    "score": "得分",
    "automatic_score": "自动得分",
    "fails": "违规",
    "reviews": "待核",
    "vetoes_pending": "待定否决",
    "judged": "已判",
    "busy_calls": "忙时通话",
    "idle_calls": "闲时通话",
    "busy_score": "忙时得分",
    "idle_score": "闲时得分",
    "difference": "忙时减闲时",
    "difference_low": "差下限",
    "difference_high": "差上限",
    "line_difference": "线路质量差",
    "adjusted": "扣除线路后",
    "score_low": "得分下限",
    "score_high": "得分上限",
    "line": "线路质量",
    "answer_rate": "接听率",
    "failed": "机器判违规",
    "confirmed": "人工认定",
    "wrong": "人工判违规",
    "precision": "准确率",
    "precision_low": "准确率下限",
    "precision_high": "准确率上限",
    "recall": "查全率",
    "recall_low": "查全率下限",
    "recall_high": "查全率上限",
}
"""What columns are called in Chinese."""
_PAGE = """<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><title>{title}</title><style>
body{{font:14px/1.5 sans-serif;margin:2em;color:#222}}table{{border-collapse:collapse}}
td,th{{padding:.2em .8em;border-bottom:1px solid #ddd;text-align:left}}
</style></head><body><h1>{title}</h1><p>{period}</p>
<svg role="img" aria-label="{drawn}" width="760" height="{height}">{bars}</svg>
<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></body></html>
"""
_ROW_PX = 22
_LEFT_PX = 240
_WIDE_PX = 420


def page(
    report: Report,
    since: date,
    until: date,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
) -> str:
    """The report's page; a value that is not there has no bar, a negative one is drawn red."""
    title, drawn = TITLES[report], DRAWN[report]
    place = columns.index(drawn)
    values = [row[place] for row in rows]
    most = max((abs(v) for v in values if isinstance(v, int | float)), default=0) or 1
    many = names(columns)
    bars = "".join(
        _bar(at, " ".join(str(v) for v in row[:many] if v is not None), value, most)
        for at, (row, value) in enumerate(zip(rows, values, strict=True))
    )
    return _PAGE.format(
        title=title,
        period=f"{since} 至 {until}",
        drawn=HEADS[drawn],
        height=max(1, len(rows)) * _ROW_PX,
        bars=bars,
        heads="".join(f"<th>{escape(HEADS.get(c, c))}</th>" for c in columns),
        rows="".join(
            "<tr>" + "".join(f"<td>{escape(shown(v))}</td>" for v in row) + "</tr>" for row in rows
        ),
    )


def names(columns: Sequence[str]) -> int:
    """How many of the first columns say what a row is of."""
    keys = ("team", "agent", "agent_name", "hour", "day", "rule", "part")
    return next((n for n, name in enumerate(columns) if name not in keys), len(columns))


def _bar(at: int, label: str, value: object, most: float) -> str:
    top = at * _ROW_PX
    text = f'<text x="0" y="{top + 15}">{escape(label)}</text>'
    if not isinstance(value, int | float):
        return text
    wide = round(abs(value) / most * _WIDE_PX, 1)
    colour = "#c0392b" if value < 0 else "#2c6fbb"
    return (
        f'{text}<rect x="{_LEFT_PX}" y="{top + 3}" width="{wide}" height="16" fill="{colour}"/>'
        f'<text x="{_LEFT_PX + wide + 6}" y="{top + 15}">{escape(shown(value))}</text>'
    )


def shown(value: object) -> str:
    """A value as it is written in a table; nothing for what is not there."""
    return "" if value is None else str(value)
