"""``sansheng export``: the views as Parquet files."""

import getpass
import json
import secrets
import shutil
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from sansheng.commands.serve import Config

app = typer.Typer()
_DAY = ["%Y-%m-%d"]


@app.command(epilog="Example:  sansheng export november --from 2026-11-01 --to 2026-11-30")
def export(
    folder: Annotated[Path, typer.Argument(help="A new folder for the files.")],
    since: Annotated[
        datetime, typer.Option("--from", formats=_DAY, help="First day (local).")
    ] = datetime(2000, 1, 1),  # noqa: DTZ001
    until: Annotated[
        datetime | None, typer.Option("--to", formats=_DAY, help="Last day; else today.")
    ] = None,
    unmasked: Annotated[
        bool, typer.Option("--unmasked", help="With personal data; the audit log notes it.")
    ] = False,
    config: Config = None,
) -> None:
    """Write v_calls, v_items, v_findings, v_utterances, v_scorecards and v_quality as Parquet.

    Works whether or not the service runs. Prints the rows of each file as one JSON object.
    """
    from calls.errors import SettingsError
    from sansheng.settings import load
    from warehouse.orders import give

    if folder.exists():
        raise SettingsError(f"{folder} is there already", remedy="name a new folder")
    settings = load(config)
    what = {
        "name": f"export-{secrets.token_hex(8)}",
        "since": since.date().isoformat(),
        "until": (until or datetime.now().astimezone()).date().isoformat(),
        "actor": getpass.getuser(),
        "unmasked": unmasked,
    }
    done = give("export", what, path=settings.database, socket=settings.socket)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(done["folder"], folder)
    except OSError as error:
        shutil.rmtree(done["folder"], ignore_errors=True)
        raise SettingsError(
            f"cannot write {folder} ({error.strerror})", remedy="name another folder"
        ) from error
    typer.echo(json.dumps(done["rows"]))
