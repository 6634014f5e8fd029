"""The demonstration: a hotline of two citizens and two agents on loopback, and a real service.

What a site runs is what runs here: ``sansheng serve`` in a process of its own with a settings file
in the demo's folder. The citizens and the agents are SIP telephones in processes of their own that
play the calls of ``voices/demo``.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import voices
from calls.call import EndedBy
from calls.codec import read_record
from calls.errors import SanshengError
from sansheng.notify import VARIABLE
from sansheng.settings import FILE_NAME
from telephony.ports import free_ports
from voices.truth import AGENT_FILE, CALLER_FILE, TRUTH_FILE, CallTruth

CALLS = Path(voices.__file__).with_name("demo")
AGENTS: Mapping[str, str] = {"good": "1001", "bad": "1002"}
"""Demo call to the agent who takes it; the agent's number is also the one that is called."""
LOG_FILE = "service.log"
_READY_S = 120
_STOP_S = 60


class Step(StrEnum):
    """How far a demo call is."""

    DIALLING = "dialling"
    RINGING = "ringing"
    TALKING = "talking"
    ANALYSING = "analysing"
    DONE = "done"


@dataclass
class DemoCall:
    """One call of the demo, followed from dialling to its scorecard."""

    name: str
    truth: CallTruth
    folder: Path
    """Where both sides' voices lie."""
    step: Step = Step.DIALLING
    times: dict[Step, float] = field(default_factory=dict)
    """When each step was reached, monotonic seconds."""

    @property
    def agent(self) -> str:
        """The agent's number."""
        return AGENTS[self.name]

    def reach(self, step: Step) -> None:
        """Note a step; a call never goes back."""
        if list(Step).index(step) > list(Step).index(self.step):
            self.step = step
            self.times[step] = time.monotonic()

    @property
    def analysis_s(self) -> float:
        """From the citizen's telephone hanging up to the scorecard in the warehouse."""
        return self.times[Step.DONE] - self.times[Step.ANALYSING]


def demo_calls() -> list[DemoCall]:
    """The two calls that come with Sansheng."""
    return [
        DemoCall(name, read_record(CALLS / name / TRUTH_FILE, CallTruth), CALLS / name)
        for name in AGENTS
    ]


@dataclass(frozen=True, slots=True)
class Ports:
    """The demo's ports on loopback, all free when they were looked for."""

    tap: int
    tap_rtp: int
    portal: int
    telephones: Mapping[str, Sequence[int]]
    """Demo call to SIP and RTP of its agent, SIP and RTP of its citizen."""


def find_ports() -> Ports:
    """Look for free ports, so that the demo disturbs nobody."""
    tap, rtp, portal, *rest = free_ports(3 + 4 * len(AGENTS))
    telephones = {name: rest[4 * n : 4 * n + 4] for n, name in enumerate(AGENTS)}
    return Ports(tap, rtp, portal, telephones)


@dataclass(frozen=True, slots=True)
class Site:
    """A running demo site."""

    config: Path
    """Its settings file."""
    process: subprocess.Popen[bytes]
    """``sansheng serve``."""
    log: Path

    def check(self) -> None:
        """Errors: SanshengError with the service's own last line when it has stopped."""
        if self.process.poll() is not None:
            raise _stopped(self.log)


