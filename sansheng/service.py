"""The service: tap, workers, warehouse and portal under one supervisor, with a clean stop.

This process owns the warehouse file and nothing that can crash it: the tap and the workers are
child processes, restarted with back-off. What a kill interrupts is finished at the next start.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import structlog

from calls.errors import WarehouseError
from calls.handover import Spool, Stage
from phrasebook import book as phrasebook_file
from portal.accounts import first_run
from portal.app import create_app
from portal.live_findings import LiveFindings
from portal.ports import Board, LiveCall, LiveFinding, TapHealth
from portal.server import PortalServer
from sansheng.editions import Editions, prices
from sansheng.listener import Warnings
from sansheng.notify import notify
from sansheng.settings import Settings
from scoring import calibration, rules
from telephony.supervisor import TapSupervisor
from warehouse.server import QueryServer
from warehouse.store import Warehouse

log = structlog.get_logger()

_LOOK_S = 0.2
_TOGETHER = 2_000
"""Calls that the warehouse is given at a time: it takes them in several transactions."""
_RETRY_S = 5
"""Wait before a warehouse that could not write is tried again."""
_DAY_S = 86_400
_COUNT_S = 60
"""Between two looks for days to count: a call reviewed meanwhile is read by itself."""
_BACK_OFF_S = (0.5, 1, 2, 5, 10, 30)
"""Waits before a worker that died is started again; the last one repeats."""
_STEADY_S = 60
"""A worker that lived this long starts its back-off anew."""
_WORKER_GRACE_S = 120
"""How long a worker may take to finish its call when the service stops."""


@dataclass
class Worker:
    """One transcribing child process and its restarts."""

    command: list[str]
    process: subprocess.Popen[bytes] | None = None
    restarts: int = 0
    started: float = 0.0
    due: float = 0.0

    def tend(self, now: float) -> None:
        """Start the process if it is due; note its death and when to start it again."""
        if self.process is not None and self.process.poll() is not None:
            if now - self.started > _STEADY_S:
                self.restarts = 0
            wait = _BACK_OFF_S[min(self.restarts, len(_BACK_OFF_S) - 1)]
            log.error("worker died", code=self.process.returncode, restart_in_s=wait)
            self.process, self.due = None, now + wait
            self.restarts += 1
        if self.process is None and now >= self.due:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL)
            self.started = now

    def stop(self) -> None:
        """Ask the process to finish its call and end; kill it after the grace."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(_WORKER_GRACE_S)
        except subprocess.TimeoutExpired:
            log.error("worker killed after the grace", grace_s=_WORKER_GRACE_S)
            self.process.kill()
            self.process.wait()


