"""``sansheng backtest``: a changed rules file or phrasebook on calls that are already scored."""

import csv
import os
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sansheng.commands.serve import Config

if TYPE_CHECKING:
    from scoring.backtest import Difference, Summary

app = typer.Typer()


@app.command(
    epilog="Examples:  sansheng backtest --rules my-rules.toml    |"
    "    sansheng backtest --phrases my-phrases/ --from 2026-01-01 --calls changes.csv"
)
def backtest(
    rules: Annotated[
        Path | None, typer.Option("--rules", help="Changed rules file; else the one in use.")
    ] = None,
    phrases: Annotated[
        Path | None, typer.Option("--phrases", help="Changed phrasebook folder; else as stored.")
    ] = None,
    since: Annotated[str, typer.Option("--from", help="First day, YYYY-MM-DD (local).")] = "",
    until: Annotated[str, typer.Option("--to", help="Last day, YYYY-MM-DD (local).")] = "",
    calls: Annotated[
        Path | None, typer.Option("--calls", help="Write the difference call by call (CSV).")
    ] = None,
    processes: Annotated[int, typer.Option(min=1, max=64, help="Processes to use.")] = min(
        4, os.cpu_count() or 1
    ),
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    config: Config = None,
) -> None:
    """Score stored calls anew and show what would change. Nothing is stored or recognised again.

    A changed phrase or guard is looked for where it can matter; what matters everywhere takes
    some ten times as long, and is named. Ctrl-C stops it and shows what it has found so far
    (exit 130).
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    from calls.errors import SettingsError
    from sansheng.backtest import Change, count, pages, run, searched_whole
    from sansheng.exits import Exit
    from sansheng.settings import load
    from scoring.backtest import Summary

    if rules is None and phrases is None:
        raise SettingsError("nothing to try", remedy="give --rules, --phrases or both")
    settings = load(config)
    change = Change(
        rules=rules or settings.scoring.path,
        phrases=phrases,
        phrases_in_use=settings.phrasebook.path,
        rules_in_use=settings.scoring.path,
    )
    days = _between(since, until)
    stored = (settings.database, settings.socket, days)
    narration = Console(stderr=True, highlight=False)
    slow, reasons = searched_whole(change, *stored)
    if slow:
        why = ", ".join(reasons) or "another phrasebook judged them"
        narration.print(
            f"{slow:,} calls are searched from end to end ({why}); the bar tells the time left"
        )
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    summary, stopped, broken = Summary(), False, 0
    with (
        Progress(*columns, TimeRemainingColumn(), console=narration, transient=True) as bar,
        _Report(calls) as report,
    ):
        task = bar.add_task("scoring anew", total=count(*stored))
        outcomes = run(pages(*stored), change, processes)
        try:
            for outcome in outcomes:
                bar.advance(task, outcome.summary.calls + outcome.broken)
                broken += outcome.broken
                summary.merge(outcome.summary)
                for difference in outcome.changes:
                    report.write(difference)
        except KeyboardInterrupt:
            stopped = True
            outcomes.close()
    _show(summary, json=json, whole=not stopped, broken=broken)
    if stopped:
        raise typer.Exit(Exit.INTERRUPTED)


def _between(since: str, until: str) -> str:
    """The days as a condition on v_calls."""
    from sansheng.backtest import ALL

    conditions: list[str] = []
    if since:
        conditions.append(f"v.local_at >= DATE '{_day(since)}'")
    if until:
        conditions.append(f"v.local_at < DATE '{_day(until) + timedelta(days=1)}'")
    return " AND ".join(conditions) or ALL


def _day(text: str) -> date:
    from calls.errors import SettingsError

    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise SettingsError(f"{text} is no day", remedy="write YYYY-MM-DD") from error


class _Report:
    """The call-by-call file; without a path nothing is written."""

    HEADER = ("call_id", "agent", "before", "after", "flagged", "cleared", "needs_audio")

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def __enter__(self) -> "_Report":
        from calls.errors import SettingsError

        self._file = None
        if self._path:
            try:
                # The byte order mark is for Excel, which else takes Chinese for another code page.
                self._file = self._path.open("w", encoding="utf-8-sig", newline="")
            except OSError as error:
                raise SettingsError(
                    f"cannot write {self._path} ({error.strerror})", remedy="name another file"
                ) from error
        self._rows = csv.writer(self._file) if self._file else None
        if self._rows:
            self._rows.writerow(self.HEADER)
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def write(self, one: "Difference") -> None:
        """One line for a call that would change or that needs its audio."""
        if self._rows:
            marks = [
                "; ".join(f"{m.rule} {m.status} {m.phrase}".strip() for m in those)
                for those in (one.flagged, one.cleared)
            ]
            self._rows.writerow(
                (one.call_id, one.agent, one.before, one.after, *marks, one.unasked)
            )


def _show(summary: "Summary", *, json: bool, whole: bool, broken: int) -> None:
    """The summary on stdout: tables for people, or one JSON object."""
    import msgspec
    from rich.console import Console
    from rich.table import Table

    before, after = summary.quality
    if json:
        document = {
            "calls": summary.calls,
            "whole": whole,
            "changed": summary.changed,
            "broken": broken,
            "other_code": summary.elsewhere,
            "needs_audio": {"calls": summary.unasked_calls, "phrases": summary.unasked},
            "flagged": dict(summary.flagged),
            "cleared": dict(summary.cleared),
            "agents": summary.agents,
            "quality": {"before": before, "after": after},
        }
        typer.echo(msgspec.json.encode(document).decode())
        return
    console = Console()
    console.print(
        f"{summary.calls} calls{'' if whole else ' (stopped)'}, {summary.changed} would change, "
        f"{summary.unasked_calls} need their audio again ({summary.unasked} phrases)"
        + (f", {broken} could not be read" if broken else "")
    )
    if summary.elsewhere:
        console.print(
            f"{summary.elsewhere} calls were judged by other code than this Sansheng's: what it "
            "reads otherwise is among the differences"
        )
    rules = Table("rule", "newly flagged", "no longer flagged")
    for name in sorted({*summary.flagged, *summary.cleared}):
        rules.add_row(name, str(summary.flagged[name]), str(summary.cleared[name]))
    if rules.rows:
        console.print(rules)
    agents = Table("agent", "calls", "before", "after", "difference")
    for effect in summary.agents:
        if effect.before != effect.after:
            agents.add_row(
                effect.agent,
                str(effect.calls),
                f"{effect.before:.1f}",
                f"{effect.after:.1f}",
                f"{effect.after - effect.before:+.1f}",
            )
    if agents.rows:
        console.print(agents)
    quality = Table(
        "rule", "judged by people", "precision before", "after", "recall before", "after"
    )
    later = {one.rule: one for one in after}
    for one in before:
        new = later.get(one.rule)
        if new is not None:
            quality.add_row(
                one.rule,
                str(one.judged),
                *(
                    "–" if s.value is None else f"{s.value:.2f} ({s.low:.2f}–{s.high:.2f})"
                    for s in (one.precision, new.precision, one.recall, new.recall)
                ),
            )
    if quality.rows:
        console.print(quality)
