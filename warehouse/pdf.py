"""Reports as PDF, with their Chinese font inside: it is read and printed where no font is."""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from fpdf import FPDF
from fpdf.enums import XPos, YPos
from fpdf.errors import FPDFException
from fpdf.fonts import FontFace

from calls.errors import WarehouseError
from warehouse.chart import DRAWN, HEADS, TITLES, names, shown
from warehouse.reports import Report

_FONT_PACKAGE = "cvttf_NotoSansCJK_Regular"
_FONT_FILE = "NotoSansCJKtc-Regular.otf"
"""Noto Sans CJK, SIL Open Font License 1.1; a PDF takes in the characters that it uses."""
_FONT = "noto"
_BARS = 40
"""Rows that are drawn at most; the table has all of them."""
_LEFT_MM, _WIDE_MM, _BAR_MM = 60.0, 150.0, 5.0
_TOGETHER_MM = 45.0
"""What follows a section's title on the same page, at least."""
_BLUE, _RED, _GREY = (44, 111, 187), (192, 57, 43), (235, 238, 242)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One table of a document, and the column that is drawn as bars above it (None: none)."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    drawn: str | None = None


def report_pdf(
    report: Report,
    since: date,
    until: date,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
) -> bytes:
    """A standard report with its bars and its table, as ``warehouse.chart.page`` has it."""
    section = Section(title="", columns=columns, rows=rows, drawn=DRAWN[report])
    return document(TITLES[report], f"{since} 至 {until}", [section])


def document(title: str, period: str, sections: Sequence[Section]) -> bytes:
    """A4 pages, landscape: the title, the period, and each section with bars and table.

    Columns are headed in Chinese where ``warehouse.chart.HEADS`` knows them, else by their names.
    WarehouseError: a value that cannot be set.
    """
    pdf = _Paper()
    try:
        pdf.add_page()
        pdf.line(title, 18)
        pdf.line(period, 10)
        for section in sections:
            if section.title:
                pdf.ln(4)
                if pdf.will_page_break(_TOGETHER_MM):
                    pdf.add_page()
                pdf.line(section.title, 13)
            if section.drawn is not None:
                pdf.bars(section, section.drawn)
            pdf.grid(section)
        return bytes(pdf.output())
    except FPDFException as error:
        raise WarehouseError("the report cannot be set as PDF", remedy="ask for Excel") from error


class _Paper(FPDF):
    """The pages, with their one font."""

    def __init__(self) -> None:
        super().__init__(orientation="landscape", format="A4")
        self.set_auto_page_break(True, margin=14)
        self.add_font(_FONT, "", str(_font()))
        self.set_font(_FONT, size=9)
        self.set_lang("zh-CN")

    def footer(self) -> None:
        """The page's number, at the foot of each."""
        self.set_y(-10)
        self.set_font(_FONT, size=8)
        self.cell(0, 5, f"第 {self.page_no()} 页", align="C")

    def line(self, text: str, size: float) -> None:  # type: ignore[override]
        """One line of text by itself; ``size`` in points."""
        self.set_font(_FONT, size=size)
        self.cell(0, size * 0.6, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.set_font(_FONT, size=9)

    def bars(self, section: Section, drawn: str) -> None:
        """A bar a row; a negative value is red, one that is not there has no bar."""
        place = list(section.columns).index(drawn)
        many = names(section.columns)
        rows = section.rows[:_BARS]
        values = [row[place] for row in rows]
        most = max((abs(v) for v in values if isinstance(v, int | float)), default=0) or 1
        self.line(HEADS.get(drawn, drawn), 9)
        for row, value in zip(rows, values, strict=True):
            if self.will_page_break(_BAR_MM):
                self.add_page()
            label = " ".join(str(v) for v in row[:many] if v is not None)
            self.cell(_LEFT_MM, _BAR_MM, label)
            if isinstance(value, int | float):
                wide = abs(value) / most * _WIDE_MM
                self.set_fill_color(*(_RED if value < 0 else _BLUE))
                self.rect(self.get_x(), self.get_y() + 0.7, wide, _BAR_MM - 1.4, style="F")
                self.set_x(self.get_x() + wide + 1)
                self.cell(20, _BAR_MM, shown(value))
            self.ln(_BAR_MM)
        if len(section.rows) > _BARS:
            self.line(f"（图中只有前 {_BARS} 行）", 8)
        self.ln(2)

    def grid(self, section: Section) -> None:
        """The table; its heads come again on each page."""
        self.set_font(_FONT, size=8 if len(section.columns) <= 12 else 7)
        heads = FontFace(fill_color=_GREY)
        self.set_fill_color(255)
        with self.table(
            headings_style=heads, line_height=5, padding=0.5, borders_layout="HORIZONTAL_LINES"
        ) as table:
            table.row([HEADS.get(column, column) for column in section.columns])
            for values in section.rows:
                table.row([shown(value) for value in values])


def _font() -> Path:
    found = importlib.util.find_spec(_FONT_PACKAGE)
    if found is None or found.origin is None:
        raise WarehouseError(
            "the font for PDF is not installed", remedy="install cvttf-notosanscjk-regular"
        )
    return Path(found.origin).with_name(_FONT_FILE)
