"""``sansheng erase``: a citizen's calls go, by number, and a proof stays."""

import getpass
import json
import sys
from typing import Annotated

import typer

from sansheng.commands.serve import Config

app = typer.Typer()


@app.command(
    epilog='Examples:  echo 13800001234 | sansheng erase --reason "request 2026-17"    |'
    "    echo 13800001234 | sansheng erase --prove"
)
def erase(
    reason: Annotated[str, typer.Option(help="Why, for the audit log; names no person.")] = "",
    prove: Annotated[
        bool, typer.Option("--prove", help="Erase nothing; print the past erasures of the number.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask at a terminal.")] = False,
    config: Config = None,
) -> None:
    """Erase all calls from or to a number: rows, words, recordings. Held calls stay.

    The number is asked for, or read from stdin, so that it stands in no shell history. Prints the
    proof as one JSON object; it names the number's salted hash, not the number.
    """
    from calls.errors import SettingsError
    from sansheng.settings import load
    from warehouse.orders import give

    terminal = sys.stdin.isatty()
    number = (
        typer.prompt("Number", hide_input=True, err=True)
        if terminal
        else sys.stdin.readline().strip()
    )
    if not prove and not reason.strip():
        raise SettingsError("an erasure needs a reason", remedy="add --reason")
    if terminal and not prove and not yes:
        typer.confirm("Erase this number's calls for good?", abort=True, err=True)
    settings = load(config)
    what = {"number": number, "actor": getpass.getuser(), "reason": reason}
    proof = give(
        "proofs" if prove else "erase", what, path=settings.database, socket=settings.socket
    )
    typer.echo(json.dumps(proof, ensure_ascii=False, default=str))
    if not prove and proof["left"]:
        typer.echo(f"{proof['left']} recordings could not be removed yet", err=True)
    if not prove and proof["mentions"]:
        typer.echo(f"the number is spoken in {proof['mentions']} other calls", err=True)
