"""What a made call holds, for tests and figures: every turn in its place, every scripted fault."""

from dataclasses import dataclass

from calls.call import Channel, EndedBy, Hold, Ms

TRUTH_FILE = "truth.json"
CALLER_FILE = "caller.wav"
AGENT_FILE = "agent.wav"
CALL_FILE = "call.wav"


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnTruth:
    """One turn as it sounds in the recording; 0 ms is the answer."""

    channel: Channel
    start_ms: Ms
    end_ms: Ms
    text: str
    voice: str
    speed: float
    violation: str = ""
    """The phrasebook family that it violates; empty when it is harmless."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A fault that a perfect listener would find."""

    rule: str
    family: str = ""
    channel: Channel = Channel.AGENT
    start_ms: Ms | None = None
    """None where the fault has no place in the audio (a late answer)."""
    end_ms: Ms | None = None
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallTruth:
    """One made call."""

    name: str
    duration_ms: Ms
    ring_ms: Ms
    ended_by: EndedBy
    level_dbfs: float
    snr_db: float
    crosstalk_db: float
    turns: tuple[TurnTruth, ...]
    violations: tuple[Violation, ...] = ()
    holds: tuple[Hold, ...] = ()
    """When a side's telephone is to hold the call."""
