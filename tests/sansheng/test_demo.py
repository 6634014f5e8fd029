"""``sansheng demo`` as a newcomer runs it: twice, with real telephones, tap and model."""

from pathlib import Path

import pytest

from calls import wav
from calls.call import Channel
from calls.hit import Severity, Status
from calls.text import cell_width
from sansheng.demo import CALLS, demo_calls
from sansheng.settings import load
from tests.sansheng.conftest import Run
from tests.telephony.conftest import Lateness, lag_ms
from voices.truth import AGENT_FILE, CALLER_FILE
from warehouse.calls import load_call
from warehouse.query import run
from warehouse.store import StoredCall

pytestmark = [pytest.mark.sip, pytest.mark.model]

RING_MS = 20
LENGTH_MS = 100
ALIGNED_MS = 20
PLACE_MS = 500


def test_the_demo_works_twice_and_tells_the_truth(sansheng: Run, tmp_path: Path) -> None:
    watch = Lateness()
    data = tmp_path / "home" / "var" / "demo"
    for place in (1, 2):
        done = sansheng("demo")
        assert done.returncode == 0, done.stderr
        assert max(map(cell_width, done.stdout.splitlines())) <= 80
        assert "铃响 4 声（16.5 秒）" in done.stdout
        assert "bad call, 1002: done" in done.stderr
        settings = load(data / "sansheng.toml")
        found = run("SELECT call_id, agent FROM v_calls", path=settings.database, socket=None)
        assert len(found.rows) == 2 * place
    for call_id, agent in found.rows:
        [truth] = [call for call in demo_calls() if call.agent == agent]
        stored = load_call(str(call_id), path=settings.database, socket=None)
        check_signalling(stored, truth.name, watch.worst_ms())
        check_audio(stored, truth.name, watch.worst_ms())
        check_scorecard(stored, truth.name)
    watch.stop()


def check_signalling(stored: StoredCall, name: str, late_ms: float) -> None:
    [truth] = [call.truth for call in demo_calls() if call.name == name]
    assert stored.call.ring_ms is not None
    assert abs(stored.call.ring_ms - truth.ring_ms) <= RING_MS + late_ms
    assert stored.call.ended_by is truth.ended_by
    assert abs(stored.call.duration_ms - truth.duration_ms) <= LENGTH_MS + late_ms


def check_audio(stored: StoredCall, name: str, late_ms: float) -> None:
    assert stored.recording is not None
    for channel, played in ((0, CALLER_FILE), (1, AGENT_FILE)):
        heard = wav.read(stored.recording, channel)
        assert abs(lag_ms(heard, wav.read(CALLS / name / played, 0))) <= ALIGNED_MS + late_ms


def check_scorecard(stored: StoredCall, name: str) -> None:
    [truth] = [call.truth for call in demo_calls() if call.name == name]
    card = stored.analysis.scorecard
    failed = {item.rule: item for item in card.items if item.status is Status.FAIL}
    assert {violation.rule for violation in truth.violations} <= failed.keys()
    if not truth.violations:
        assert (failed, card.findings) == ({}, ())
        return
    [turn] = [turn for turn in truth.turns if turn.violation]
    [finding] = [f for f in card.findings if f.severity is Severity.CRITICAL]
    assert finding.family == turn.violation
    assert finding.channel is Channel.AGENT
    assert abs(finding.start_ms - turn.start_ms) <= PLACE_MS
    for violation in truth.violations:
        if violation.rule == "hangup_consent":
            place = failed[violation.rule].evidence[-1]
            assert violation.start_ms is not None
            assert violation.end_ms is not None
            assert place.start_ms >= violation.start_ms - PLACE_MS
            assert place.end_ms <= violation.end_ms + PLACE_MS
