"""``sansheng query``: read-only SQL on the warehouse."""

import csv
import getpass
import json
import sys
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from calls.errors import SettingsError
from sansheng.commands.serve import Config
from warehouse.query import Result, run

app = typer.Typer(help=__doc__)
_NUMBERS = ("caller", "called")
_IDS = ("_id", "hash", "salt", "_at")
"""Ends of the names of columns that hold no speech and no telephone number."""


class Format(StrEnum):
    """How the rows are printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    XLSX = "xlsx"


@app.command(
    epilog='Examples:  sansheng query "SELECT * FROM v_three_rings LIMIT 5"    |'
    '    sansheng query --format xlsx -o week.xlsx "SELECT * FROM v_agent_daily"'
)
def query(
    sql: Annotated[str, typer.Argument(help="One SELECT; `-` reads it from stdin.")],
    form: Annotated[Format, typer.Option("--format", "-f", help="Of the output.")] = Format.TABLE,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file instead of stdout.")
    ] = None,
    max_rows: Annotated[int | None, typer.Option(min=1, help="Stop after so many rows.")] = None,
    unmasked: Annotated[
        bool, typer.Option("--unmasked", help="Show personal data; the audit log notes who.")
    ] = False,
    config: Config = None,
) -> None:
    """Ask the warehouse, whether or not the service runs. The views are in docs/warehouse.md.

    Telephone, identity and card numbers, names and addresses are masked unless asked for.
    """
    from sansheng.settings import load
    from warehouse.orders import give

    settings = load(config)
    limits = settings.warehouse
    text = sys.stdin.read() if sql == "-" else sql
    if unmasked:
        note = {"actor": getpass.getuser(), "action": "query_unmasked", "detail": {"sql": text}}
        give("note", note, path=settings.database, socket=settings.socket)
    found = run(
        text,
        path=settings.database,
        socket=settings.socket,
        max_rows=max_rows or limits.max_rows,
        timeout_s=limits.timeout_s,
    )
    write(found if unmasked else masked(found), form, output)
    if found.truncated:
        typer.echo(f"only the first {len(found.rows)} rows: see --max-rows", err=True)


def masked(found: Result) -> Result:
    """The same rows with what is personal starred, in lists and structs too.

    Ids and hashes stay what they are, and so does whatever has a name that ends like theirs.
    """
    from calls.masks import mask_number, mask_text

    def mask(column: str, value: object) -> object:
        if column.endswith(_IDS):
            return value
        if isinstance(value, list):
            return [mask(column, each) for each in value]
        if isinstance(value, dict):
            return {mask(column, name): mask(name, each) for name, each in value.items()}
        if not isinstance(value, str):
            return value
        return mask_number(value) if column in _NUMBERS else mask_text(value)

    rows = [
        tuple(mask(name, value) for name, value in zip(found.columns, row, strict=True))
        for row in found.rows
    ]
    return replace(found, rows=rows)


def write(found: Result, form: Format, output: Path | None) -> None:
    """Print a result on stdout or into a file; an Excel file needs a file."""
    if form is Format.XLSX:
        if output is None:
            raise SettingsError("an Excel file needs a name", remedy="add -o FILE.xlsx")
        output.write_bytes(_workbook(found))
        return
    if output is not None:
        with output.open("w", encoding="utf-8", newline="") as file:
            _print(found, form, Console(file=file, width=200))
        return
    _print(found, form, Console())


def _print(found: Result, form: Format, console: Console) -> None:
    if form is Format.JSON:
        rows = [dict(zip(found.columns, row, strict=True)) for row in found.rows]
        console.file.write(json.dumps(rows, ensure_ascii=False, indent=1) + "\n")
    elif form is Format.CSV:
        writer = csv.writer(console.file)
        writer.writerow(found.columns)
        writer.writerows(found.rows)
    else:
        table = Table(box=None)
        for column in found.columns:
            table.add_column(column, overflow="fold")
        for row in found.rows:
            table.add_row(*("" if value is None else str(value) for value in row))
        console.print(table, markup=False, highlight=False)


def _workbook(found: Result) -> bytes:
    from zoneinfo import ZoneInfo

    from portal.workbook import workbook

    plain = [
        [json.dumps(v, ensure_ascii=False) if isinstance(v, list | dict) else v for v in row]
        for row in found.rows
    ]
    return workbook([("query", found.columns, plain)], ZoneInfo("UTC"))
