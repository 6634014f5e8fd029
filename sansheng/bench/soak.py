"""Processes killed at random under load, and every call accounted for."""

import os
import random
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from calls.call import Call, EndReason, EventKind
from calls.codec import read_record
from calls.handover import CALL_FILE, Stage
from sansheng.bench.sipp import Load, Ports, Sipp
from telephony.supervisor import TapSupervisor

_TALK_MS, _RING_MS = 4000, 500
_KILL_EVERY_S = (4.0, 9.0)
_SETTLE_S = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Soak:
    """What became of the calls; the last three ought to be 0."""

    kills: int
    finished: int
    """Calls that both telephones saw end as they should."""
    broken: int
    """Calls closed and marked: not complete, lost by the network."""
    cut: int
    """Finished calls whose process was killed before it had closed them: marked, not complete."""
    lost: int
    """Finished calls without a record that is whole, or that a kill explains."""
    unmarked: int
    """Answered and not finished, and yet without a record that says so."""
    open: int
    """Calls that nobody closed."""

    def figures(self) -> dict[str, object]:
        """As keys of the bench's JSON."""
        return {f"soak_{name}": value for name, value in asdict(self).items()}


def soak(
    folder: Path, seconds: int, supervisor: TapSupervisor, ports: Ports, *, seed: int = 9
) -> Soak:
    """Offer calls for so long to a running tap, kill its processes now and then, and count."""
    chance = random.Random(seed)
    rate = len(ports.called)
    sipp = Sipp(folder, Load(rate * seconds, rate, _TALK_MS, _RING_MS), ports)
    end = time.monotonic() + seconds
    kills = 0
    try:
        while (left := end - time.monotonic()) > _KILL_EVERY_S[1]:
            time.sleep(min(left, chance.uniform(*_KILL_EVERY_S)))
            if pids := supervisor.pids():
                os.kill(chance.choice(pids), signal.SIGKILL)
                kills += 1
        sipp.wait(seconds + 120)
    finally:
        sipp.close()
    deadline = time.monotonic() + _SETTLE_S
    spool = supervisor.spool
    while spool.waiting(Stage.LIVE) and time.monotonic() < deadline:
        time.sleep(0.2)
    records: dict[str, list[Call]] = {}
    for place in spool.waiting(Stage.RECORDED):
        call = read_record(place / CALL_FILE, Call)
        records.setdefault(call.called, []).append(call)
    finished, answered = sipp.times("ended"), sipp.times("answered")
    return Soak(
        kills=kills,
        finished=len(finished),
        broken=sum(_is_marked(call) for calls in records.values() for call in calls),
        cut=sum(
            any(map(_was_cut, calls)) and not any(map(_is_whole, calls))
            for calls in (records.get(number, ()) for number in finished)
        ),
        lost=sum(
            not any(_is_whole(call) or _was_cut(call) for call in records.get(number, ()))
            for number in finished
        ),
        unmarked=sum(
            not any(map(_is_marked, records.get(number, ())))
            for number in answered.keys() - finished.keys()
        ),
        open=len(spool.waiting(Stage.LIVE)),
    )


def _is_whole(call: Call) -> bool:
    return (
        call.end_reason is EndReason.BYE and call.recording is not None and call.recording.complete
    )


def _was_cut(call: Call) -> bool:
    """Whether a kill left it to the supervisor to close, and the record says so."""
    closed = any(event.kind is EventKind.CLOSED for event in call.events)
    return not closed and not (call.recording is not None and call.recording.complete)


def _is_marked(call: Call) -> bool:
    return call.end_reason is EndReason.LOST and not (
        call.recording is not None and call.recording.complete
    )
