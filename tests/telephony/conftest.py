"""Real peers on loopback: scripted phones in processes of their own, and free ports."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calls import wav
from calls.call import Call
from calls.codec import read_record
from calls.handover import CALL_FILE, Spool, Stage
from telephony.ports import free_ports as free_ports
from telephony.security_settings import TlsSettings
from telephony.settings import Destination, TapSettings
from telephony.supervisor import TapSupervisor

RATE = 8000


@dataclass
class Phone:
    """A phone process and what it told."""

    process: subprocess.Popen[bytes]
    events: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            self.events.extend(json.loads(line) for line in lines)

    def at(self, event: str) -> datetime:
        """When an event first happened, on this phone's clock."""
        return datetime.fromisoformat(next(e["at"] for e in self.events if e["event"] == event))

    def told(self, event: str) -> bool:
        """Whether it happened."""
        return any(e["event"] == event for e in list(self.events))

    def wait(self, timeout_s: float = 60) -> None:
        """Wait for the end of the process and of what it told."""
        assert self.process.wait(timeout_s) == 0
        self._thread.join(timeout_s)


def until(condition: Callable[[], Any], timeout_s: float = 30) -> Any:
    """Wait for another process to have done something; what it is comes back."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline, "the peer did not get there"
        time.sleep(0.02)
    return value


@pytest.fixture
def phones(tmp_path: Path) -> Iterator[Callable[..., Phone]]:
    """Starts scripted phones; those that still run at the end are killed."""
    started: list[Phone] = []

    def start(**script: Any) -> Phone:
        port, rtp = free_ports(2)
        script = {"port": port, "rtp_port": rtp, "give_up_ms": 60_000} | script
        path = tmp_path / f"phone{len(started)}.json"
        path.write_text(json.dumps(script))
        process = subprocess.Popen(
            [sys.executable, "-m", "telephony.phone", str(path)],
            stdout=subprocess.PIPE,
        )
        phone = Phone(process)
        started.append(phone)
        until(lambda: phone.told("ready"))
        return phone

    yield start
    for phone in started:
        if phone.process.poll() is None:
            os.kill(phone.process.pid, signal.SIGKILL)
        phone.process.wait()


class Lateness:
    """How late this machine wakes a thread: what a test on clocks must allow on top.

    On an idle machine it is about a millisecond; a busy one delays the peers' media clocks as much.
    """

    def __init__(self) -> None:
        self._worst = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def worst_ms(self) -> float:
        """The worst so far."""
        return self._worst * 1000

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.is_set():
            before = time.monotonic()
            time.sleep(0.005)
            self._worst = max(self._worst, time.monotonic() - before - 0.005)


@pytest.fixture
def lateness() -> Iterator[Lateness]:
    """Watches this machine while the test runs."""
    watch = Lateness()
    yield watch
    watch.stop()


@dataclass
class Tap:
    """A running tap with one agent destination."""

    supervisor: TapSupervisor
    settings: TapSettings
    spool: Spool
    agent_port: int

    @property
    def uri(self) -> str:
        return f"sip:88908890@127.0.0.1:{self.settings.port}"

    def recorded(self, count: int = 1) -> list[tuple[Call, Path]]:
        """The calls handed over, once there are so many."""
        folders = until(lambda: len(f := self.spool.waiting(Stage.RECORDED)) >= count and f, 30)
        return [(read_record(folder / CALL_FILE, Call), folder) for folder in folders]


@pytest.fixture
def tap_of(tmp_path: Path) -> Iterator[Callable[..., Tap]]:
    """Starts a tap; settings may be changed by keyword."""
    started: list[TapSupervisor] = []

    def start(**changes: Any) -> Tap:
        port, agent, rtp = free_ports(3)
        values: dict[str, Any] = {
            "port": port,
            "rtp_port": min(rtp, 60_000),
            "drain_s": 5,
            "default_destination": Destination(uri=f"sip:{{called}}@127.0.0.1:{agent}"),
            "destinations": {
                "88908890": Destination(uri=f"sip:1001@127.0.0.1:{agent}", agent="1001")
            },
        }
        settings = TapSettings(**(values | changes))
        spool = Spool(tmp_path / "spool")
        supervisor = TapSupervisor(settings, spool)
        supervisor.start()
        started.append(supervisor)
        return Tap(supervisor, settings, spool, agent)

    yield start
    for supervisor in started:
        supervisor.drain_and_stop()


def telephones(*numbers: str) -> tuple[dict[str, int], dict[str, Destination]]:
    """A free port for each number's telephone, and the tap's destinations that ring them there."""
    ports = dict(zip(numbers, free_ports(len(numbers)), strict=True))
    return ports, {
        number: Destination(uri=f"sip:{number}@127.0.0.1:{port}", agent=number)
        for number, port in ports.items()
    }


@pytest.fixture
def speech(tmp_path: Path) -> Callable[[int, float], Path]:
    """Writes a WAV of noise bursts that no other seed repeats: correlates sharply with itself.

    What is asked for again is not written again: a telephone may be opening the file just then.
    """

    def make(seed: int, seconds: float) -> Path:
        path = tmp_path / f"speech{seed}_{seconds}.wav"
        if path.exists():
            return path
        random = np.random.default_rng(seed)
        noise = random.normal(0, 0.2, int(seconds * RATE)).astype(np.float32)
        gate = np.repeat(random.integers(0, 2, int(seconds * 5) + 1), RATE // 5)[: len(noise)]
        wav.write(path, np.clip(noise * gate, -0.9, 0.9), RATE)
        return path

    return make


def lag_ms(recorded: wav.Samples, played: wav.Samples) -> float:
    """By how much the recording is later than what was played, by cross-correlation."""
    size = 1 << (len(recorded) + len(played) - 1).bit_length()
    product = np.fft.rfft(recorded, size) * np.conj(np.fft.rfft(played, size))
    peak = int(np.argmax(np.fft.irfft(product, size)))
    return (peak if peak < size // 2 else peak - size) * 1000 / RATE


@dataclass(frozen=True)
class Papers:
    """A certificate with its key and its authority, as PEM files."""

    certificate: str
    key: str
    ca: str

    def required(self, port: int) -> TlsSettings:
        """A tap's settings under which nothing goes in clear and both ends are checked."""
        return TlsSettings(
            port=port,
            certificate=self.certificate,
            key=self.key,
            ca=self.ca,
            require_client_certificate=True,
            srtp="required",
        )


@pytest.fixture
def papers(tmp_path: Path) -> Callable[[str], Papers]:
    """Makes an authority and a certificate of its own for 127.0.0.1."""

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=tmp_path)

    def make(name: str) -> Papers:
        ca, ca_key, key, certificate = (
            str(tmp_path / f"{name}-{part}.pem") for part in ("ca", "cakey", "key", "certificate")
        )
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        openssl("req", "-x509", *curve, "-keyout", ca_key, "-out", ca, "-subj", f"/CN={name}-ca")
        openssl(
            *("req", "-x509", *curve, "-keyout", key, "-out", certificate),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-addext", "basicConstraints=critical,CA:FALSE", "-CA", ca, "-CAkey", ca_key),
        )
        return Papers(certificate, key, ca)

    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command")
    return make
