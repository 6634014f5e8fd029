"""``sansheng report``: the standard reports."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from calls.errors import SettingsError
from sansheng.commands.query import Format, write
from sansheng.commands.serve import Config
from warehouse.chart import page
from warehouse.query import run
from warehouse.reports import By, Report, report_sql

app = typer.Typer(help=__doc__)
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
        typer.Option("--output", "-o", help="A file instead of stdout; NAME.html: with a chart."),
    ] = None,
    config: Config = None,
) -> None:
    """Print a standard report; its SQL is in warehouse/reports."""
    from sansheng.settings import load

    settings = load(config)
    last = (until or datetime.now().astimezone()).date()
    first = since.date() if since else last - _WEEK
    found = run(report_sql(name, by, first, last), path=settings.database, socket=settings.socket)
    typer.echo(f"{name} by {by}, {first} to {last}", err=True)
    if output is not None and output.suffix == ".html":
        _write_page(output, page(name, first, last, found.columns, found.rows))
        return
    write(found, form, output)


def _write_page(output: Path, text: str) -> None:
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"cannot write {output} ({error.strerror})", remedy="name another file"
        ) from error
