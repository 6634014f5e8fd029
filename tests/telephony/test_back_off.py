"""A tap process that dies again and again is started ever later, and takes nobody with it."""

import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from calls.call import EndedBy, EndReason
from calls.handover import Stage
from telephony.back_off import BackOff
from tests.telephony.conftest import Phone, Tap, until


def test_the_wait_grows_with_each_death_in_a_row_up_to_half_a_minute() -> None:
    back_off = BackOff()
    assert [back_off.died(1) for _ in range(9)] == [0.2, 0.5, 1, 2, 5, 10, 30, 30, 30]
    assert back_off.deaths == 9


def test_a_process_that_was_steady_begins_anew() -> None:
    back_off = BackOff()
    assert [back_off.died(lived) for lived in (1, 59, 61, 2)] == [0.2, 0.5, 0.2, 0.5]
    assert back_off.deaths == 2


def came_back(tap: Tap, deaths: int) -> bool:
    """Whether the first process died so often and listens again."""
    first = tap.supervisor.health()[0]
    return first.restarts == deaths and first.running and first.ready


@pytest.mark.sip
def test_deaths_of_one_process_are_told_and_the_other_ones_call_goes_on(
    tap_of: Callable[..., Tap],
    phones: Callable[..., Phone],
    speech: Callable[[int, float], Path],
) -> None:
    tap = tap_of(children=2)
    doomed, steady = tap.supervisor.pids()
    agent = phones(port=tap.agent_port, ring_ms=100, play=str(speech(1, 30)))
    port = tap.settings.port
    caller = phones(call=tap.uri.replace(f":{port}", f":{port + 1}"), play=str(speech(2, 30)))
    until(lambda: agent.told("playing") and caller.told("playing"))
    with capture_logs() as logs:
        for deaths in (1, 2, 3):
            os.kill(doomed, signal.SIGKILL)
            until(partial(came_back, tap, deaths))
            doomed, still = tap.supervisor.pids()
            assert still == steady
    waits = [entry["restart_in_s"] for entry in logs if entry["event"] == "tap process died"]
    assert waits == [0.2, 0.5, 1]
    assert [health.restarts for health in tap.supervisor.health()] == [3, 0]
    assert not tap.spool.waiting(Stage.RECORDED)
    caller.process.terminate()
    caller.wait()
    agent.wait()
    [(call, _)] = tap.recorded()
    assert (call.ended_by, call.end_reason) == (EndedBy.CALLER, EndReason.BYE)
    assert call.recording is not None
    assert call.recording.complete
    # And the one that died takes calls again.
    phones(port=tap.agent_port, ring_ms=100, hang_up_ms=300)
    phones(call=tap.uri).wait()
    assert len(tap.recorded(2)) == 2
