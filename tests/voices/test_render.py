"""Timeline and files, with a tone for a voice; the real voices speak in test_speech."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from calls import wav
from calls.call import Channel
from calls.codec import read_record
from calls.wav import Samples
from voices import corpus, render
from voices.script import Script, Turn, load
from voices.speech import VOICES
from voices.truth import AGENT_FILE, CALL_FILE, CALLER_FILE, TRUTH_FILE, CallTruth

DEMO = Path(render.__file__).parent / "demo"


def hum(text: str, voice: str, speed: float = 1.0, sounds: str = "") -> Samples:
    """A voice stands in: 100 ms a character at speed 1."""
    count = int(800 * len(sounds or text) / speed)
    return np.asarray(0.3 * np.sin(np.arange(count) * 0.7), np.float32)


@pytest.fixture(autouse=True)
def _hummed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "speak", hum)


def script(**more: object) -> Script:
    turns = (
        Turn(side=Channel.AGENT, text="一二三四五六七八九十", violation="D_hurry"),
        Turn(side=Channel.CALLER, text="一二三四五", gap_ms=500),
        Turn(side=Channel.AGENT, text="一二三四", overlap_ms=200, speed=2.0),
        Turn(side=Channel.CALLER, text="一二", start_ms=4_000),
    )
    return Script.model_validate({"name": "a", "turn": turns, **more})


def test_gap_overlap_and_start_give_the_places() -> None:
    truth, sides = render.sound(script())
    places = [(turn.start_ms, turn.end_ms) for turn in truth.turns]
    assert places == [(600, 1_600), (2_100, 2_600), (2_400, 2_600), (4_000, 4_200)]
    assert truth.duration_ms == 4_900
    assert {len(samples) for samples in sides.values()} == {4_900 * 8}
    (violation,) = truth.violations
    assert (violation.family, violation.start_ms) == ("D_hurry", 600)


def test_speech_is_where_the_truth_says_and_noise_elsewhere() -> None:
    _, sides = render.sound(script(line={"level_dbfs": -20, "snr_db": 30}))
    agent = sides[Channel.AGENT]
    loud = agent[600 * 8 : 1_600 * 8]
    quiet = agent[2_700 * 8 :]
    assert 10 * np.log10(np.mean(loud**2)) == pytest.approx(-20, abs=0.5)
    assert 10 * np.log10(np.mean(quiet**2)) == pytest.approx(-50, abs=0.5)
    assert not np.array_equal(quiet, sides[Channel.CALLER][2_700 * 8 :])


def test_the_files_are_a_law_and_the_same_script_gives_the_same_bytes(tmp_path: Path) -> None:
    hashes = set()
    for number in range(2):
        folder = tmp_path / str(number)
        truth = render.render(script(), folder)
        assert read_record(folder / TRUTH_FILE, CallTruth) == truth
        for name, channels in ((CALLER_FILE, 1), (AGENT_FILE, 1), (CALL_FILE, 2)):
            info = wav.inspect(folder / name)
            assert (info.coding, info.sample_rate, info.channels) == ("ALAW", 8_000, channels)
            assert info.duration_ms == truth.duration_ms
        hashes.add(hashlib.sha256((folder / CALL_FILE).read_bytes()).hexdigest())
    assert len(hashes) == 1


def test_crosstalk_is_in_the_call_and_not_in_what_a_peer_plays(tmp_path: Path) -> None:
    quiet_line = {"snr_db": 60, "crosstalk_db": -20, "level_dbfs": -15}
    render.render(script(line=quiet_line), tmp_path)
    played = wav.read(tmp_path / CALLER_FILE, 0, start_ms=700, end_ms=1_500)
    taped = wav.read(tmp_path / CALL_FILE, 0, start_ms=700, end_ms=1_500)
    assert 10 * np.log10(np.mean(taped**2)) == pytest.approx(-35, abs=1)
    assert 10 * np.log10(np.mean(played**2)) < -65


def test_a_hold_comes_before_its_turn_and_is_told() -> None:
    turns = (
        Turn(side=Channel.AGENT, text="一二三四五"),
        Turn(side=Channel.AGENT, text="一二", hold_ms=3_000, gap_ms=100),
    )
    truth, _ = render.sound(script(turn=turns))
    assert [(turn.start_ms, turn.end_ms) for turn in truth.turns] == [(600, 1_100), (4_200, 4_400)]
    (hold,) = truth.holds
    assert (hold.start_ms, hold.end_ms, hold.by) == (1_100, 4_100, Channel.AGENT)


def test_a_hang_up_may_cut_the_last_turn() -> None:
    truth, sides = render.sound(script(line={"tail_ms": -100}))
    assert truth.duration_ms == 4_100
    assert {len(samples) for samples in sides.values()} == {4_100 * 8}


def test_phonemes_are_said_in_place_of_the_text() -> None:
    truth, _ = render.sound(script(turn=(Turn(side=Channel.AGENT, text="一", phonemes="abc"),)))
    assert truth.turns[0].end_ms - truth.turns[0].start_ms == 300
    assert truth.turns[0].text == "一"


def test_lost_packets_are_silence() -> None:
    line = {"lost_share": 0.3, "snr_db": 20, "level_dbfs": -20}
    _, sides = render.sound(script(line=line))
    packets = sides[Channel.AGENT].reshape(-1, 160)
    assert np.mean(~packets.any(axis=1)) == pytest.approx(0.3, abs=0.1)


def test_a_mono_call_is_the_mix_of_its_sides(tmp_path: Path) -> None:
    render.render(script(), tmp_path / "apart")
    render.render(script(mono=True), tmp_path / "mix")
    assert wav.inspect(tmp_path / "mix" / CALL_FILE).channels == 1
    pair = [wav.read(tmp_path / "apart" / CALL_FILE, side) for side in (0, 1)]
    mix = wav.read(tmp_path / "mix" / CALL_FILE, 0)
    assert np.abs(mix - (pair[0] + pair[1]) / 2).max() < 0.02


@pytest.mark.parametrize("name", ["good", "bad"])
def test_the_committed_demo_calls_are_of_their_scripts(name: str) -> None:
    folder = DEMO / name
    truth, written = read_record(folder / TRUTH_FILE, CallTruth), load(folder / "script.toml")
    assert [turn.text for turn in truth.turns] == [turn.text for turn in written.turn]
    assert (truth.ring_ms, truth.ended_by) == (written.ring_ms, written.hangup)
    for side in (CALLER_FILE, AGENT_FILE):
        assert wav.inspect(folder / side).duration_ms == truth.duration_ms
    rules = {violation.rule for violation in truth.violations}
    wanted = {"three_rings", "greeting", "hangup_consent", "forbidden_phrase"}
    assert rules == (wanted if name == "bad" else set())


def test_the_spoken_set_is_large_varied_and_the_same_twice() -> None:
    planned = corpus.plan()
    readings = [reading for reading, _ in planned]
    assert planned == corpus.plan()
    assert len({reading.id for reading in readings}) == len(readings)
    assert sum(bool(reading.family) for reading in readings) >= 200
    assert sum(not reading.family for reading in readings) >= 600
    assert len({reading.family for reading in readings if reading.family}) == 16
    assert {turn.voice for _, call in planned for turn in call.turn} == set(VOICES)
    for reading, call in planned:
        assert call.turn[reading.turn].text == reading.text
        assert call.turn[reading.turn].side is reading.speaker


def test_the_spoken_set_goes_on_where_it_stopped(tmp_path: Path) -> None:
    build = corpus.build(tmp_path, limit=3)
    first = next(build)
    kept = (tmp_path / first.id / TRUTH_FILE).stat().st_mtime_ns
    done = [reading.id for reading in corpus.build(tmp_path, limit=3)]
    assert len(done) == 3
    assert (tmp_path / first.id / TRUTH_FILE).stat().st_mtime_ns == kept
    assert all((tmp_path / name / CALL_FILE).is_file() for name in done)
