"""``sansheng bench scorecard``: how long after hanging up the scorecard is there."""

import contextlib
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from calls.call import EndedBy

if TYPE_CHECKING:
    from sansheng.demo import DemoCall

app = typer.Typer()

_POLL_S = 0.1
_RING_MS = 2000
_LONGEST_S = 600
"""After the call's own length."""


@app.command(epilog="Examples:  sansheng bench scorecard    |    sansheng bench scorecard --after")
def scorecard(
    minutes: Annotated[float, typer.Option(min=0.5, help="Length of the call.")] = 3.0,
    seed: Annotated[int, typer.Option(help="Of the order of the turns.")] = 1,
    after: Annotated[
        bool, typer.Option("--after", help="Transcribe after the call only, for comparison.")
    ] = False,
) -> None:
    """One real SIP call of a made talk through a real service, from hanging up to the warehouse.

    Takes as long as the call. scorecard_s is seconds from the citizen's telephone hanging up.
    """
    from rich.console import Console

    from asr.model import embedded_model
    from sansheng.demo import Step, Telephones, find_ports, running_site
    from sansheng.settings import load
    from warehouse import query

    console = Console(stderr=True, highlight=False)
    embedded_model()
    with (
        tempfile.TemporaryDirectory(prefix="sansheng-bench-") as root,
        contextlib.ExitStack() as up,
    ):
        data = Path(root)
        call, ports = _call(data / "voices", minutes * 60, seed), find_ports()
        extra = "\n[asr]\nduring_call = false\n" if after else ""
        site = up.enter_context(running_site(data / "site", ports, extra))
        settings = load(site.config)
        telephones = Telephones(call, data, ports)
        up.callback(telephones.close)
        console.print(f"a call of {minutes:g} min …")
        deadline = time.monotonic() + minutes * 60 + _LONGEST_S
        while call.step is not Step.DONE and time.monotonic() < deadline:
            site.check()
            telephones.check()
            found = query.run(
                "SELECT count(*) FROM v_calls", path=settings.database, socket=settings.socket
            )
            if found.rows[0][0]:
                call.reach(Step.DONE)
            time.sleep(_POLL_S)
    typer.echo(
        json.dumps(
            {
                "scorecard_s": round(call.analysis_s, 1) if call.step is Step.DONE else None,
                "minutes": minutes,
                "during_call": not after,
            }
        )
    )


def _call(folder: Path, seconds: float, seed: int) -> "DemoCall":
    """The good call's telephones with a made talk of this length; the citizen hangs up."""
    from calls import wav
    from sansheng.bench.talk import demo_turns, make_talk
    from sansheng.demo import DemoCall, demo_calls
    from voices.truth import AGENT_FILE, CALLER_FILE

    talk = make_talk(seconds, seed, demo_turns())
    folder.mkdir()
    for column, name in enumerate((CALLER_FILE, AGENT_FILE)):
        wav.write(folder / name, talk.samples[:, column], talk.sample_rate)
    good = demo_calls()[0]
    truth = replace(
        good.truth, duration_ms=int(seconds * 1000), ring_ms=_RING_MS, ended_by=EndedBy.CALLER
    )
    return DemoCall(good.name, truth, folder)
