"""``sansheng retention``: what is past its period goes; a legal hold keeps a call."""

import getpass
import json
from typing import Annotated

import typer

from sansheng.commands.serve import Config

app = typer.Typer(
    no_args_is_help=True, help="What is past its period goes; a legal hold keeps a call."
)
CallId = Annotated[str, typer.Argument(help="As in v_calls.call_id.")]


@app.callback()
def _retention() -> None:
    """Take away what is past its period, hold a call, lift a hold.

    The periods are recordings_days, transcripts_days and scores_days under [warehouse]. Works
    whether or not the service runs.
    """


@app.command(epilog="Example, once a night:  sansheng retention run")
def run(config: Config = None) -> None:
    """Take away what is past its period; prints what went as one JSON object."""
    from sansheng.settings import load
    from warehouse.orders import give

    settings = load(config)
    periods = settings.warehouse.model_dump(mode="json")
    done = give("retain", {"periods": periods}, path=settings.database, socket=settings.socket)
    typer.echo(json.dumps(done))


@app.command(epilog='Example:  sansheng retention hold 20261124-080000-ab12cd --reason "case 17"')
def hold(
    call_id: CallId,
    reason: Annotated[str, typer.Option(help="The case; it goes into the audit log.")],
    config: Config = None,
) -> None:
    """Keep a call whole until it is released: neither retention nor erasure takes it."""
    _order("hold", {"call_id": call_id, "reason": reason}, config)


@app.command(epilog="Example:  sansheng retention release 20261124-080000-ab12cd")
def release(call_id: CallId, config: Config = None) -> None:
    """Lift a call's hold; what is past its period goes with the next run."""
    _order("release", {"call_id": call_id}, config)


def _order(name: str, what: dict[str, str], config: Config) -> None:
    from sansheng.settings import load
    from warehouse.orders import give

    settings = load(config)
    give(name, {**what, "actor": getpass.getuser()}, path=settings.database, socket=settings.socket)
