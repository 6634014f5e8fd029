"""``sansheng report``: the standard reports."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from calls.errors import SettingsError
from sansheng.commands.query import Format, write
from sansheng.commands.serve import Config
from sansheng.fairness import with_intervals
from warehouse.chart import page
from warehouse.pdf import report_pdf
from warehouse.query import run
from warehouse.reports import By, Report, report_sql

app = typer.Typer(help=__doc__)
_MAX_ROWS = 5_000_000
"""Counts that a report may rest on; what is printed of them is a row a group."""
_WEEK = timedelta(days=6)
_DAY = ["%Y-%m-%d"]


@app.command(
    epilog="Examples:  sansheng report three-rings --by hour    |"
    "    sansheng report agents --from 2026-11-01 --to 2026-11-30 -f xlsx -o november.xlsx"
)
def report(
    name: Annotated[Report, typer.Argument(help="Which report.")],
    by: Annotated[By, typer.Option(help="A row for each of these.")] = By.TEAM,
    since: Annotated[
        datetime | None, typer.Option("--from", formats=_DAY, help="First day; else a week ago.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--to", formats=_DAY, help="Last day; else today.")
    ] = None,
    form: Annotated[Format, typer.Option("--format", "-f", help="Of the output.")] = Format.TABLE,
    output: Annotated[
        Path | None,
        typer.Option("--output", "--out", "-o", help="A file; NAME.html, NAME.pdf: a chart too."),
    ] = None,
    config: Config = None,
) -> None:
    """Print a standard report; its SQL is in warehouse/reports."""
    from sansheng.settings import load

    settings = load(config)
    last = (until or datetime.now().astimezone()).date()
    first = since.date() if since else last - _WEEK
    sql = report_sql(name, by, first, last)
    counted = run(sql, path=settings.database, socket=settings.socket, max_rows=_MAX_ROWS)
    found = with_intervals(name, counted)
    typer.echo(f"{name} by {by}, {first} to {last}", err=True)
    if output is not None and output.suffix in (".html", ".pdf"):
        draw = report_pdf if output.suffix == ".pdf" else _html
        _write(output, draw(name, first, last, found.columns, found.rows))
        return
    write(found, form, output)


def _html(*asked: Any) -> bytes:
    return page(*asked).encode()


def _write(output: Path, made: bytes) -> None:
    try:
        output.write_bytes(made)
    except OSError as error:
        raise SettingsError(
            f"cannot write {output} ({error.strerror})", remedy="name another file"
        ) from error
