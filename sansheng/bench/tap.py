"""``sansheng bench tap``: many real calls at once through the tap, each with audio both ways."""

import json
import os
import socket
import statistics
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from calls.call import Call
from calls.codec import read_record
from calls.handover import CALL_FILE, Spool, Stage
from sansheng.bench.sipp import Load, Ports, Sipp, find_sipp
from telephony.build import find_build
from telephony.settings import Destination, TapSettings
from telephony.supervisor import TapSupervisor

app = typer.Typer()

_RING_MS = 1500
_RAMP_PER_S = 20
_WHOLE_SHARE = 0.999
_SETUPS_PER_S = 50
_SETUP_S = 4
_SHORT_TALK_MS = 200
_SETTLE_S = 30


@app.command(epilog="Example:  sansheng bench tap --calls 300")
def tap(
    calls: Annotated[int, typer.Option(help="Bridged calls at once.", min=1, max=500)] = 20,
    seconds: Annotated[int, typer.Option(help="How long all of them talk.", min=3)] = 15,
) -> None:
    """Bridged calls at once, every recording checked; then short calls as fast as they come."""
    find_sipp()
    build = find_build()
    each = build.max_calls // 2
    children = max(1, -(-calls // each))
    typer.echo(f"PJSIP {build.version} ({build.name}), {children} processes", err=True)
    if children > 1:
        calls = each
        typer.echo(f"one process of this build holds {each} calls: measured with those", err=True)
    with tempfile.TemporaryDirectory(prefix="sansheng-bench-") as name:
        root = Path(name)
        ports = _ports()
        settings = TapSettings(
            port=ports.tap,
            rtp_port=16000,
            rtp_ports=max(800, calls * 4 + 100),
            default_destination=Destination(uri=f"sip:{{called}}@127.0.0.1:{ports.agents}"),
            drain_s=10,
            calls_a_second=1000,
        )
        supervisor = TapSupervisor(settings, Spool(root / "long"))
        supervisor.start()
        try:
            figures = _many(root, calls, seconds, supervisor, ports)
        finally:
            supervisor.drain_and_stop()
        supervisor = TapSupervisor(settings, Spool(root / "short"))
        supervisor.start()
        try:
            figures["setups_per_s"] = _fast(root, supervisor, ports, each)
        finally:
            supervisor.drain_and_stop()
    typer.echo(json.dumps({**figures, "asterisk_cores": None, "build": build.name}))


def _many(
    root: Path, calls: int, seconds: int, supervisor: TapSupervisor, ports: Ports
) -> dict[str, object]:
    ramp_s = calls / _RAMP_PER_S + _RING_MS / 1000
    load = Load(calls, _RAMP_PER_S, round((seconds + ramp_s) * 1000), _RING_MS)
    folder = root / "many"
    folder.mkdir()
    sipp = Sipp(folder, load, ports)
    try:
        time.sleep(ramp_s + 1)
        before, started = _cpu_s(supervisor), time.monotonic()
        time.sleep(max(1, seconds - 2))
        cores = (_cpu_s(supervisor) - before) / (time.monotonic() - started)
        rss = sum(_rss_mb(pid) for pid in supervisor.pids())
        sipp.wait()
    finally:
        sipp.close()
    records = _records(supervisor.spool, calls)
    truth = sipp.ring_times()
    ratios = [
        (call.recording.duration_ms or 0) / call.duration_ms
        for call in records
        if call.recording is not None and call.duration_ms
    ]
    errors = [
        abs(call.ring_ms - truth[call.called[1:]])
        for call in records
        if call.ring_ms is not None and call.called[1:] in truth
    ]
    return {
        "calls": calls,
        "calls_whole": sum(ratio >= _WHOLE_SHARE for ratio in ratios),
        "shortest_ratio": round(min(ratios, default=0.0), 5),
        "cores": round(cores, 3),
        "ring_error_ms_median": round(statistics.median(errors), 2) if errors else None,
        "ring_error_ms_max": round(max(errors), 2) if errors else None,
        "rss_mb": round(rss, 1),
    }


def _fast(root: Path, supervisor: TapSupervisor, ports: Ports, room: int) -> float:
    """Calls answered a second, offered as many as the room allows and 50 at most."""
    rate = min(_SETUPS_PER_S, max(1, room))
    load = Load(rate * _SETUP_S, rate, _SHORT_TALK_MS, 0)
    folder = root / "fast"
    folder.mkdir()
    sipp = Sipp(folder, load, ports)
    try:
        sipp.wait()
    finally:
        sipp.close()
    records = _records(supervisor.spool, load.calls)
    answers = sorted(call.answered_at for call in records if call.answered_at is not None)
    if len(answers) < 2:
        return 0.0
    return round((len(answers) - 1) / (answers[-1] - answers[0]).total_seconds(), 1)


def _records(spool: Spool, count: int) -> list[Call]:
    deadline = time.monotonic() + _SETTLE_S
    while len(spool.waiting(Stage.RECORDED)) < count and time.monotonic() < deadline:
        time.sleep(0.2)
    return [read_record(f / CALL_FILE, Call) for f in spool.waiting(Stage.RECORDED)]


def _ports() -> Ports:
    held = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(3)]
    for each in held:
        each.bind(("127.0.0.1", 0))
    citizens, agents, tap_port = (each.getsockname()[1] for each in held)
    for each in held:
        each.close()
    return Ports(citizens, agents, tap_port, 20000)


def _cpu_s(supervisor: TapSupervisor) -> float:
    ticks = 0
    for pid in supervisor.pids():
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _rss_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
