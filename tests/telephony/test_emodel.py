"""The E-model against values that ITU-T publishes, and its shape everywhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.emodel import (
    CODECS,
    burst_ratio,
    delay_impairment,
    estimate_mos,
    loss_impairment,
    mos_of,
)


@pytest.mark.parametrize(
    ("rating", "mos"),
    # G.107 annex B, table B.1, and its default rating.
    [(90, 4.34), (80, 4.03), (70, 3.60), (60, 3.10), (50, 2.58), (93.2, 4.41), (0, 1), (100, 4.5)],
)
def test_opinion_of_a_rating_is_the_published_one(rating: float, mos: float) -> None:
    assert mos_of(rating) == pytest.approx(mos, abs=0.01)


@pytest.mark.parametrize(
    ("delay_ms", "impairment"),
    # G.107 equation 7-27 worked out by hand at whole powers of two of 100 ms.
    [(0, 0), (100, 0), (200, 3.04), (400, 24.07), (800, 40.83)],
)
def test_delay_costs_what_the_formula_says(delay_ms: float, impairment: float) -> None:
    assert delay_impairment(delay_ms) == pytest.approx(impairment, abs=0.1)


@pytest.mark.parametrize(
    ("codec", "loss", "effective"),
    [
        ("PCMA", 0, 0),
        ("PCMA", 1, 3.64),
        ("PCMA", 5, 15.78),
        ("PCMU", 2, 7.01),
        ("G729", 0, 11),
        ("G729", 2, 19),
    ],
)
def test_loss_costs_what_the_formula_says(codec: str, loss: float, effective: float) -> None:
    assert loss_impairment(CODECS[codec], loss, 1) == pytest.approx(effective, abs=0.01)


def test_late_packets_count_as_lost() -> None:
    late = estimate_mos("PCMA", packets=1000, lost=0, discarded=50)
    gone = estimate_mos("PCMA", packets=950, lost=50)
    assert late == gone
    assert late is not None
    assert late < 4.1


def test_loss_in_bursts_is_worse_than_random_loss() -> None:
    random_loss = estimate_mos("PCMA", packets=950, lost=50, mean_run=None)
    bursts = estimate_mos("PCMA", packets=950, lost=50, mean_run=4)
    assert random_loss is not None
    assert bursts is not None
    assert bursts < random_loss


def test_a_clean_line_has_the_default_score() -> None:
    assert estimate_mos("pcma", packets=1500, lost=0, delay_ms=80) == 4.41


@pytest.mark.parametrize(("codec", "packets"), [("opus", 100), ("PCMA", 0), ("", 0)])
def test_nothing_known_gives_no_score(codec: str, packets: int) -> None:
    assert estimate_mos(codec, packets=packets, lost=0) is None


def test_random_loss_has_a_burst_ratio_of_one() -> None:
    assert burst_ratio(1 / (1 - 0.05), 0.05) == pytest.approx(1)
    assert burst_ratio(None, 0.05) == 1
    assert burst_ratio(3, 1.0) == 1


@given(
    codec=st.sampled_from(sorted(CODECS)),
    packets=st.integers(1, 10**6),
    lost=st.integers(0, 10**6),
    discarded=st.integers(0, 10**6),
    delay_ms=st.floats(0, 10_000),
    mean_run=st.none() | st.floats(1, 1000),
)
def test_a_score_stays_on_the_scale_and_more_loss_never_helps(
    codec: str, packets: int, lost: int, discarded: int, delay_ms: float, mean_run: float | None
) -> None:
    score = estimate_mos(codec, packets=packets, lost=lost, discarded=discarded, delay_ms=delay_ms)
    worse = estimate_mos(
        codec, packets=packets, lost=lost + 10, discarded=discarded, delay_ms=delay_ms
    )
    burst = estimate_mos(
        codec,
        packets=packets,
        lost=lost,
        discarded=discarded,
        delay_ms=delay_ms,
        mean_run=mean_run,
    )
    assert score is not None
    assert worse is not None
    assert burst is not None
    assert 1 <= score <= 4.5
    assert burst <= score
    if discarded <= packets:
        assert worse <= score
