"""Two voices in one channel are told apart; one voice, noise and silence are not two."""

import os
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from calls import wav
from calls.call import Channel
from calls.codec import read_record
from calls.resample import resample_blocks
from importer.audio import Sides, bring_in
from importer.speakers import tell_apart
from voices import corpus, line, speech
from voices.truth import CallTruth

RATE = 8_000
Recorder = Callable[[str, object], None]
CALLS = int(os.environ.get("SANSHENG_MONO_CALLS", "3"))
"""Calls of each pair of voices; 12 for the figures in docs/import.md."""
SENTENCES = 5
"""That each voice says, over and over."""
PEOPLE = Path(__file__).parents[1] / "asr" / "data"
"""Read sentences of real people, with their licence beside them."""


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


@pytest.mark.parametrize(("name", "least"), [("good", 0.86), ("bad", 0.98)])
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


def spoken(samples: wav.Samples) -> list[tuple[int, int]]:
    """Samples between which somebody speaks: within 30 dB of the loudest, pauses to 0.3 s."""
    frames = samples[: len(samples) // 160 * 160].reshape(-1, 160)
    level = 10 * np.log10((frames**2).mean(axis=1) + 1e-10)
    loud = np.flatnonzero(level > np.percentile(level, 95) - 30)
    cuts = np.flatnonzero(np.diff(loud) > 15)
    begins, ends = loud[np.r_[0, cuts + 1]], loud[np.r_[cuts, len(loud) - 1]] + 1
    return [(int(b) * 160, int(e) * 160) for b, e in zip(begins, ends, strict=True)]


def on_one_line(
    voices: tuple[list[wav.Samples], list[wav.Samples]], chance: np.random.Generator
) -> tuple[wav.Samples, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """A call of ten turns: levels 10 dB apart at most, 15 to 30 dB above the noise."""
    levels, who = chance.uniform(-28, -18, 2), int(chance.integers(2))
    parts, truth = [], []
    for _ in range(10):
        said = voices[who][int(chance.integers(len(voices[who])))]
        pause = np.zeros(int(chance.uniform(0.2, 0.9) * RATE), np.float32)
        parts += [pause, line.set_level(said, float(levels[who]))]
        speech_of = np.full(len(pause) + len(said), -1)
        for begin, end in spoken(said):
            speech_of[len(pause) + begin : len(pause) + end] = who
        truth.append(speech_of)
        who = 1 - who if chance.random() < 0.85 else who
    whole = line.telephone_band(np.concatenate(parts))
    noisy = line.add_noise(whole, float(levels.max() - chance.uniform(15, 30)), chance)
    return np.asarray(noisy, np.float32), np.concatenate(truth)


def share_right(
    samples: wav.Samples, truth: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> tuple[float, float]:
    """Of the speech: what went to its own voice, and what surely went to the other's."""
    heard, sure = np.full(len(truth), -2), np.zeros(len(truth), bool)
    for span in tell_apart(samples):
        heard[span.start_ms * 8 : span.end_ms * 8] = span.voice
        sure[span.start_ms * 8 : span.end_ms * 8] = span.sure
    said = truth >= 0
    turn = max((0, 1), key=lambda turn: (heard[said] == (truth[said] ^ turn)).mean())
    right = heard[said] == (truth[said] ^ turn)
    wrong = heard[said] == (truth[said] ^ turn ^ 1)
    return float(right.mean()), float((wrong & sure[said]).mean())


@pytest.mark.voices
def test_the_test_voices_mixed_to_one_channel(record_property: Recorder) -> None:
    """Every pair of five voices: four women, of whom two are hard to tell apart, and a man."""
    said: dict[str, list[wav.Samples]] = {voice: [] for voice in speech.VOICES}
    for _, script in corpus.plan():
        for turn in script.turn:
            mine = said[script.voice_of(turn)]
            if len(mine) < SENTENCES:
                mine.append(speech.speak(turn.text, script.voice_of(turn), turn.speed))
    chance = np.random.default_rng(5)
    shares = {
        pair: [share_right(*on_one_line((said[pair[0]], said[pair[1]]), chance))
               for _ in range(CALLS)]
        for pair in combinations(sorted(said), 2)
    }  # fmt: skip
    for name, each, least in (
        ("man_and_woman", [s for pair in shares if "jm_kumo" in pair for s in shares[pair]], 0.97),
        ("two_women", [s for pair in shares if "jm_kumo" not in pair for s in shares[pair]], 0.92),
    ):
        right, wrong = np.asarray(each).T
        said_so = f"{right.mean():.3f}, worst {right.min():.3f}, surely wrong {wrong.mean():.3f}"
        record_property(name, f"{said_so} of {len(each)} calls")
        assert right.mean() >= least
        assert wrong.mean() <= 0.03


def test_real_people_mixed_to_one_channel(record_property: Recorder) -> None:
    """Read speech of three people, through a telephone's band."""

    def read(name: str) -> wav.Samples:
        path = PEOPLE / name
        parts = resample_blocks(wav.blocks(path), wav.inspect(path).sample_rate, RATE, 1)
        whole = np.concatenate(list(parts)).reshape(-1)
        begin, end = spoken(whole)[0][0], spoken(whole)[-1][1]
        return np.asarray(whole[begin:end], np.float32)

    one = [read(path.name) for path in sorted(PEOPLE.glob("BAC009S0150*.wav"))]
    chance = np.random.default_rng(3)
    shares = [
        share_right(*on_one_line((one, np.array_split(read(path.name), 3)), chance))
        for path in sorted(PEOPLE.glob("aishell3_*.wav"))
        for _ in range(CALLS)
    ]
    right, wrong = np.asarray(shares).T
    said_so = f"{right.mean():.3f}, worst {right.min():.3f}, surely wrong {wrong.mean():.3f}"
    record_property("people", f"{said_so} of {len(shares)} calls")
    assert right.mean() >= 0.88
    assert wrong.mean() <= 0.02
