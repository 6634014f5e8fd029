"""Probe calls (明察暗访): the hotline called as a citizen calls it, the call filed as any other.

Each call is a process of its own, so that no fault of the SIP library reaches the caller of this
module. What it leaves in the spool is finished here, or by a service that runs on the same spool.
"""

import contextlib
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from calls import wav
from calls.call import Call
from calls.errors import TapError
from calls.handover import Spool, Stage
from calls.resample import resample
from telephony.finish import finish
from telephony.probe.limits import Ledger, number_of
from telephony.probe.settings import ProbeSettings

LEDGER_FILE = "probe-calls"
_RATE = 8000
_HANG_UP_S = 10
_LONGEST_S = 120
"""The longest question or goodbye."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sayings:
    """What a probe says, as WAVs that the line can carry; empty: nothing."""

    question: str = ""
    goodbye: str = ""


def line_audio(source: Path, target: Path) -> Path:
    """Bring a recording of any rate to 8 kHz mono PCM.

    Errors: RecordingError when it cannot be read, TapError when it is too long to be said.
    """
    info = wav.inspect(source)
    if info.duration_ms > _LONGEST_S * 1000:
        raise TapError(
            f"{source} is {info.duration_ms // 1000} s long", remedy=f"at most {_LONGEST_S} s"
        )
    mono = np.mean([wav.read(source, channel) for channel in range(info.channels)], axis=0)
    wav.write(target, resample(mono.astype(np.float32), info.sample_rate, _RATE), _RATE)
    return target


class Probe:
    """Places calls, one at a time."""

    def __init__(self, settings: ProbeSettings, spool: Spool, coding: wav.Coding) -> None:
        self._settings = settings
        self._spool = spool
        self._coding = coding
        self._process: subprocess.Popen[bytes] | None = None
        self._is_over = False
        self._ledger = Ledger(spool.root / LEDGER_FILE, settings)

    def call(
        self,
        target: str,
        sayings: Sayings,
        tell: Callable[[str], None],
        *,
        agent: str = "",
    ) -> Call:
        """Place a call and file it; its record comes back, without its recording.

        ``tell`` hears of each turn.
        Errors: TapError when it may not be placed, or no SIP is to be had.
        """
        called = number_of(target, self._settings)
        now = datetime.now(UTC)
        call_id = f"probe-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"
        orders = {
            "settings": self._settings.model_dump(mode="json"),
            "spool": str(self._spool.root),
            "call_id": call_id,
            "target": target,
            "called": called,
            "agent": agent,
            "question": sayings.question,
            "goodbye": sayings.goodbye,
            "password": self._settings.password(),
        }
        call: Call | None = None
        with self._ledger.admit(time.time()):
            try:
                for said in self._run(orders):
                    if "failed" in said:
                        raise TapError(said["failed"], remedy=said["remedy"])
                    if "call" in said:
                        call = msgspec.convert(said["call"], Call)
                    else:
                        tell(said["event"])
            finally:
                self._file(call_id)
        if call is None:
            raise TapError(
                "the probe's process died; what it had recorded is filed",
                remedy="`sansheng doctor` looks at the SIP library",
            )
        return call

    def hang_up(self) -> None:
        """End the call under way, or the next at once; safe to call from a signal handler."""
        self._is_over = True
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    def _file(self, call_id: str) -> None:
        """Finish the call, unless a service on the same spool is at it already."""
        folder = self._spool.folder(Stage.LIVE, call_id)
        with self._spool.claim(folder) as mine:
            if mine:
                finish(folder, self._coding)
                self._spool.hand_on(folder, Stage.RECORDED)

    def _run(self, orders: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """What the call's process says, to its end."""
        process = subprocess.Popen(
            [sys.executable, "-m", "telephony.probe.call"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(msgspec.json.encode(orders) + b"\n")
                process.stdin.flush()
            self._process = process
            if self._is_over:
                self.hang_up()
            with process.stdout as lines:
                for line in lines:
                    yield msgspec.json.decode(line)
        finally:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
            try:
                process.wait(_HANG_UP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            self._process = None