@contextlib.contextmanager
def running_site(folder: Path, ports: Ports, extra: str = "") -> Iterator[Site]:
    """Run ``sansheng serve`` in ``folder`` with a settings file there; stops it at the end.

    ``extra`` is added to the settings (TOML tables).
    Errors: SanshengError with the service's own last line when it does not come up.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / FILE_NAME
    config.write_text(_settings(folder, ports) + extra, "utf-8")
    log = folder / LOG_FILE
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready, log.open("wb") as output:
        address = f"\0sansheng-demo-{os.getpid()}"
        ready.bind(address)
        ready.settimeout(0.2)
        service = subprocess.Popen(
            [sys.executable, "-m", "sansheng", "serve", "--config", str(config)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=os.environ | {VARIABLE: f"@{address[1:]}"},
        )
        try:
            site = Site(config, service, log)
            _await_ready(site, ready)
            yield site
        finally:
            service.terminate()
            try:
                service.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                service.kill()
                service.wait()


def _await_ready(site: Site, ready: socket.socket) -> None:
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline:
        with contextlib.suppress(TimeoutError):
            if ready.recv(100) == b"READY=1":
                return
        site.check()
    raise _stopped(site.log)


def _stopped(log: Path) -> SanshengError:
    lines = log.read_text("utf-8", errors="replace").splitlines()
    return SanshengError(
        f"the demo's service does not run ({lines[-1] if lines else 'it said nothing'})",
        remedy=f"`sansheng doctor` looks for the cause; the whole log is {log}",
    )


class Telephones:
    """The citizen's and the agent's telephones of one call, told step by step."""

    def __init__(self, call: DemoCall, folder: Path, ports: Ports) -> None:
        self._call = call
        agent_sip, agent_rtp, citizen_sip, citizen_rtp = ports.telephones[call.name]
        self._processes: list[subprocess.Popen[bytes]] = []
        agent_hangs_up = call.truth.ended_by is EndedBy.AGENT
        self._start(
            folder / f"{call.name}-agent.json",
            {
                "port": agent_sip,
                "rtp_port": agent_rtp,
                "user": call.agent,
                "ring_ms": call.truth.ring_ms,
                "play": str(call.folder / AGENT_FILE),
                "hang_up_after_playing": agent_hangs_up,
            },
            {"ringing": Step.RINGING},
        )
        self._start(
            folder / f"{call.name}-citizen.json",
            {
                "port": citizen_sip,
                "rtp_port": citizen_rtp,
                "user": f"1390000{call.agent}",
                "call": f"sip:{call.agent}@127.0.0.1:{ports.tap}",
                "play": str(call.folder / CALLER_FILE),
                "hang_up_after_playing": not agent_hangs_up,
            },
            {"answered": Step.TALKING, "ended": Step.ANALYSING},
        )

    def check(self) -> None:
        """Errors: SanshengError when a telephone failed."""
        for process in self._processes:
            if process.poll() not in (None, 0):
                raise SanshengError(
                    f"a telephone of the demo stopped with exit code {process.returncode}",
                    remedy="`sansheng doctor` looks at the SIP library and the ports",
                )

    def close(self) -> None:
        """End those that still run."""
        for process in self._processes:
            process.kill()
            process.wait()

    def _start(self, script: Path, what: dict[str, Any], steps: Mapping[str, Step]) -> None:
        script.write_text(json.dumps(what), "utf-8")
        process = subprocess.Popen(
            [sys.executable, "-m", "telephony.phone", str(script)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        self._processes.append(process)
        ready = threading.Event()
        threading.Thread(target=self._listen, args=(process, steps, ready), daemon=True).start()
        ready.wait(_READY_S)

    def _listen(
        self,
        process: subprocess.Popen[bytes],
        steps: Mapping[str, Step],
        ready: threading.Event,
    ) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                told = json.loads(line)
                if told["event"] in steps:
                    self._call.reach(steps[told["event"]])
                ready.set()
        ready.set()


def _settings(folder: Path, ports: Ports) -> str:
    """The demo site's sansheng.toml."""
    destinations = "".join(
        f"\n[telephony.destinations.{agent}]\n"
        f'uri = "sip:{agent}@127.0.0.1:{ports.telephones[name][0]}"\nagent = "{agent}"\n'
        for name, agent in AGENTS.items()
    )
    return (
        "# Written by `sansheng demo`; `sansheng settings example` shows every key.\n"
        f"data_dir = {json.dumps(str(folder.resolve()), ensure_ascii=False)}\n"
        f"\n[telephony]\nport = {ports.tap}\nrtp_port = {ports.tap_rtp}\ndrain_s = 5\n"
        f"\n[portal]\nport = {ports.portal}\n{destinations}"
    )
