"""``sansheng demo``: two real SIP calls on loopback, through the tap, to two scorecards."""

import contextlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from sansheng.demo import DemoCall, Site, Telephones
    from sansheng.settings import Settings

app = typer.Typer()

_POLL_S = 0.2
_LONGEST_S = 300
"""From the first dialling to the last scorecard; the two calls take a minute."""
_ANALYSIS_S = 10
"""What the progress bar allows for the analysis."""


@app.command(epilog="Examples:  sansheng demo    |    sansheng demo --data /tmp/demo --stay")
def demo(
    data: Annotated[Path, typer.Option(help="Where the demo's service keeps its calls.")] = Path(
        "var/demo"
    ),
    stay: Annotated[
        bool, typer.Option("--stay", help="Keep the portal up afterwards, until Ctrl-C.")
    ] = False,
) -> None:
    """Two citizens call two agents through a real tap: one call as it should be, one not.

    A second run adds two more calls.
    """
    from rich.console import Console

    from asr.model import embedded_model
    from sansheng.demo import Telephones, demo_calls, find_ports, running_site
    from sansheng.settings import load

    console = Console(stderr=True, highlight=False)
    with console.status("preparing the speech model (once)"):
        embedded_model()
    calls, ports = demo_calls(), find_ports()
    with contextlib.ExitStack() as stack:
        with console.status("starting the service: tap, worker, warehouse, portal"):
            site = stack.enter_context(running_site(data, ports))
        settings = load(site.config)
        console.print(f"service up: SIP on port {ports.tap}, settings in {site.config}")
        telephones = [Telephones(call, data, ports) for call in calls]
        for pair in telephones:
            stack.callback(pair.close)
        ids = _follow(console, calls, (site, *telephones), settings)
        _show(calls, ids, settings, site.config)
        if stay:
            console.print("the portal stays up; Ctrl-C ends it")
            with contextlib.suppress(KeyboardInterrupt):
                while True:
                    time.sleep(1)


def _follow(
    console: "Console",
    calls: "Sequence[DemoCall]",
    parts: "Sequence[Site | Telephones]",
    settings: "Settings",
) -> Mapping[str, str]:
    """Show how the calls go until both scorecards are there; call name to call id."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from calls.errors import SanshengError
    from sansheng.demo import Step

    started = time.monotonic()
    known = _call_ids(settings)
    ids: dict[str, str] = {}
    columns = (TextColumn("{task.description:<24}"), BarColumn(), TimeElapsedColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bars:
        tasks = {
            call.name: bars.add_task(
                call.name,
                total=(call.truth.ring_ms + call.truth.duration_ms) / 1000 + _ANALYSIS_S,
            )
            for call in calls
        }
        told: dict[str, Step] = {}
        while any(call.step is not Step.DONE for call in calls):
            if time.monotonic() - started > _LONGEST_S:
                raise SanshengError(
                    "the demo's calls did not come to an end",
                    remedy=f"see {settings.data_dir / 'service.log'}",
                )
            for part in parts:
                part.check()
            for agent, call_id in _call_ids(settings).items():
                for call in calls:
                    if call.agent == agent and known.get(agent) != call_id:
                        ids[call.name] = call_id
                        call.reach(Step.DONE)
            for call in calls:
                bars.update(tasks[call.name], description=f"{call.name} call: {call.step}")
                if call.step is not Step.DONE:
                    bars.update(tasks[call.name], completed=time.monotonic() - started)
                if told.get(call.name) is not call.step:
                    told[call.name] = call.step
                    seconds = time.monotonic() - started
                    console.print(f"{seconds:5.1f} s  {call.name} call, {call.agent}: {call.step}")
            time.sleep(_POLL_S)
    return ids


def _call_ids(settings: "Settings") -> dict[str, str]:
    """Each agent's newest call in the warehouse."""
    from warehouse import query

    found = query.run(
        "SELECT agent, max_by(call_id, invited_at) FROM v_calls GROUP BY agent",
        path=settings.database,
        socket=settings.socket,
    )
    return {str(agent): str(call_id) for agent, call_id in found.rows}


def _show(
    calls: "Sequence[DemoCall]", ids: Mapping[str, str], settings: "Settings", config: Path
) -> None:
    """Print the scorecards, what it took, where everything is, and what to try next."""
    from sansheng.present import scorecard_lines
    from sansheng.settings import CONFIG_VARIABLE
    from warehouse.calls import load_call

    talked = taken = 0.0
    for call in calls:
        stored = load_call(ids[call.name], path=settings.database, socket=settings.socket)
        for line in scorecard_lines(stored.call, stored.analysis.scorecard):
            typer.echo(line)
        typer.echo()
        talked += stored.call.duration_ms / 1000
        taken += call.analysis_s
    typer.echo(f"Two calls of {talked:.1f} s together; scorecards {taken:.1f} s after hanging up.")
    typer.echo(f"Files   {config.parent} (recordings, warehouse, logs)")
    typer.echo(f"Portal  http://{settings.portal.host}:{settings.portal.port}, while this runs:")
    typer.echo(f"        .venv/bin/sansheng serve -c {config}")
    typer.echo(f"        name and password: {settings.first_login.name} in the same folder")
    typer.echo("Next, the second call with its transcript, and all that was found:")
    typer.echo(f"        export {CONFIG_VARIABLE}={config}")
    typer.echo(f"        .venv/bin/sansheng call show {ids[calls[-1].name]} --transcript")
    typer.echo('        .venv/bin/sansheng query "SELECT * FROM v_findings"')
