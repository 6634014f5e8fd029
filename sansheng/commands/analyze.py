"""``sansheng analyze``: one recording and its call record to a scorecard, without the service."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from sansheng.commands.serve import Config

app = typer.Typer()


@app.command(
    epilog="Examples:  sansheng analyze call.wav --call call.json    |"
    "    sansheng analyze call.wav --call call.json --json > result.json"
)
def analyze(
    recording: Annotated[Path, typer.Argument(help="WAV: left the caller, right the agent.")],
    call: Annotated[Path, typer.Option("--call", help="call.json of this recording.")],
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    config: Config = None,
) -> None:
    """Transcribe and score one call. Exit 0 when analysed, whatever the score; 2 on bad input."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from calls import wav
    from calls.call import Call
    from calls.codec import read_record
    from calls.errors import RecordingError
    from sansheng.document import analysis_document
    from sansheng.present import scorecard_lines
    from sansheng.settings import load

    settings = load(config)
    record = read_record(call, Call)
    wav.inspect(recording)
    if record.answered_at is None:
        raise RecordingError(
            f"{call} says the call was not answered, so {recording} cannot be of it",
            remedy="check that the two belong together",
        )
    from sansheng.pipeline import Pipeline

    columns = (TextColumn("[dim]{task.description}"), BarColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("loading the model", total=1.0)
        pipeline = Pipeline.open(settings)
        bar.update(task, description="listening")
        analysed = pipeline.analyse(
            record, recording, lambda share: bar.update(task, completed=share)
        )
    if json:
        document = analysis_document(analysed.analysis.scorecard, analysed.transcript)
        sys.stdout.write(document.decode() + "\n")
    else:
        for line in scorecard_lines(record, analysed.analysis.scorecard):
            typer.echo(line)
