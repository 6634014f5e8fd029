"""Rude telephones as SIPp scenarios: each ends as the scenario says, and is one call on record."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from calls.call import EndedBy, EndReason
from tests.telephony.conftest import Phone, Tap, free_ports

pytestmark = [pytest.mark.sip, pytest.mark.pbx]

SCENARIOS = sorted((Path(__file__).parent / "sipp").glob("*.xml"))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem)
def test_a_rude_telephone_is_one_call_that_it_ends(
    tap_of: Callable[..., Tap], phones: Callable[..., Phone], tmp_path: Path, scenario: Path
) -> None:
    tap = tap_of()
    agent = phones(port=tap.agent_port, ring_ms=300)
    port, media = free_ports(2)
    program = shutil.which("sipp")
    assert program is not None
    played = subprocess.run(
        [
            *(program, "-sf", str(scenario), "-s", "88908890", f"127.0.0.1:{tap.settings.port}"),
            *("-i", "127.0.0.1", "-p", str(port), "-mp", str(media & ~1), "-m", "1", "-nostdin"),
            *("-recv_timeout", "15000", "-timeout", "40", "-trace_err", "-error_file", "errors"),
        ],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    errors = tmp_path / "errors"
    assert played.returncode == 0, errors.read_text() if errors.exists() else played.stdout
    agent.wait()
    [(call, _)] = tap.recorded()
    assert call.answered_at is not None
    assert (call.ended_by, call.end_reason) == (EndedBy.CALLER, EndReason.BYE)
