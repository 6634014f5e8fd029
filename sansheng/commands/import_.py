"""``sansheng import``: calls that another system recorded, into the spool for the workers."""

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable
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
_NAME = re.compile(r"^(\S+\.\w{2,6}\b|(row|line) \d+)")
_REASONS = 5
"""Reasons that the report counts; every call's own is on stdout."""
_CALLS_PER_SECOND = 200
"""Measured on two cores with calls of half a minute; only the plan's forecast rests on it."""
_HEARING = 0.06
"""Seconds of work a second of call on two cores, all of the analysis; only a forecast."""


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
    spool = Spool(settings.spool_dir)
    ledger = Ledger(settings.data_dir / "import")
    sweep(spool)
    console = Console(stderr=True)
    tried: dict[str, Item] = {}

    def once(settled: float | None) -> None:
        from importer.run import plan, without_tried

        known = settings.importer.roster
        roster = rosters.load(known, settings.importer.time_zone) if known else rosters.Roster()
        source = open_source(kind, path, recordings, settings)
        planned = plan(source, ledger, since=first, until=after, settled_before=settled)
        planned = without_tried(planned, tried)
        if watch and not planned.items:
            return
        _announce(console, planned)
        if planned.items and not plan_only:
            if not tried:
                ledger.begin_quarantine()
            bad = _bring_in(console, source, planned, spool, ledger, roster, settings.importer)
            tried.update((item.key, item) for item in bad)

    if watch and not plan_only:
        open_source(kind, path, recordings, settings)
        _watch(once, settings.importer, console)
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
    from telephony.siprec.metadata import read_metadata
    from telephony.siprec.sides import assign_sides

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
        f" {timedelta(seconds=max(1, seconds))}); {planned.known} in before,"
        f" {planned.outside} of other days"
    )
    if planned.items and not planned.size:
        console.print(
            "No recording of them was found. A call that is in is not taken again: look at"
            " --recordings first."
        )


def _bring_in(
    console: "Console",
    source: "Source",
    planned: "Plan",
    spool: "Spool",
    ledger: "Ledger",
    roster: "Roster",
    settings: "ImporterSettings",
) -> list["Item"]:
    """Bring in what is planned, with progress and a report; returns what could not be read."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    from importer.run import State, run
    from importer.source import call_id

    items = {call_id(source.name, item.key): item for item in planned.items}
    bad: dict[str, str] = {}
    done = silent = audio_ms = 0
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]} calls/s, left"),
        TimeRemainingColumn(),
    )
    began = time.monotonic()
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("calls", total=len(planned.items), rate="…")
        for outcome in run(
            source, planned.items, spool, ledger, roster=roster, at_once=settings.at_once
        ):
            done += 1
            silent += not outcome.recorded
            audio_ms += outcome.audio_ms
            bar.update(task, advance=1, rate=f"{done / (time.monotonic() - began + 0.001):.0f}")
            if outcome.state is State.QUARANTINED:
                bad[outcome.call_id] = f"{outcome.label}\t{outcome.reason}"
    for line in sorted(bad.values()):
        typer.echo(line)
    rate = done / max(0.001, time.monotonic() - began)
    good = done - len(bad)
    console.print(f"{good} brought in, {len(bad)} could not be read ({rate:.0f} calls/s)")
    if bad:
        _say_why(console, bad.values())
    if silent:
        console.print(f"answered calls without a recording: {silent}")
    if good:
        talk = timedelta(seconds=round(audio_ms / 1000))
        hearing = timedelta(seconds=max(1, round(audio_ms / 1000 * _HEARING)))
        console.print(
            f"They are transcribed and scored while `sansheng serve` runs: {talk} of talk, about"
            f" {hearing} on two cores."
        )
    return [items[identity] for identity in bad]


def _say_why(console: "Console", lines: Iterable[str]) -> None:
    """The commonest reasons, names left out: a hundred files often fail for one reason."""
    reasons = Counter(_NAME.sub("…", line.split("\t")[1]) for line in lines)
    for reason, count in reasons.most_common(_REASONS):
        console.print(f"  {count} × {reason}")


def _watch(
    once: Callable[[float | None], None], settings: "ImporterSettings", console: "Console"
) -> None:
    """Look again and again; what hinders one look is said once and may be mended meanwhile."""
    from calls.errors import SanshengError

    said = ""
    console.print("watching; Ctrl-C ends it")
    while True:
        try:
            once(time.time() - settings.settle_seconds)
            said = ""
        except (SanshengError, OSError) as error:
            if str(error) != said:
                console.print(f"waiting: {error}")
            said = str(error)
        time.sleep(settings.watch_seconds)
