"""``sansheng voices``: test calls in Mandarin from small scripts, and the spoken set."""

import time
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True,
    help="Make test calls: Mandarin speech by synthetic voices on a telephone line.",
)


@app.command(epilog="Example:  sansheng voices render voices/demo/bad/script.toml -o out/")
def render(
    scripts: Annotated[list[Path], typer.Argument(help="Script files (docs/voices.md).")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder; a call becomes OUT/NAME/.")],
) -> None:
    """Turn scripts into caller.wav, agent.wav, call.wav and truth.json; prints each folder."""
    from voices.render import render as render_call
    from voices.script import load

    for path in scripts:
        script = load(path)
        truth = render_call(script, out / script.name)
        typer.echo(f"{script.name}: {truth.duration_ms / 1000:.1f} s", err=True)
        typer.echo(out / script.name)


@app.command(
    epilog="Examples:  sansheng voices corpus -o corpus/    |"
    "    sansheng voices corpus -o corpus/ --limit 50 --minutes 5"
)
def corpus(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the calls.")],
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many calls.")] = None,
    minutes: Annotated[float | None, typer.Option(min=0, help="Stop after so long.")] = None,
    seed: Annotated[int, typer.Option(help="Another seed draws other readings.")] = 1,
) -> None:
    """Make the spoken set of the phrase figures; may be stopped and begun again at any point."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    from voices.corpus import build, plan

    total = len(plan(seed)[:limit])
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    began = time.monotonic()
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("calls", total=total)
        for _ in build(out, seed=seed, limit=limit):
            bar.advance(task)
            if minutes is not None and time.monotonic() - began > minutes * 60:
                break
    typer.echo(out)
