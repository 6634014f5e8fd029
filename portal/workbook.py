"""Tables into an Excel file; the only user of openpyxl in this room."""

import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_WIDTH = 16
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a cell must not begin with: Excel would run it (CSV injection)."""

Sheet = tuple[str, Sequence[str], Iterable[Sequence[Any]]]
"""Title, column heads, rows."""


def workbook(sheets: Iterable[Sheet], zone: ZoneInfo) -> bytes:
    """One file with a sheet a table; numbers stay numbers, times are the zone's."""
    book = Workbook(write_only=True)
    for title, heads, rows in sheets:
        sheet = book.create_sheet(title)
        sheet.freeze_panes = "A2"
        for place in range(len(heads)):
            sheet.column_dimensions[get_column_letter(place + 1)].width = _WIDTH
        sheet.append([_bold(sheet, head) for head in heads])
        for row in rows:
            sheet.append([_cell(value, zone) for value in row])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _bold(sheet: Any, text: str) -> Any:
    cell = WriteOnlyCell(sheet, value=text)
    cell.font = Font(bold=True)
    return cell


def _cell(value: Any, zone: ZoneInfo) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(zone).replace(tzinfo=None)
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
