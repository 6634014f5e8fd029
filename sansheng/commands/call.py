"""``sansheng call``: one call's scorecard from the warehouse."""

import sys
from typing import Annotated

import typer

from sansheng.commands.serve import Config

app = typer.Typer(no_args_is_help=True, help="One call's scorecard from the warehouse.")


@app.callback()
def _call() -> None:
    """One call's scorecard, transcript and evidence from the warehouse."""


@app.command(epilog="Example:  sansheng call show 20261124-080000-ab12cd")
def show(
    call_id: Annotated[str, typer.Argument(help="As in v_calls.call_id; a unique start will do.")],
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    transcript: Annotated[bool, typer.Option(help="Print the transcript too.")] = False,
    config: Config = None,
) -> None:
    """Print the scorecard of one call, whether or not the service runs."""
    from sansheng.document import analysis_document
    from sansheng.present import scorecard_lines, transcript_lines
    from sansheng.settings import load
    from warehouse.calls import load_call

    settings = load(config)
    stored = load_call(call_id, path=settings.database, socket=settings.socket)
    if json:
        sys.stdout.write(
            analysis_document(stored.analysis.scorecard, stored.transcript).decode() + "\n"
        )
        return
    for line in scorecard_lines(stored.call, stored.analysis.scorecard):
        typer.echo(line)
    if transcript and stored.transcript is not None:
        for line in transcript_lines(stored.transcript):
            typer.echo(line)
