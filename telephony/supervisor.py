"""The supervisor of the tap's processes: start, watch, restart with back-off, finish their calls.

It never loads the SIP library itself, so that no fault of the C code reaches the service.
"""

import contextlib
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import IO, Any, cast

import msgspec
import structlog

from calls import wav
from calls.errors import TapError
from calls.handover import Spool
from telephony.back_off import BackOff
from telephony.feed.feed import Feed
from telephony.feed.health import FeedHealth
from telephony.finish import finish_live
from telephony.health import ChildHealth, HealthServer, RegistrationHealth, is_deaf, look
from telephony.live import LiveCall
from telephony.settings import TapSettings

log = structlog.get_logger()

_READY_S = 20
_LOOK_S = 0.1
_GRACE_S = 10
"""What a process may take beyond the drain before it is killed."""


@dataclass
class _Child:
    index: int
    process: subprocess.Popen[bytes] | None = None
    ready: threading.Event = field(default_factory=threading.Event)
    failure: str = ""
    remedy: str = ""
    said: dict[str, Any] = field(default_factory=dict)
    back_off: BackOff = field(default_factory=BackOff)
    started: float = 0.0
    due: float = 0.0


class TapSupervisor:
    """Runs ``settings.children`` tap processes and hands over what they recorded."""

    def __init__(self, settings: TapSettings, spool: Spool) -> None:
        self.settings = settings
        self.spool = spool
        self._children = [_Child(index) for index in range(settings.children)]
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._server: HealthServer | None = None
        self.feed = Feed(settings.feed) if settings.feed.enabled else None
        """The PBX's own events, where a source of them is set."""

    def start(self) -> None:
        """Finish what a kill left, start the processes, and wait until each listens.

        Errors: TapError when a process cannot start (its port is taken, no SIP library), or
        the health port is taken, or a source of the feed cannot be opened.
        """
        try:
            self._start()
        except TapError:
            self.kill()
            if self.feed is not None:
                self.feed.stop()
            raise

    def _start(self) -> None:
        if self.feed is not None:
            self.feed.start()
        if self.settings.health_port:
            self._server = HealthServer(
                self.settings.health_port,
                lambda: look(self.health(), self.spool, self.feed_health()),
            )
        self.finish()
        for child in self._children:
            self._launch(child)
        for child in self._children:
            if not child.ready.wait(_READY_S) or child.failure:
                raise TapError(child.failure or "a tap process does not start", remedy=child.remedy)
        self._thread = threading.Thread(target=self._watch, name="tap", daemon=True)
        self._thread.start()

    def drain_and_stop(self) -> None:
        """Take no new calls, wait for those under way up to ``drain_s``, then stop."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        for child in self._children:
            if child.process is not None:
                child.process.terminate()
        deadline = time.monotonic() + self.settings.drain_s + _GRACE_S
        for child in self._children:
            if child.process is not None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.process.wait(max(0.0, deadline - time.monotonic()))
        self.kill()
        self.finish()
        if self.feed is not None:
            deadline = time.monotonic() + self.settings.feed.wait_s + _GRACE_S
            while self.feed.waiting and time.monotonic() < deadline:
                time.sleep(_LOOK_S)
                self.finish()
            self.feed.stop()

    def kill(self) -> None:
        """Kill every process at once; the calls under way are closed by ``finish``."""
        for child in self._children:
            if child.process is not None:
                child.process.kill()
                child.process.wait()
                child.process = None
        if self._server is not None:
            self._server.close()
            self._server = None

    def finish(self) -> list[str]:
        """Finish and hand over every call that no process holds; returns their ids."""
        coding = cast(wav.Coding, self.settings.recording_coding)
        return finish_live(self.spool, coding, self.feed)

    def health(self) -> list[ChildHealth]:
        """What each process last said."""
        return [
            ChildHealth(
                port=self.settings.port + child.index,
                running=child.process is not None and child.process.poll() is None,
                ready=child.ready.is_set() and not child.failure,
                restarts=child.back_off.deaths,
                registrations=msgspec.convert(
                    child.said.get("registrations", ()), tuple[RegistrationHealth, ...]
                ),
                mute=sum(call.mute for call in _live(child)),
                deaf=not child.said.get("calls")
                and is_deaf(
                    child.said.get("last_call"),
                    time.monotonic() - child.started,
                    datetime.now(UTC),
                    self.settings.deaf_s,
                ),
                **{
                    key: child.said[key]
                    for key in ("calls", "draining", "refused", "last_sip", "last_call")
                    if key in child.said
                },
            )
            for child in self._children
        ]

    def feed_health(self) -> FeedHealth | None:
        """How the signalling feed does; None where none is set."""
        return self.feed.health() if self.feed is not None else None

    def live(self) -> list[LiveCall]:
        """The calls under way, as the processes last said (once a second)."""
        return [call for child in self._children for call in _live(child)]

    def pids(self) -> list[int]:
        """The process ids, of those that run."""
        return [child.process.pid for child in self._children if child.process is not None]

    def _watch(self) -> None:
        while not self._stop.wait(_LOOK_S):
            now = time.monotonic()
            for child in self._children:
                if child.process is not None and child.process.poll() is not None:
                    self._bury(child, now)
                if child.process is None and now >= child.due:
                    self._launch(child)
            self.finish()

    def _bury(self, child: _Child, now: float) -> None:
        assert child.process is not None
        wait_s = child.back_off.died(now - child.started)
        log.error(
            "tap process died",
            index=child.index,
            code=child.process.returncode,
            restart_in_s=wait_s,
        )
        child.process, child.due, child.said = None, now + wait_s, {}

    def _launch(self, child: _Child) -> None:
        child.ready.clear()
        child.started = time.monotonic()
        child.process = subprocess.Popen(
            [sys.executable, "-m", "telephony.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        stdin, stdout = child.process.stdin, child.process.stdout
        assert stdin is not None
        assert stdout is not None
        orders = {
            "settings": self.settings.model_dump(mode="json"),
            "spool": str(self.spool.root),
            "index": child.index,
        }
        with contextlib.suppress(BrokenPipeError), stdin:
            stdin.write(msgspec.json.encode(orders) + b"\n")
        threading.Thread(target=self._listen, args=(child, stdout), daemon=True).start()

    def _listen(self, child: _Child, stdout: IO[bytes]) -> None:
        with stdout:
            for line in stdout:
                try:
                    said = msgspec.json.decode(line)
                except msgspec.DecodeError:
                    continue
                child.failure = said.get("failed", "")
                child.remedy = said.get("remedy", "")
                if child.failure or "ready" in said:
                    child.ready.set()
                else:
                    child.said = said
        child.ready.set()


def _live(child: _Child) -> tuple[LiveCall, ...]:
    return msgspec.convert(child.said.get("live", ()), tuple[LiveCall, ...])
