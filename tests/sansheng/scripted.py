"""Scripted calls: the signalling that a script tells, as the tap or an importer would record it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from calls.call import (
    Call,
    Channel,
    EndedBy,
    EndReason,
    Mode,
    Recording,
    SideQuality,
    Signalling,
)
from calls.hit import Status
from scoring.judge import RULES
from voices.script import Script, load
from voices.truth import CALL_FILE, CallTruth

SCRIPTS = Path(__file__).with_name("scripts")
_INVITED = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)
_PACKETS = 1_000
_ENDINGS = {EndedBy.NETWORK: EndReason.LOST, EndedBy.CALLER: EndReason.BYE}


def scripts() -> list[Script]:
    """The scripted calls, in order of their names."""
    return [load(path) for path in sorted(SCRIPTS.glob("*.toml"))]


def wanted(script: Script) -> dict[str, Status]:
    """What the script says of each rule."""
    assert script.verdict is not None, script.name
    named = {
        rule: status
        for status, rules in (
            (Status.FAIL, script.verdict.fail),
            (Status.REVIEW, script.verdict.review),
            (Status.NA, script.verdict.na),
        )
        for rule in rules
    }
    assert named.keys() <= set(RULES), script.name
    return {rule: named.get(rule, Status.PASS) for rule in RULES}


def call_of(script: Script, truth: CallTruth | None) -> Call:
    """The call's record; ``truth`` is None for a call that nobody answered."""
    answered = _INVITED + timedelta(milliseconds=script.ring_ms)
    length_ms = truth.duration_ms if truth else 0
    reason = _ENDINGS.get(script.hangup, EndReason.BYE)
    return Call(
        call_id=script.name,
        mode=Mode.IMPORT if script.mono else Mode.BRIDGE,
        caller="13900001001",
        called="12345",
        agent="1001",
        invited_at=_INVITED,
        ringing_at=None if script.mono else _INVITED,
        answered_at=answered if truth else None,
        ended_at=answered + timedelta(milliseconds=length_ms),
        ended_by=EndedBy.UNKNOWN if script.mono else script.hangup,
        end_reason=reason if truth else EndReason.CANCEL,
        holds=truth.holds if truth else (),
        recording=_recording(script, truth) if truth else None,
        quality=tuple(_quality(script, channel) for channel in Channel),
        signalling=Signalling.NONE if script.mono else Signalling.OBSERVED,
    )


def _recording(script: Script, truth: CallTruth) -> Recording:
    channels = () if script.mono else tuple(Channel)
    return Recording(path=CALL_FILE, channels=channels, duration_ms=truth.duration_ms)


def _quality(script: Script, channel: Channel) -> SideQuality:
    lost = round(_PACKETS * script.line.lost_share)
    return SideQuality(channel=channel, packets=_PACKETS - lost, lost=lost)
