"""The demo's two calls as recordings with their records, and the command line as a process."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from calls import wav
from calls.call import EndedBy
from sansheng.demo import CALLS, DemoCall, demo_calls
from voices.truth import AGENT_FILE, CALLER_FILE

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@dataclass(frozen=True)
class Recorded:
    """A demo call as the tap would have recorded it."""

    truth: DemoCall
    recording: Path
    call: Path


def call_document(truth: DemoCall, **changes: Any) -> dict[str, Any]:
    """The demo call's ``call.json``."""
    ring_s = truth.truth.ring_ms / 1000
    return {
        "call_id": f"demo-{truth.name}",
        "mode": "bridge",
        "caller": "13900001001",
        "called": truth.agent,
        "agent": truth.agent,
        "invited_at": "2026-11-24T08:00:00+08:00",
        "ringing_at": "2026-11-24T08:00:00.010+08:00",
        "answered_at": f"2026-11-24T08:00:{ring_s + 0.01:06.3f}+08:00",
        "ended_at": f"2026-11-24T08:01:{ring_s:06.3f}+08:00",
        "ended_by": str(truth.truth.ended_by),
        "end_reason": "bye",
        "holds": [],
        "recording": {
            "path": "recording.wav",
            "channels": ["caller", "agent"],
            "sample_rate": 8000,
        },
    } | changes


@pytest.fixture
def recorded(tmp_path: Path) -> Callable[[str], Recorded]:
    """Makes the recording and the record of a demo call, ``good`` or ``bad``."""

    def make(name: str) -> Recorded:
        truth = next(call for call in demo_calls() if call.name == name)
        folder = tmp_path / name
        folder.mkdir()
        recording, call = folder / "recording.wav", folder / "call.json"
        wav.join(CALLS / name / CALLER_FILE, CALLS / name / AGENT_FILE, recording)
        call.write_text(json.dumps(call_document(truth)), "utf-8")
        assert truth.truth.ended_by in (EndedBy.AGENT, EndedBy.CALLER)
        return Recorded(truth, recording, call)

    return make


@pytest.fixture
def sansheng(tmp_path: Path) -> Run:
    """Runs the command line in an empty folder, as a user would."""
    home = tmp_path / "home"
    home.mkdir()

    def run(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "sansheng", *map(str, arguments)],
            cwd=home,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    return run
