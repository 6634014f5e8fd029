"""What a side's audio went through: the line's MOS, clipping, silence, level, and one-way audio.

Measured so that a bad line is not blamed on the agent. Network figures come from RTP and RTCP by
way of the journal, the rest from the side's own WAV, before the sides are joined.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import log10
from pathlib import Path

import numpy as np

from calls import wav
from calls.call import Channel, SideQuality
from telephony.emodel import estimate_mos

CLIPPED = 0.97
"""From this amplitude a sample counts as clipped; A-law's highest code is 0.984 (G.711)."""
FRAME_S = 0.02
SILENT_DBFS = -50.0
"""A frame below this is silence: line noise of a digital trunk lies at −60 dBFS and under."""
DEAD_DBFS = -75.0
"""A side that never rises above this carried nothing, not even a room."""
FLOOR_DBFS = -120.0


@dataclass(frozen=True, slots=True)
class Loudness:
    """What the samples of one side say."""

    clipped_share: float
    silence_share: float
    level_dbfs: float
    """RMS over the frames that are not silent; ``FLOOR_DBFS`` when all are."""
    peak_dbfs: float
    """RMS of the loudest frame."""


def measure(path: Path) -> Loudness:
    """Clipping, silence and level of a mono WAV; RecordingError when it cannot be read."""
    size = round(wav.inspect(path).sample_rate * FRAME_S)
    samples = wav.read(path, 0)
    padded = np.pad(samples, (0, -len(samples) % size)).reshape(-1, size)
    power = np.mean(padded**2, axis=1)
    speaking = power >= 10 ** (SILENT_DBFS / 10)
    return Loudness(
        clipped_share=round(float(np.mean(np.abs(samples) >= CLIPPED)), 5),
        silence_share=round(1 - float(np.mean(speaking)), 3),
        level_dbfs=_dbfs(float(np.mean(power[speaking])) if speaking.any() else 0.0),
        peak_dbfs=_dbfs(float(power.max())),
    )


def rate_sides(
    known: Sequence[SideQuality], sides: Mapping[Channel, Path]
) -> tuple[SideQuality, ...]:
    """Complete both sides' figures, in the order of ``sides``.

    A side is one-way when nothing at all was heard from it while the other side was heard.
    """
    loudness = {channel: measure(path) for channel, path in sides.items()}
    heard = {channel: each.peak_dbfs > DEAD_DBFS for channel, each in loudness.items()}
    rated = []
    for channel, each in loudness.items():
        network = join_legs(channel, known)
        rated.append(
            replace(
                network,
                mos=estimate_mos(
                    network.codec,
                    packets=network.packets,
                    lost=network.lost,
                    discarded=network.discarded,
                    delay_ms=(network.rtt_ms or 0.0) / 2,
                ),
                clipped_share=each.clipped_share,
                silence_share=each.silence_share,
                level_dbfs=each.level_dbfs,
                one_way=not heard[channel] and any(heard.values()),
            )
        )
    return tuple(rated)


def join_legs(channel: Channel, known: Sequence[SideQuality]) -> SideQuality:
    """A side's network figures over all its legs: a transfer gives it another one.

    Counts add up; jitter, round trip and codec are those of the leg with the most packets.
    """
    legs = [quality for quality in known if quality.channel is channel]
    if not legs:
        return SideQuality(channel=channel)
    return replace(
        max(legs, key=lambda leg: leg.packets),
        packets=sum(leg.packets for leg in legs),
        lost=sum(leg.lost for leg in legs),
        reordered=sum(leg.reordered for leg in legs),
        discarded=sum(leg.discarded for leg in legs),
    )


def _dbfs(power: float) -> float:
    return round(max(FLOOR_DBFS, 10 * log10(power)) if power > 0 else FLOOR_DBFS, 1)
