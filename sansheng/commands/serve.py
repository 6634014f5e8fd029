"""``sansheng serve``: the tap, the workers, the warehouse and the portal until SIGTERM."""

import signal
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

app = typer.Typer()

Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Settings file; else ./sansheng.toml, else defaults."),
]


@app.command(
    epilog="Examples:  sansheng serve    |    sansheng serve -c /etc/sansheng.toml --no-tap"
)
def serve(
    config: Config = None,
    tap: Annotated[
        bool, typer.Option(help="Listen for SIP; --no-tap: imports and portal only.")
    ] = True,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
) -> None:
    """Run the service. SIGTERM or Ctrl-C lets the calls under way finish, then stops cleanly."""
    from sansheng.log import configure
    from sansheng.service import Service
    from sansheng.settings import find, load

    configure(verbose=verbose)
    path = find(config)
    service = Service(load(path), path, with_tap=tap)

    def on_signal(_signal: int, _frame: FrameType | None) -> None:
        service.stop()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    service.run()
