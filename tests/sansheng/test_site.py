"""A running site, and what kills it: a finished call is never lost and never counted twice."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from calls import wav
from calls.call import Channel, EndReason
from calls.errors import SanshengError
from calls.handover import Spool, Stage
from sansheng.demo import DemoCall, Site, Telephones, demo_calls, find_ports, running_site
from sansheng.exits import Exit
from sansheng.settings import load
from telephony.sides import side_file
from tests.telephony.conftest import until
from warehouse.calls import load_call
from warehouse.duck import Database
from warehouse.query import run

pytestmark = [pytest.mark.sip, pytest.mark.model]

LATE_S = 120
"""An analysis on a busy machine."""
SAID_MS = 2000
"""What both sides have said before something dies."""
BYTES_A_MS = 16
"""Of a side while it is recorded."""


def short_call() -> DemoCall:
    """The demo's bad call, answered at once."""
    [call] = [call for call in demo_calls() if call.name == "bad"]
    return replace(call, truth=replace(call.truth, ring_ms=300))


def children(site: Site, module: str) -> list[psutil.Process]:
    """The service's child processes that run a module."""
    found = []
    for child in psutil.Process(site.process.pid).children():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            if module in child.cmdline():
                found.append(child)
    return found


def on_the_disk_ms(spool: Spool) -> int:
    """How much of both sides of the call under way would outlive a kill."""
    sides = [folder / side_file(c) for folder in spool.waiting(Stage.LIVE) for c in Channel]
    sizes = [side.stat().st_size if side.exists() else 0 for side in sides]
    return min(sizes, default=0) // BYTES_A_MS


def calls_of(site: Site) -> list[str]:
    """Call ids in the warehouse, through the service that runs, in order of time."""
    settings = load(site.config)
    found = run(
        "SELECT call_id FROM v_calls ORDER BY invited_at",
        path=settings.database,
        socket=settings.socket,
    )
    return [str(call_id) for (call_id,) in found.rows]


def serve(config: Path) -> "subprocess.CompletedProcess[str]":
    """Another ``sansheng serve`` with the same settings file."""
    return subprocess.run(
        [sys.executable, "-m", "sansheng", "serve", "-c", str(config)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def last_line(done: "subprocess.CompletedProcess[str]") -> str:
    """What a refused service says at last."""
    assert done.returncode == Exit.BAD_INPUT
    assert "Traceback" not in done.stderr
    line = done.stderr.splitlines()[-1]
    assert line.startswith("sansheng: ")
    return line


def test_kills_lose_no_finished_call_and_count_none_twice(tmp_path: Path) -> None:
    ports = find_ports()
    spool = Spool(tmp_path / "spool")
    with running_site(tmp_path, ports) as site:
        # The tap dies while somebody talks: what was recorded until then is kept.
        call = short_call()
        with contextlib.closing(Telephones(call, tmp_path, ports)):
            until(lambda: on_the_disk_ms(spool) >= SAID_MS)
            [tap] = children(site, "telephony.child")
            os.kill(tap.pid, signal.SIGKILL)
        until(lambda: len(calls_of(site)) == 1, LATE_S)
        until(lambda: [p for p in children(site, "telephony.child") if p.pid != tap.pid])
        # The worker dies while it works; another one does the call again.
        call = short_call()
        with contextlib.closing(Telephones(call, tmp_path, ports)):
            until(lambda: spool.waiting(Stage.RECORDED), LATE_S)
        for worker in children(site, "sansheng.worker"):
            os.kill(worker.pid, signal.SIGKILL)
        until(lambda: len(calls_of(site)) == 2, LATE_S)
        # The service dies while somebody talks; its children see that it is gone and end.
        call = short_call()
        with contextlib.closing(Telephones(call, tmp_path, ports)):
            until(lambda: on_the_disk_ms(spool) >= SAID_MS)
            orphans = psutil.Process(site.process.pid).children()
            site.process.kill()
            site.process.wait()
            gone, alive = psutil.wait_procs(orphans, timeout=30)
            assert (len(gone), alive) == (2, [])
    with running_site(tmp_path, ports) as site:
        until(lambda: len(calls_of(site)) == 3, LATE_S)
        settings = load(site.config)
        cut, whole, under_way = (
            load_call(call_id, path=settings.database, socket=settings.socket)
            for call_id in calls_of(site)
        )
        assert [s.call.end_reason for s in (cut, whole, under_way)] == [
            EndReason.LOST,
            EndReason.BYE,
            EndReason.LOST,
        ]
        length = call.truth.duration_ms
        for stored, shortest, longest in (
            (cut, SAID_MS - 50, length // 2),
            (whole, length - 500, length * 3 // 2),
        ):
            assert stored.recording is not None
            assert shortest <= wav.inspect(stored.recording).duration_ms <= longest
        assert under_way.recording is not None
    assert all(not spool.waiting(stage) for stage in Stage)


def test_a_site_runs_alone_says_so_and_stops_cleanly(tmp_path: Path) -> None:
    ports = find_ports()
    with running_site(tmp_path, ports) as site:
        with urllib.request.urlopen(f"http://127.0.0.1:{ports.portal}/") as page:
            assert page.status == 200
        login = load(site.config).first_login
        assert login.stat().st_mode & 0o777 == 0o600
        line = last_line(serve(site.config))
        assert str(site.process.pid) in line
        assert calls_of(site) == []
        site.process.terminate()
        assert site.process.wait(60) == 0
    assert login.read_text().split()[1] not in (tmp_path / "service.log").read_text()


def test_a_service_that_dies_is_noticed_at_once(tmp_path: Path) -> None:
    with running_site(tmp_path, find_ports()) as site:
        site.check()
        site.process.kill()
        site.process.wait()
        with pytest.raises(SanshengError, match=r"does not run.*service\.log"):
            site.check()


@pytest.mark.parametrize(
    ("kind", "which"), [(socket.SOCK_DGRAM, "tap"), (socket.SOCK_STREAM, "portal")]
)
def test_a_port_that_is_taken_is_named(tmp_path: Path, kind: socket.SocketKind, which: str) -> None:
    ports = find_ports()
    port = getattr(ports, which)
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", port))
        if kind is socket.SOCK_STREAM:
            taken.listen()
        with pytest.raises(SanshengError, match=f"127.0.0.1:{port}"), running_site(tmp_path, ports):
            pass


def test_a_warehouse_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    ports = find_ports()
    with running_site(tmp_path, ports) as site:
        pass
    settings = load(site.config)
    database = Database(settings.database)
    with database.transaction() as cursor:
        cursor.execute("INSERT INTO schema_version VALUES (9999, '2030-01-01')")
    database.close()
    before = settings.database.read_bytes()
    assert "upgrade Sansheng" in last_line(serve(site.config))
    assert settings.database.read_bytes() == before
