"""``sansheng import``: calls that another system recorded, into the spool for the workers."""

import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sansheng.commands.serve import Config

if TYPE_CHECKING:
    from rich.console import Console

    from calls.handover import Spool
    from importer.roster import Roster
    from importer.run import Ledger, Plan
    from importer.settings import ImporterSettings
    from importer.siprec import Describe
    from importer.source import Item, Source
    from sansheng.settings import Settings

app = typer.Typer()
_CALLS_PER_SECOND = 200
"""Measured on two cores with calls of half a minute; only the plan's forecast rests on it."""


class Kind(StrEnum):
    """What wrote the calls."""

    PCAP = "pcap"
    FOLDER = "folder"
    ASTERISK = "asterisk"
    FREESWITCH = "freeswitch"
    SIPREC = "siprec"


@app.command(
    name="import",
    epilog="Examples:  sansheng import asterisk /var/log/asterisk --recordings"
    " /var/spool/asterisk/monitor --from 2026-10-01 --to 2026-10-31    |"
    "    sansheng import pcap captures/ --plan    |    sansheng import folder calls/ --watch",
)
def import_(
    kind: Annotated[Kind, typer.Argument(help="What wrote the calls.")],
    path: Annotated[Path, typer.Argument(help="Its log folder, folder of audio, or capture.")],
    recordings: Annotated[
        Path | None, typer.Option(help="Folder of the recordings, when it is another one.")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day.")
    ] = None,
    plan_only: Annotated[bool, typer.Option("--plan", help="Say what would be done.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Go on as new calls appear.")] = False,
    config: Config = None,
) -> None:
    """Bring in past calls. May be stopped and run again: nothing is taken twice.

    What cannot be read is listed on stdout, one `name<TAB>reason` a line, and does not stop
    the others. The workers of `sansheng serve` then transcribe and score.
    """
    from rich.console import Console

    from calls.handover import Spool
    from importer import roster as rosters
    from importer.run import Ledger, sweep
    from importer.times import zone
    from sansheng.settings import load

    settings = load(config)
    local = zone(settings.importer.time_zone)
    first = since.replace(tzinfo=local) if since else None
    after = until.replace(tzinfo=local) + timedelta(days=1) if until else None
    known = settings.importer.roster
    roster = rosters.load(known, settings.importer.time_zone) if known else rosters.Roster()
    spool = Spool(settings.spool_dir)
    ledger = Ledger(settings.data_dir / "import")
    sweep(spool)
    console = Console(stderr=True)
    tried: dict[str, Item] = {}

    def once(settled: float | None) -> None:
        from importer.run import plan, without_tried

        source = open_source(kind, path, recordings, settings)
        planned = plan(source, ledger, since=first, until=after, settled_before=settled)
        planned = without_tried(planned, tried)
        if watch and not planned.items:
            return
        _announce(console, planned)
        if not plan_only:
            if not tried:
                ledger.begin_quarantine()
            tried.update((item.key, item) for item in planned.items)
            _bring_in(console, source, planned, spool, ledger, roster, settings.importer)

    if watch and not plan_only:
        _watch(once, settings.importer)
    else:
        once(None)


def open_source(kind: Kind, path: Path, recordings: Path | None, whole: "Settings") -> "Source":
    """The source of this kind at this place."""
    from calls.errors import ImportSourceError
    from importer.asterisk import AsteriskSource
    from importer.freeswitch import FreeswitchSource
    from importer.manifest import ManifestSource
    from importer.pcap import PcapSource
    from importer.siprec import SiprecSource

    settings = whole.importer
    for place in (path, recordings):
        if place is not None and not place.exists():
            raise ImportSourceError(f"{place} does not exist", remedy="check the path")
    match kind:
        case Kind.PCAP:
            return PcapSource(path, settings)
        case Kind.FOLDER:
            return ManifestSource(path, settings)
        case Kind.ASTERISK:
            return AsteriskSource(path, recordings, settings)
        case Kind.FREESWITCH:
            return FreeswitchSource(path, recordings, settings)
        case Kind.SIPREC:
            return SiprecSource(path, settings, _describer(whole))


def _describer(whole: "Settings") -> "Describe":
    """Reads SIPREC metadata as the tap does, by the same rule of who is the agent."""
    from importer.siprec import Described
    from telephony.metadata import read_metadata
    from telephony.siprec_sides import assign_sides

    def describe(raw: bytes) -> Described:
        told = read_metadata(raw)
        sides = assign_sides(told, [s.label for s in told.streams], whole.telephony.siprec)
        by_id = {s.id: sides.by_label.get(s.label) for s in told.streams}
        return Described(
            session=next(iter(told.sessions), ""),
            started_at=told.started_at,
            sides=by_id | sides.by_label,
            caller=sides.caller,
            agents=sides.agents,
        )

    return describe


def _announce(console: "Console", planned: "Plan") -> None:
    seconds = round(len(planned.items) / _CALLS_PER_SECOND)
    console.print(
        f"{len(planned.items)} calls to bring in ({planned.size / 1e6:.0f} MB, about"
        f" {timedelta(seconds=max(1, seconds))}), {planned.known} brought in before,"
        f" {planned.outside} outside the days"
    )


def _bring_in(
    console: "Console",
    source: "Source",
    planned: "Plan",
    spool: "Spool",
    ledger: "Ledger",
    roster: "Roster",
    settings: "ImporterSettings",
) -> None:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    from importer.run import State, run

    states: Counter[State] = Counter()
    bad: Counter[str] = Counter()
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    began = time.monotonic()
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("calls", total=len(planned.items))
        for outcome in run(
            source, planned.items, spool, ledger, roster=roster, at_once=settings.at_once
        ):
            states[outcome.state] += 1
            bar.advance(task)
            if outcome.state is State.QUARANTINED:
                bad[f"{outcome.label}\t{outcome.reason}"] += 1
    for line in sorted(bad):
        typer.echo(line)
    rate = len(planned.items) / max(0.001, time.monotonic() - began)
    console.print(
        f"{states[State.IMPORTED]} brought in, {states[State.QUARANTINED]} could not be read"
        f" ({rate:.0f} calls/s). They are scored while `sansheng serve` runs."
    )


def _watch(once: Callable[[float | None], None], settings: "ImporterSettings") -> None:
    while True:
        once(time.time() - settings.settle_seconds)
        time.sleep(settings.watch_seconds)
