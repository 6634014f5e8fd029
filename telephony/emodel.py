"""How well a line carried a side's voice: the E-model of ITU-T G.107, for what RTP tells us.

All that a tap cannot know (levels, echo, room noise) keeps G.107's default values, so the figure
says what packet loss, lateness and delay did to the voice, and nothing else. The scale is the
narrow-band one; G.722 is rated on it too, as G.711, since only the line is judged.
"""

from dataclasses import dataclass
from math import log10

DEFAULT_RATING = 93.2
"""R with every parameter of G.107 at its default (G.107 clause 7.7)."""
LOSS_SHARE_LIMIT = 95.0
"""The constant of G.107 equation 7-29: what total loss takes from R."""
DELAY_FLOOR_MS = 100.0
"""One-way delay below which conversation does not suffer (G.107 equation 7-27)."""


@dataclass(frozen=True, slots=True)
class CodecImpairment:
    """A codec's equipment impairment Ie and its robustness to loss Bpl (G.113 appendix I)."""

    impairment: float
    robustness: float


CODECS = {
    "PCMA": CodecImpairment(0, 25.1),
    "PCMU": CodecImpairment(0, 25.1),
    "G722": CodecImpairment(0, 25.1),
    "G729": CodecImpairment(11, 19.0),
    "GSM": CodecImpairment(20, 43.0),
}
"""G.711 with concealment of lost packets, as pjmedia does it; 4.3 would be without it."""


def loss_impairment(codec: CodecImpairment, loss_percent: float, burst_ratio: float) -> float:
    """Ie-eff, what lost packets take from R (G.107 equation 7-29); loss in percent, 0–100.

    ``burst_ratio`` is the mean run of lost packets over the run that random loss would give.
    """
    if loss_percent <= 0:
        return codec.impairment
    share = loss_percent / (loss_percent / burst_ratio + codec.robustness)
    return codec.impairment + (LOSS_SHARE_LIMIT - codec.impairment) * share


def delay_impairment(delay_ms: float) -> float:
    """Idd, what one-way mouth-to-ear delay in ms takes from R (G.107 equation 7-27)."""
    if delay_ms <= DELAY_FLOOR_MS:
        return 0.0
    x = log10(delay_ms / DELAY_FLOOR_MS) / log10(2)
    impairment: float = 25 * ((1 + x**6) ** (1 / 6) - 3 * (1 + (x / 3) ** 6) ** (1 / 6) + 2)
    return impairment


def burst_ratio(mean_run: float | None, loss_share: float) -> float:
    """BurstR of G.107 from the mean run of lost packets; random loss gives runs of 1/(1 − p).

    1, which is random loss, where the run is not known. Never under 1: the E-model is not made for
    loss that is more even than random.
    """
    if mean_run is None or loss_share >= 1:
        return 1.0
    return max(1.0, mean_run * (1 - loss_share))


def mos_of(rating: float) -> float:
    """The mean opinion score 1–4.5 of a rating R (G.107 annex B, equation B-4)."""
    if rating <= 0:
        return 1.0
    if rating >= 100:
        return 4.5
    # Just above 0 the cubic dips under the scale's end.
    return max(1.0, 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6)


def estimate_mos(
    codec: str,
    *,
    packets: int,
    lost: int,
    discarded: int = 0,
    delay_ms: float = 0.0,
    mean_run: float | None = None,
) -> float | None:
    """The MOS of one received stream, to two decimals; None where nothing says what it was.

    ``packets`` were received, of which ``discarded`` came too late for the jitter buffer: to the
    ear they are lost like the ``lost`` ones. ``codec`` is the RTP encoding name; of one that is
    not in ``CODECS`` no impairment is published here, and a guess would blame or excuse a line.
    """
    known = CODECS.get(codec.upper())
    sent = packets + lost
    if known is None or packets <= 0:
        return None
    share = min(1.0, (lost + discarded) / sent)
    rating = (
        DEFAULT_RATING
        - delay_impairment(delay_ms)
        - loss_impairment(known, 100 * share, burst_ratio(mean_run, share))
    )
    return round(mos_of(rating), 2)
