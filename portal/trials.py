"""Back-tests in the background: one at a time, watched, stopped, and their results kept."""

import json
import threading
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import structlog

from calls.errors import SanshengError
from portal.access import Person
from portal.clock import Clock
from portal.editions import Edition
from portal.errors import RefusalError
from portal.ports import Changed, Editor, Store, Trial

log = structlog.get_logger()

MOST_CHANGES = 1000
"""Changed calls that are kept and shown; the counts are of all."""


@dataclass
class _Running:
    edition: Edition
    by: str
    started_at: datetime
    stop: threading.Event = field(default_factory=threading.Event)
    trial: Trial = field(default_factory=lambda: Trial(total=0))
    changes: list[Changed] = field(default_factory=list)
    thread: threading.Thread | None = None


@dataclass
class Trials:
    """The back-test that runs, and the last one of every edition."""

    store: Store
    editor: Editor
    clock: Clock
    _running: _Running | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self, person: Person, edition: Edition) -> None:
        """Begin to score the stored calls under an edition; 409 while another one does."""
        if edition.fault:
            raise RefusalError(409, "edition_broken")
        with self._lock:
            if self._running is not None:
                raise RefusalError(409, "trial_busy")
            mine = _Running(edition, person.user_id, self.clock())
            mine.thread = threading.Thread(
                target=self._run, args=(mine,), name="back-test", daemon=True
            )
            self._running = mine
        self.store.audit(person.user_id, "backtest_started", str(edition.edition_id))
        mine.thread.start()

    def stop(self, person: Person, edition_id: int) -> None:
        """Stop an edition's back-test; what it has found so far is kept."""
        running = self._running
        if running is not None and running.edition.edition_id == edition_id:
            running.stop.set()
            self.store.audit(person.user_id, "backtest_stopped", str(edition_id))

    def close(self, within_s: float) -> None:
        """End with the service."""
        running = self._running
        if running is not None and running.thread is not None:
            running.stop.set()
            running.thread.join(within_s)

    def of(self, edition_id: int) -> Mapping[str, Any] | None:
        """How an edition's back-test stands, running or the last one; None when there is none."""
        running = self._running
        if running is not None and running.edition.edition_id == edition_id:
            return self._told(running, "running")
        rows = self.store.rows(
            "SELECT result FROM backtests WHERE edition_id = $id ORDER BY started_at DESC LIMIT 1",
            {"id": edition_id},
        )
        found: Mapping[str, Any] | None = json.loads(rows[0]["result"]) if rows else None
        return found

    def tried(self, edition_id: int) -> bool:
        """Whether an edition has been held against every stored call."""
        last = self.of(edition_id)
        return last is not None and last["state"] == "done"

    def _run(self, mine: _Running) -> None:
        state = "done"
        try:
            with closing(self.editor.backtest(mine.edition.kind, mine.edition.files)) as steps:
                for trial in steps:
                    mine.trial = trial
                    room = MOST_CHANGES - len(mine.changes)
                    mine.changes += trial.changes[:room]
                    if mine.stop.is_set():
                        state = "stopped"
                        break
            self._keep(mine, state)
        except SanshengError as error:
            log.error("back-test ended", error=type(error).__name__)
            self._give_up(mine)
        finally:
            self._running = None

    def _give_up(self, mine: _Running) -> None:
        try:
            self._keep(mine, "failed")
        except SanshengError as error:
            log.error("back-test not kept", error=type(error).__name__)

    def _keep(self, mine: _Running, state: str) -> None:
        values = {
            "id": mine.edition.edition_id,
            "by": mine.by,
            "started": mine.started_at,
            "ended": self.clock(),
            "state": state,
            "total": mine.trial.total,
            "result": json.dumps(self._told(mine, state), ensure_ascii=False),
        }
        self.store.write(
            lambda c: c.execute(
                "INSERT INTO backtests"
                " VALUES ($id, $by, $started, $ended, $state, $total, $result)",
                values,
            )
        )

    @staticmethod
    def _told(mine: _Running, state: str) -> dict[str, Any]:
        told = {key: value for key, value in asdict(mine.trial).items() if key != "changes"}
        return {
            **told,
            "state": state,
            "by": mine.by,
            "started_at": mine.started_at.isoformat(),
            "changes": [asdict(one) for one in mine.changes],
        }
