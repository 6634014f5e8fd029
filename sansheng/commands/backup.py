"""``sansheng backup``: a copy of the warehouse and its recordings, and the way back."""

from pathlib import Path
from typing import Annotated

import typer

from sansheng.commands.serve import Config

app = typer.Typer(
    no_args_is_help=True, help="A copy of the warehouse and its recordings, and the way back."
)
Folder = Annotated[Path, typer.Argument(help="The backup's folder.")]


@app.callback()
def _backup() -> None:
    """Copy the warehouse and its recordings while the service runs; restore a copy."""


@app.command(epilog="Example:  sansheng backup make /mnt/backup/sansheng")
def make(folder: Folder, config: Config = None) -> None:
    """Take a backup; into the same folder again it copies only what is new."""
    from sansheng.settings import load
    from warehouse.orders import give

    settings = load(config)
    what = {"folder": str(folder.resolve())}
    done = give("backup", what, path=settings.database, socket=settings.socket)
    typer.echo(f"{done['calls']} calls, {done['recordings']} recordings", err=True)


@app.command(epilog="Example:  sansheng backup check /mnt/backup/sansheng")
def check(folder: Folder) -> None:
    """Compare a backup with its manifest; exit 2 when it is not whole."""
    from warehouse.backup import verify

    done = verify(folder)
    typer.echo(f"whole: {done.calls} calls, {done.recordings} recordings", err=True)


@app.command(epilog="Example:  sansheng backup restore /mnt/backup/sansheng")
def restore(folder: Folder, config: Config = None) -> None:
    """Put a backup into data_dir, where no warehouse may be; stop the service first."""
    from sansheng.settings import load
    from warehouse.backup import restore as put_back

    done = put_back(folder, load(config).database)
    typer.echo(f"{done.calls} calls, {done.recordings} recordings are back", err=True)
