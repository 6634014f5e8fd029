"""From a script to audio: each side as its telephone plays it, the call as a tap records it."""

import zlib
from pathlib import Path

import numpy as np

from calls import wav
from calls.call import Channel, Hold
from calls.codec import write_record
from calls.errors import RecordingError
from calls.wav import Samples
from voices.line import (
    TELEPHONE_RATE,
    add_crosstalk,
    add_noise,
    lose_packets,
    set_level,
    telephone_band,
)
from voices.script import Script
from voices.speech import speak
from voices.truth import (
    AGENT_FILE,
    CALL_FILE,
    CALLER_FILE,
    TRUTH_FILE,
    CallTruth,
    TurnTruth,
    Violation,
)

_FORBIDDEN = "forbidden_phrase"
_SIDES = (Channel.CALLER, Channel.AGENT)


def render(script: Script, out_dir: Path, *, sides_too: bool = True) -> CallTruth:
    """Write caller.wav, agent.wav (A-law mono), call.wav (A-law stereo or mix) and truth.json.

    The one-sided files are what each peer plays from the answer on, with line noise and without
    crosstalk; ``sides_too`` leaves them out. call.wav adds the crosstalk. The same script gives
    the same samples, and truth.json comes last: a folder that has it is whole.
    """
    truth, sides = sound(script)
    leak = script.line.crosstalk_db
    caller, agent = (sides[side] for side in _SIDES)
    pair = np.stack([add_crosstalk(caller, agent, leak), add_crosstalk(agent, caller, leak)], 1)
    call = pair.mean(1) if script.mono else pair
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordingError(f"cannot make the folder {out_dir} ({error.strerror})") from error
    if sides_too:
        wav.write(out_dir / CALLER_FILE, caller, TELEPHONE_RATE, "ALAW")
        wav.write(out_dir / AGENT_FILE, agent, TELEPHONE_RATE, "ALAW")
    wav.write(out_dir / CALL_FILE, call, TELEPHONE_RATE, "ALAW")
    write_record(out_dir / TRUTH_FILE, truth)
    return truth


def sound(script: Script) -> tuple[CallTruth, dict[Channel, Samples]]:
    """The truth and each side's samples at 8 kHz, noise included, crosstalk not."""
    line = script.line
    placed: list[tuple[TurnTruth, Samples]] = []
    holds: list[Hold] = []
    end_ms = 0
    for turn in script.turn:
        voice = script.voice_of(turn)
        speech = telephone_band(speak(turn.text, voice, turn.speed, turn.phonemes))
        speech = set_level(speech, line.level_dbfs + turn.level_db)
        if turn.hold_ms:
            holds.append(Hold(start_ms=end_ms, end_ms=end_ms + turn.hold_ms, by=turn.side))
            end_ms += turn.hold_ms
        if turn.start_ms is not None:
            start_ms = turn.start_ms
        elif turn.overlap_ms is not None:
            start_ms = max(0, end_ms - turn.overlap_ms)
        else:
            start_ms = end_ms + turn.gap_ms if placed else line.lead_ms
        length_ms = len(speech) * 1000 // TELEPHONE_RATE
        spoken = TurnTruth(
            channel=turn.side,
            start_ms=start_ms,
            end_ms=start_ms + length_ms,
            text=turn.text,
            voice=voice,
            speed=turn.speed,
            violation=turn.violation,
        )
        placed.append((spoken, speech))
        end_ms = spoken.end_ms
    duration_ms = max((turn.end_ms for turn, _ in placed), default=line.lead_ms) + line.tail_ms
    turns = tuple(turn for turn, _ in placed)
    truth = CallTruth(
        name=script.name,
        duration_ms=duration_ms,
        ring_ms=script.ring_ms,
        ended_by=script.hangup,
        level_dbfs=line.level_dbfs,
        snr_db=line.snr_db,
        crosstalk_db=line.crosstalk_db,
        turns=turns,
        violations=_violations(script, turns),
        holds=tuple(holds),
    )
    return truth, {side: _side(script, side, placed, duration_ms) for side in _SIDES}


def _side(
    script: Script, side: Channel, placed: list[tuple[TurnTruth, Samples]], duration_ms: int
) -> Samples:
    samples = np.zeros(duration_ms * TELEPHONE_RATE // 1000, np.float32)
    for turn, speech in placed:
        if turn.channel is side:
            first = turn.start_ms * TELEPHONE_RATE // 1000
            room = samples[first : first + len(speech)]
            room += speech[: len(room)]
    generator = np.random.default_rng([script.seed, zlib.crc32(side.encode())])
    noisy = add_noise(samples, script.line.level_dbfs - script.line.snr_db, generator)
    return lose_packets(noisy, script.line.lost_share, generator)


def _violations(script: Script, turns: tuple[TurnTruth, ...]) -> tuple[Violation, ...]:
    phrases = [
        Violation(
            rule=_FORBIDDEN,
            family=turn.violation,
            channel=turn.channel,
            start_ms=turn.start_ms,
            end_ms=turn.end_ms,
            text=turn.text,
        )
        for turn in turns
        if turn.violation
    ]
    others = [
        Violation(rule=breach.rule)
        if breach.turn is None
        else Violation(
            rule=breach.rule,
            channel=turns[breach.turn].channel,
            start_ms=turns[breach.turn].start_ms,
            end_ms=turns[breach.turn].end_ms,
            text=turns[breach.turn].text,
        )
        for breach in script.breach
    ]
    return tuple(others + phrases)
