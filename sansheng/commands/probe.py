"""``sansheng probe``: unannounced calls to the hotline (明察暗访), timed and filed as any call."""

import json
import re
import signal
import tempfile
import threading
import time
from pathlib import Path
from statistics import median
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from sansheng.exits import Exit

if TYPE_CHECKING:
    from rich.console import Console

    from calls.call import Call
    from telephony.probe.round import Probe, Sayings

app = typer.Typer()

_UNITS = {"s": 1, "m": 60, "h": 3600}
_WORDS = {
    "ringing": "rings",
    "answered": "answered, waits for the greeting",
    "asking": "asks",
    "listening": "listens",
    "parting": "says goodbye",
    "last": "waits for the other side's goodbye",
    "done": "hangs up",
}


@app.command(
    epilog="Examples:  sansheng probe sip:88908890@10.0.0.2 --play question.wav    |"
    "    sansheng probe sip:88908890@10.0.0.2 --times 20 --every 5m --play q.wav --goodbye bye.wav"
)
def probe(
    target: Annotated[str, typer.Argument(help="SIP URI to call: a target of the settings.")],
    times: Annotated[int, typer.Option(min=1, max=1000, help="How many calls.")] = 1,
    every: Annotated[str, typer.Option(help="From one call's start to the next: 90s, 5m, 1h.")] = (
        "5m"
    ),
    play: Annotated[
        Path | None, typer.Option(help="WAV to ask with, at any rate; else silence.")
    ] = None,
    goodbye: Annotated[Path | None, typer.Option(help="WAV to say goodbye with.")] = None,
    listen: Annotated[
        int | None, typer.Option(min=1, max=600, help="Seconds to listen after the question.")
    ] = None,
    agent: Annotated[str, typer.Option(help="Whose calls those are; else the called number.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="The summary as one JSON object.")] = (
        False
    ),
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="Settings file; else ./sansheng.toml, else defaults."),
    ] = None,
) -> None:
    """Call the hotline as a citizen would: time the rings, ask, listen, part, and file the call.

    Only the configured targets, one call at a time, so many an hour. The running service analyses
    the calls as any other; without one they wait in the spool. Ctrl-C hangs up, files what there
    is, and prints the summary. Exit code 1 when no call was answered.
    """
    from rich.console import Console

    from calls.handover import Spool
    from calls.wav import Coding
    from sansheng.settings import load
    from telephony.probe.limits import check_pace, number_of
    from telephony.probe.round import Probe, Sayings, line_audio

    settings = load(config)
    limits = settings.telephony.probe
    if listen is not None:
        limits = limits.model_copy(update={"listen_s": listen})
    number_of(target, limits)
    every_s = _seconds(every)
    check_pace(times, every_s, limits)
    console = Console(stderr=True, highlight=False)
    with tempfile.TemporaryDirectory() as folder:
        sayings = Sayings(
            question=str(line_audio(play, Path(folder) / "question.wav")) if play else "",
            goodbye=str(line_audio(goodbye, Path(folder) / "goodbye.wav")) if goodbye else "",
        )
        placing = Probe(
            limits, Spool(settings.spool_dir), cast(Coding, settings.telephony.recording_coding)
        )
        calls, interrupted = _place(
            console, placing, target, sayings, times=times, every_s=every_s, agent=agent
        )
    _show(calls, as_json=as_json)
    if interrupted:
        raise typer.Exit(Exit.INTERRUPTED)
    if not any(call.answered_at for call in calls):
        raise typer.Exit(Exit.FAILED)


def _place(
    console: "Console",
    placing: "Probe",
    target: str,
    sayings: "Sayings",
    *,
    times: int,
    every_s: float,
    agent: str,
) -> "tuple[list[Call], bool]":
    """The calls, and whether Ctrl-C cut them short. The limit reached ends them as well."""
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from calls.errors import TapError

    stop = threading.Event()

    def on_signal(_signal: int, _frame: FrameType | None) -> None:
        stop.set()
        placing.hang_up()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, on_signal)
    calls: list[Call] = []
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    try:
        with Progress(
            *columns, console=console, transient=True, disable=not console.is_terminal
        ) as bars:
            for number in range(1, times + 1):
                began = time.monotonic()
                task = bars.add_task(f"call {number} of {times}: dials")

                def tell(event: str, task: Any = task, number: int = number) -> None:
                    bars.update(task, description=f"call {number} of {times}: {_WORDS[event]}")

                try:
                    call = placing.call(target, sayings, tell, agent=agent)
                except TapError as error:
                    if not calls:
                        raise
                    console.print(f"stopped after {len(calls)} of {times} calls: {error}")
                    break
                bars.remove_task(task)
                calls.append(call)
                console.print(f"{number:>3}  {_line(call)}")
                if stop.is_set() or number == times:
                    break
                wait = bars.add_task(f"call {number + 1} of {times}: waits")
                stop.wait(max(0.0, every_s - (time.monotonic() - began)))
                bars.remove_task(wait)
                if stop.is_set():
                    break
    finally:
        signal.signal(signal.SIGINT, before)
    return calls, stop.is_set()


def _line(call: "Call") -> str:
    """One call in one line of at most 80 cells."""
    ring = "-" if call.ring_ms is None else f"{call.ring_ms / 1000:.1f} s"
    if call.answered_at is None:
        return f"{call.call_id}  rang {ring}, {call.end_reason} ({call.ended_by})"
    return f"{call.call_id}  rang {ring}, talked {call.duration_ms / 1000:.0f} s"


def _show(calls: "list[Call]", *, as_json: bool) -> None:
    """The summary on stdout."""
    answered = [call.ring_ms or 0 for call in calls if call.answered_at]
    middle = round(median(answered)) if answered else None
    worst = max(answered, default=None)
    if as_json:
        told = [
            {
                "call_id": call.call_id,
                "answered": call.answered_at is not None,
                "ring_ms": call.ring_ms,
                "talk_ms": call.duration_ms,
                "ended_by": call.ended_by,
                "end_reason": call.end_reason,
            }
            for call in calls
        ]
        summary = {"placed": len(calls), "answered": len(answered)}
        rings = {"ring_ms_median": middle, "ring_ms_max": worst}
        typer.echo(json.dumps({**summary, **rings, "calls": told}))
        return
    typer.echo(f"{len(answered)} of {len(calls)} calls answered")
    if middle is not None and worst is not None:
        typer.echo(f"rang {middle / 1000:.1f} s (middle), {worst / 1000:.1f} s (longest)")


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text.strip())
    if found is None:
        raise typer.BadParameter("write it as 90s, 5m or 1h", param_hint="--every")
    return float(found[1]) * _UNITS[found[2]]