class Service:
    """Everything that ``sansheng serve`` runs."""

    def __init__(self, settings: Settings, config: Path | None, *, with_tap: bool = True) -> None:
        """``config`` is the file that the settings came from: the workers read it themselves.

        Errors: WarehouseError when another process owns the warehouse, or a newer version made it.
        """
        self.settings = settings
        self.spool = Spool(settings.spool_dir)
        self.warehouse = Warehouse.open(settings.database, settings.warehouse)
        self.queries = QueryServer(self.warehouse, settings.socket)
        self.tap = TapSupervisor(settings.telephony, self.spool) if with_tap else None
        self.portal: PortalServer | None = None
        command = [sys.executable, "-m", "sansheng.worker"]
        if config is not None:
            command.append(str(config.resolve()))
        self.workers = [Worker(command) for _ in range(settings.workers)]
        self._stop = threading.Event()
        self.warnings = Warnings(self.spool)
        self.live_findings = LiveFindings()
        self._tidy_at = 0.0
        self._count_at = 0.0

    def stop(self) -> None:
        """Ask ``run`` to end; safe to call from a signal handler and more than once."""
        self._stop.set()

    def run(self) -> None:
        """Run until ``stop``: recover, serve, then drain in the order of a call's way."""
        try:
            self._start()
            while not self._stop.is_set():
                now = time.monotonic()
                for worker in self.workers:
                    worker.tend(now)
                self._tidy(now)
                self._count(now)
                self._tell_warnings()
                if not self.ingest():
                    self._stop.wait(_LOOK_S)
        finally:
            notify("STOPPING=1")
            self._shut_down()

    def ingest(self) -> int:
        """Take every analysed call into the warehouse, many at once; returns how many.

        A broken folder is set aside; a warehouse that cannot write leaves the calls where they
        are, for the next round. Folders need no lock here: whoever owns the warehouse's file is
        the only one that takes from this stage.
        """
        done = 0
        waiting = self.spool.waiting(Stage.ANALYSED)
        for at in range(0, len(waiting), _TOGETHER):
            folders = waiting[at : at + _TOGETHER]
            try:
                outcomes = self.warehouse.ingest_many(folders, self.settings.archive_dir)
            except WarehouseError as error:
                log.error("not ingested, will try again", calls=len(folders), error=str(error))
                self._stop.wait(_RETRY_S)
                break
            for outcome in outcomes:
                if outcome.error is None:
                    done += 1
                    log.info("ingested", call_id=outcome.folder.name)
                else:
                    log.error("set aside", call_id=outcome.folder.name, error=outcome.error.message)
                    self.spool.fail(outcome.folder, outcome.error)
        return done

    def _tell_warnings(self) -> None:
        """Pass on what the workers heard in calls under way."""
        for call_id, agent, warned in self.warnings.fresh():
            self.live_findings.tell(
                LiveFinding(
                    call_id=call_id,
                    agent=agent,
                    family=warned.family,
                    severity=warned.severity,
                    status=warned.status,
                    at_ms=warned.at_ms,
                    heard_at=warned.heard_at,
                )
            )

    def board(self) -> Board:
        """What is going on right now, for the portal's live page."""
        if self.tap is None:
            return Board()
        return Board(
            calls=[
                LiveCall(call_id=c.call_id, agent=c.agent, state=c.state, since=c.since)
                for c in self.tap.live()
            ],
            taps=list(_taps(self.tap)),
        )

    def _tidy(self, now: float) -> None:
        """Once a day, and at the start, take away what is past its period of retention."""
        if now < self._tidy_at:
            return
        self._tidy_at = now + _DAY_S
        try:
            gone = self.warehouse.retain(self.settings.warehouse)
        except WarehouseError as error:
            log.error("retention did not run", error=str(error))
            return
        log.info("retention", **asdict(gone))

    def _count(self, now: float) -> None:
        """Count past days for the reports, a week at a turn, so that calls need not wait."""
        if now < self._count_at:
            return
        self._count_at = now + _COUNT_S
        try:
            if self.warehouse.count_days():
                self._count_at = now
        except WarehouseError as error:
            log.error("days not counted, will try again", error=str(error))

    def _start(self) -> None:
        swept = self.spool.sweep()
        log.info("service starts", pid=os.getpid(), swept=swept)
        self.queries.start()
        if self.tap is not None:
            self.tap.start()
        if self.settings.portal.enabled:
            self._open_portal()
        notify("READY=1")

    def _open_portal(self) -> None:
        settings = self.settings.portal
        app = create_app(
            self.warehouse,
            settings,
            board=self.board,
            live_findings=self.live_findings,
            prices=prices(rules.load(self.settings.scoring.path)),
            calibration=calibration,
            book=phrasebook_file.load(self.settings.phrasebook.path),
            editor=Editions(self.settings),
        )
        portal = PortalServer(app, settings)
        portal.start()
        self.portal = portal
        login = first_run(self.warehouse, settings)
        if login is not None:
            _write_private(self.settings.first_login, f"{login.user_id}\n{login.password}\n")
            log.info("first administrator made", login_in=str(self.settings.first_login))

    def _shut_down(self) -> None:
        if self.tap is not None:
            self.tap.drain_and_stop()
        for worker in self.workers:
            worker.stop()
        self.ingest()
        if self.portal is not None:
            self.portal.stop()
        self.queries.stop()
        self.warehouse.close()
        log.info("service stopped")


def _taps(tap: TapSupervisor) -> Iterator[TapHealth]:
    """All that must hear the PBX: each process, each registration, the feed of its events."""
    for child in tap.health():
        yield TapHealth(
            name=f"SIP {child.port}", hears=child.hears, detail="no call" if child.deaf else ""
        )
        for each in child.registrations:
            yield TapHealth(name=each.name, hears=each.well, detail=f"{each.state} {each.code}")
    feed = tap.feed_health()
    if feed is not None:
        yield TapHealth(name="PBX 信令", hears=not feed.deaf, detail=f"{feed.events} events")


def _write_private(path: Path, text: str) -> None:
    """Write a file that only this user can read."""
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
