"""``sansheng bench tap``: many real calls at once through the tap, each with audio both ways."""

import json
import socket
import statistics
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from calls.call import Call
from calls.codec import read_record
from calls.handover import CALL_FILE, Spool, Stage
from sansheng.bench.asterisk import Asterisk, find_asterisk
from sansheng.bench.burden import burden, rss_mb
from sansheng.bench.sipp import Load, Ports, Sipp, find_sipp
from sansheng.bench.soak import soak
from sansheng.bench.wire import Wire
from telephony.build import Build, find_build
from telephony.settings import Destination, TapSettings
from telephony.supervisor import TapSupervisor

app = typer.Typer()

_RING_MS = 1500
_RAMP_PER_S = 20
_WHOLE_SHARE = 0.999
_SETUPS_PER_S = 50
_SETUP_S = 4
_SHORT_TALK_MS = 200
_SETTLE_S = 60
_REMEMBERED_S = 40
"""For 32 s the library remembers a transaction; memory that grows after that is lost."""
_TAP_RTP, _SIPP_RTP = 10000, 30000
_MOST_CHILDREN = 16


@dataclass(frozen=True, slots=True)
class Bench:
    """What every part of the bench needs."""

    root: Path
    build: Build
    children: int

    def ports(self) -> Ports:
        """Free ports: of the agents, and of each process and its citizens."""
        agents, *others = free_ports(1 + 2 * self.children)
        first = others[0]
        return Ports(
            agents,
            tuple(others[self.children :]),
            tuple(first + index for index in range(self.children)),
            _SIPP_RTP,
        )

    def tap(self, name: str, ports: Ports, calls: int, **changes: object) -> TapSupervisor:
        """A tap with a spool of its own, not yet started."""
        values: dict[str, object] = {
            "port": ports.called[0],
            "children": self.children,
            "rtp_port": _TAP_RTP,
            "rtp_ports": max(800, -(-calls // self.children) * 4 + 100),
            "default_destination": Destination(uri=f"sip:{{called}}@127.0.0.1:{ports.agents}"),
            "drain_s": 10,
            "calls_a_second": 1000,
        }
        settings = TapSettings.model_validate(values | changes)
        return TapSupervisor(settings, Spool(self.root / f"spool-{name}"))


@app.command(
    epilog="Examples:  sansheng bench tap --calls 300;"
    "  sansheng bench tap --short-calls 10000;  sansheng bench tap --soak 600"
)
def tap(
    calls: Annotated[int, typer.Option(help="Bridged calls at once.", min=1, max=500)] = 20,
    seconds: Annotated[int, typer.Option(help="How long all of them talk.", min=3)] = 15,
    short_calls: Annotated[
        int, typer.Option(help="Short calls in a row, to see whether memory grows.", min=0)
    ] = 0,
    soak_s: Annotated[
        int,
        typer.Option("--soak", help="Seconds of calls with processes killed at random.", min=0),
    ] = 0,
    asterisk: Annotated[
        Path | None, typer.Option(help="Folder above the usr of an Asterisk to compare with.")
    ] = None,
) -> None:
    """Bridged calls at once, every recording checked; then short calls as fast as they come."""
    find_sipp()
    build = find_build()
    each = build.max_calls // 2
    children = max(1, -(-calls // each))
    if children > _MOST_CHILDREN:
        children, calls = _MOST_CHILDREN, _MOST_CHILDREN * each
        typer.echo(f"{children} processes of this build hold {calls} calls", err=True)
    typer.echo(f"PJSIP {build.version} ({build.name}), {children} processes", err=True)
    with tempfile.TemporaryDirectory(prefix="sansheng-bench-") as name:
        bench = Bench(Path(name), build, children)
        figures = {**_many(bench, calls, seconds), **_beside(bench, calls, seconds, asterisk)}
        figures["setups_per_s"] = _fast(bench, each * children)
        if short_calls:
            figures |= _in_a_row(bench, short_calls, each * children)
        if soak_s:
            figures |= _soaked(Path(name), build, soak_s)
    typer.echo(json.dumps({**figures, "processes": children, "build": build.name}))


def _load(calls: int, seconds: int) -> tuple[Load, float]:
    """A load in which all calls talk together for so long, and how long it takes to get there."""
    ramp_s = calls / _RAMP_PER_S + _RING_MS / 1000
    return Load(calls, _RAMP_PER_S, round((seconds + ramp_s) * 1000), _RING_MS), ramp_s


def _many(bench: Bench, calls: int, seconds: int) -> dict[str, object]:
    load, ramp_s = _load(calls, seconds)
    ports = bench.ports()
    supervisor = bench.tap("many", ports, calls)
    supervisor.start()
    wire = Wire(bench.root, ports.agents)
    captured = wire.is_open
    sipp = Sipp(bench.root / "many", load, ports)
    try:
        time.sleep(ramp_s + 1)
        cores, rss = burden(supervisor.pids, max(1, seconds - 2))
        sipp.wait()
        records = _records(supervisor.spool, calls)
    finally:
        sipp.close()
        wire.close()
        supervisor.drain_and_stop()
    ratios = [
        (call.recording.duration_ms or 0) / call.duration_ms
        for call in records
        if call.recording is not None and call.duration_ms
    ]
    truth = wire.ring_times() if captured else sipp.ring_times()
    return {
        "calls": calls,
        "calls_whole": sum(ratio >= _WHOLE_SHARE for ratio in ratios),
        "shortest_ratio": round(min(ratios, default=0.0), 5),
        "cores": round(cores, 3),
        "rss_mb": round(rss, 1),
        **_ring_errors(records, truth),
        "ring_truth": "capture" if captured else "peer",
    }


def _ring_errors(records: list[Call], truth: Mapping[str, float]) -> dict[str, object]:
    errors = [
        abs(call.ring_ms - truth[call.called])
        for call in records
        if call.ring_ms is not None and call.called in truth
    ]
    return {
        "ring_errors": len(errors),
        "ring_error_ms_median": round(statistics.median(errors), 2) if errors else None,
        "ring_error_ms_max": round(max(errors), 2) if errors else None,
    }


def _beside(bench: Bench, calls: int, seconds: int, given: Path | None) -> dict[str, object]:
    """The same load through Asterisk's Dial and MixMonitor."""
    root = find_asterisk(given)
    if root is None:
        return {"asterisk_cores": None, "asterisk_rss_mb": None, "asterisk_calls": None}
    load, ramp_s = _load(calls, seconds)
    agents, citizens, port = free_ports(3)
    home = bench.root / "asterisk"
    pbx = Asterisk(root, home, port, agents, _TAP_RTP)
    try:
        sipp = Sipp(bench.root / "beside", load, Ports(agents, (citizens,), (port,), _SIPP_RTP))
        try:
            time.sleep(ramp_s + 1)
            cores, rss = burden(lambda: [pbx.process.pid], max(1, seconds - 2))
            sipp.wait()
        finally:
            sipp.close()
        return {
            "asterisk_cores": round(cores, 3),
            "asterisk_rss_mb": round(rss, 1),
            "asterisk_calls": pbx.recorded(),
        }
    finally:
        pbx.close()


def _fast(bench: Bench, room: int) -> float:
    """Calls answered a second, offered as many as the room allows and 50 at most."""
    rate = min(_SETUPS_PER_S, max(1, room))
    load = Load(rate * _SETUP_S, rate, _SHORT_TALK_MS, 0)
    ports = bench.ports()
    supervisor = bench.tap("fast", ports, load.calls)
    supervisor.start()
    try:
        _run(bench.root / "fast", load, ports)
        records = _records(supervisor.spool, load.calls)
    finally:
        supervisor.drain_and_stop()
    answers = sorted(call.answered_at for call in records if call.answered_at is not None)
    if len(answers) < 2:
        return 0.0
    return round((len(answers) - 1) / (answers[-1] - answers[0]).total_seconds(), 1)


def _in_a_row(bench: Bench, calls: int, room: int) -> dict[str, object]:
    """Short calls one after another: how much memory each thousand leaves behind."""
    rate = min(_SETUPS_PER_S, max(1, room))
    load = Load(calls, rate, _SHORT_TALK_MS, 0)
    ports = bench.ports()
    supervisor = bench.tap("row", ports, rate * 10)
    supervisor.start()
    sipp = Sipp(bench.root / "row", load, ports)
    samples: list[tuple[float, float]] = []
    started = time.monotonic()
    try:
        while any(process.poll() is None for process in sipp.citizens):
            time.sleep(1)
            samples.append((time.monotonic() - started, rss_mb(supervisor.pids())))
        sipp.wait()
        recorded = len(_records(supervisor.spool, calls))
    finally:
        sipp.close()
        supervisor.drain_and_stop()
    steady = [sample for sample in samples if sample[0] > _REMEMBERED_S] or samples
    times, sizes = zip(*steady, strict=True)
    slope = statistics.linear_regression(times, sizes).slope if len(steady) > 1 else 0.0
    return {
        "short_calls": calls,
        "short_calls_recorded": recorded,
        "short_calls_rss_mb": [round(sizes[0], 1), round(sizes[-1], 1)],
        "short_calls_mb_per_1000": round(slope * 1000 / rate, 3),
    }


def _soaked(root: Path, build: Build, seconds: int) -> dict[str, object]:
    children = 2 if build.name == "own" else 4
    bench = Bench(root, build, children)
    ports = bench.ports()
    supervisor = bench.tap("soak", ports, 100)
    supervisor.start()
    try:
        return soak(root / "soak", seconds, supervisor, ports).figures()
    finally:
        supervisor.drain_and_stop()


def _run(folder: Path, load: Load, ports: Ports) -> None:
    sipp = Sipp(folder, load, ports)
    try:
        sipp.wait()
    finally:
        sipp.close()


def _records(spool: Spool, count: int) -> list[Call]:
    deadline = time.monotonic() + _SETTLE_S
    while len(spool.waiting(Stage.RECORDED)) < count and time.monotonic() < deadline:
        time.sleep(0.2)
    return [read_record(f / CALL_FILE, Call) for f in spool.waiting(Stage.RECORDED)]


def free_ports(count: int) -> list[int]:
    """Ports of the loopback interface in one row, free for UDP and TCP."""
    for first in range(20_000, 29_000, 64):
        held: list[socket.socket] = []
        try:
            for port in range(first, first + count):
                for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                    held.append(socket.socket(socket.AF_INET, kind))
                    held[-1].bind(("127.0.0.1", port))
        except OSError:
            continue
        else:
            return list(range(first, first + count))
        finally:
            for each in held:
                each.close()
    raise OSError("no free ports")
