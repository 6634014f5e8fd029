"""Two voices in one channel are told apart; one voice, noise and silence are not two."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from calls import wav
from calls.call import Channel
from calls.codec import read_record
from importer.audio import Sides, bring_in
from importer.speakers import tell_apart
from voices.truth import CallTruth

RATE = 8_000
Recorder = Callable[[str, object], None]


def voice(hertz: float, formants: tuple[float, ...], seconds: float, seed: int) -> wav.Samples:
    """A buzz with harmonics that rise at the formants, at the pace of syllables."""
    chance = np.random.default_rng(seed)
    at = np.arange(int(seconds * RATE)) / RATE
    glide = hertz * (1 + 0.06 * np.sin(2 * np.pi * (1.3 * at + chance.random())))
    phase = 2 * np.pi * np.cumsum(glide) / RATE
    sound = np.zeros(len(at))
    for number in range(1, int(3_400 / hertz)):
        gain = sum(1 / (1 + ((number * hertz - f) / 120) ** 2) for f in formants)
        sound += gain * np.sin(number * phase)
    pace = 0.55 + 0.45 * np.sin(2 * np.pi * 4 * at)
    return np.asarray(0.05 * sound * pace, np.float32)


def mixed(turns: list[tuple[int, float]], seed: int = 1) -> tuple[wav.Samples, list[int]]:
    """A call of turns (voice, seconds) with pauses and line noise, and who speaks each 20 ms."""
    kinds = ((115.0, (500, 1_200, 2_500)), (215.0, (700, 1_700, 2_900)))
    parts, truth = [], []
    for number, (who, seconds) in enumerate(turns):
        parts += [np.zeros(RATE // 2, np.float32), voice(*kinds[who], seconds, seed + number)]
        truth += [-1] * 25 + [who] * round(seconds * 50)
    whole = np.concatenate(parts)
    noise = np.random.default_rng(seed).normal(0, 0.001, len(whole))
    return np.asarray(whole + noise, np.float32), truth


TURNS = [(1, 2.0), (0, 3.0), (1, 1.0), (0, 0.8), (1, 2.4), (0, 1.6)]


def test_two_voices_are_told_apart() -> None:
    samples, truth = mixed(TURNS)
    spans = tell_apart(samples)
    heard = np.full(len(truth), -1)
    for span in spans:
        heard[span.start_ms // 20 : span.end_ms // 20] = 1 - span.voice
    wanted = np.asarray(truth)
    speech = wanted >= 0
    assert (heard[speech] == wanted[speech]).mean() > 0.9
    assert spans[0].voice == 0
    assert tell_apart(samples) == spans


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(0, np.float32),
        np.zeros(100, np.float32),
        np.zeros(RATE * 5, np.float32),
        mixed([(0, 4.0)])[0],
    ],
    ids=["empty", "short", "silent", "one turn"],
)
def test_where_there_are_no_two_turns_nothing_is_said(samples: wav.Samples) -> None:
    assert tell_apart(samples) == ()


@pytest.mark.parametrize("rate", [8_000, 16_000])
def test_a_mono_recording_comes_in_with_its_voices(tmp_path: Path, rate: int) -> None:
    samples = np.repeat(mixed(TURNS)[0], rate // 8_000)
    wav.write(tmp_path / "m.wav", samples, rate)
    recording = bring_in(Sides(both=tmp_path / "m.wav"), tmp_path)
    assert recording.channels == ()
    assert {span.voice for span in recording.voices} == {0, 1}


@pytest.mark.parametrize(("name", "least"), [("good", 0.8), ("bad", 0.9)])
def test_the_demo_calls_mixed_to_one_channel(
    name: str, least: float, record_property: Recorder
) -> None:
    """Two women's voices are harder than a man's and a woman's; docs/import.md says how much."""
    folder = Path(__file__).parents[2] / "voices" / "demo" / name
    truth = read_record(folder / "truth.json", CallTruth)
    sides = [wav.read(folder / f"{side}.wav", 0) for side in ("caller", "agent")]
    length = min(map(len, sides))
    spans = tell_apart(np.asarray(sides[0][:length] + sides[1][:length], np.float32))
    right = {
        first: sum(
            max(0, min(span.end_ms, turn.end_ms) - max(span.start_ms, turn.start_ms))
            for turn in truth.turns
            for span in spans
            if (span.voice == 0) == (turn.channel is first)
        )
        for first in Channel
    }
    share = max(right.values()) / sum(turn.end_ms - turn.start_ms for turn in truth.turns)
    record_property("speech_to_the_right_side", round(share, 3))
    assert share >= least
