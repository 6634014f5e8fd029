"""``sansheng doctor``: is this machine ready, and if not, what to do."""

import typer

from sansheng.commands.serve import Config
from sansheng.exits import Exit

app = typer.Typer()


@app.command(epilog="Example:  sansheng doctor -c /etc/sansheng.toml")
def doctor(config: Config = None) -> None:
    """Check model, ports, disk, clock, codecs and limits; exit 1 when something must be mended."""
    from rich.console import Console
    from rich.markup import escape

    from sansheng.checks import Health, examine
    from sansheng.settings import load

    marks = {Health.OK: "[green]✔[/]", Health.WARN: "[yellow]![/]", Health.FAIL: "[red]✘[/]"}
    console = Console(highlight=False)
    failed = False
    for finding in examine(load(config)):
        console.print(f"{marks[finding.health]} [bold]{finding.name}[/]: {escape(finding.found)}")
        if finding.mend:
            console.print(f"    → {escape(finding.mend)}")
        failed |= finding.health is Health.FAIL
    raise typer.Exit(Exit.FAILED if failed else Exit.OK)
