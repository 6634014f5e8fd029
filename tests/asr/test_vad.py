import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from asr.vad import find_speech
from calls import wav
from calls.call import Channel
from calls.errors import EngineError, RecordingError
from calls.wav import Samples
from tests.asr.sounds import (
    DATA,
    RATE,
    SIDES,
    MakeCall,
    demo,
    demo_turns,
    music,
    noise,
    silence,
    tone,
)

LINE_NOISE = noise(60, -55)


def on_a_line(sound: Samples) -> Samples:
    return sound + LINE_NOISE[: len(sound)]


@pytest.mark.parametrize(
    "sound",
    [
        pytest.param(silence(20), id="silence"),
        pytest.param(noise(20, -40), id="line noise"),
        pytest.param(noise(20, -25), id="loud line noise"),
        pytest.param(tone(20, 450, on_s=1, off_s=4), id="ringback"),
        pytest.param(tone(20, 450, on_s=0.35, off_s=0.35), id="busy"),
        pytest.param(tone(20, 425, on_s=20, off_s=0.1), id="dial tone"),
        pytest.param(tone(20, 50, 150, on_s=20, off_s=0.1, level=0.05), id="hum"),
        pytest.param(music(20), id="hold music"),
    ],
)
def test_what_is_no_voice_gives_no_speech(make_call: MakeCall, sound: Samples) -> None:
    assert find_speech(make_call(agent=on_a_line(sound)), SIDES) == ()
    assert find_speech(make_call(agent=sound), SIDES) == ()


@pytest.mark.parametrize("low", [697, 770, 852, 941])
@pytest.mark.parametrize("high", [1209, 1336, 1477, 1633])
def test_keys_are_no_speech(make_call: MakeCall, low: int, high: int) -> None:
    keys = tone(5, low, high, on_s=0.1, off_s=0.12, level=0.15)
    assert find_speech(make_call(caller=on_a_line(keys)), SIDES) == ()


@pytest.mark.parametrize("name", ["good", "bad"])
@pytest.mark.parametrize("gain_db", [0, -12])
def test_every_turn_is_found_from_its_first_word(
    make_call: MakeCall, name: str, gain_db: int
) -> None:
    gain = np.float32(10 ** (gain_db / 20))
    sides = {channel: demo(name, channel) * gain for channel in SIDES}
    spans = find_speech(make_call(caller=sides[Channel.CALLER], agent=sides[Channel.AGENT]), SIDES)
    assert spans == tuple(sorted(spans, key=lambda s: (s.start_ms, s.channel)))
    for turn in demo_turns(name):
        start, end = int(str(turn["start_ms"])), int(str(turn["end_ms"]))
        own = [s for s in spans if s.channel == turn["channel"]]
        own = [s for s in own if s.start_ms < end and s.end_ms > start]
        assert own
        assert own[0].start_ms - start <= 150
        assert end - own[-1].end_ms <= 300


def test_a_drawn_out_vowel_is_no_tone(make_call: MakeCall) -> None:
    """我要 of 我要下班啦 in the demo's bad call: 240 ms as narrow as a tone."""
    spans = find_speech(make_call(agent=demo("bad", Channel.AGENT)), SIDES)
    assert any(abs(span.start_ms - 7178) <= 60 for span in spans)


@pytest.mark.parametrize("name", [path.name for path in sorted(DATA.glob("*.wav"))])
def test_human_speech_is_found_whole(make_call: MakeCall, name: str) -> None:
    sample = wav.read(DATA / name, 0)
    call = make_call(agent=on_a_line(np.concatenate([silence(1), sample, silence(1)])))
    [span] = find_speech(call, SIDES)
    assert span.channel is Channel.AGENT
    assert span.end_ms - span.start_ms > 0.7 * len(sample) * 1000 / RATE


def test_the_other_side_leaking_in_is_not_speech(make_call: MakeCall) -> None:
    voice = demo("good", Channel.AGENT)
    leak = voice * np.float32(10 ** (-32 / 20))
    spans = find_speech(make_call(caller=leak + noise(len(voice) / RATE, -60), agent=voice), SIDES)
    assert {span.channel for span in spans} == {Channel.AGENT}


def test_both_speaking_at_once_is_speech_of_both(make_call: MakeCall) -> None:
    caller, agent = demo("good", Channel.CALLER, 6000), demo("good", Channel.AGENT, 12000)
    spans = find_speech(make_call(caller=caller, agent=agent * np.float32(0.3)), SIDES)
    assert {span.channel for span in spans} == set(SIDES)


def test_speech_beside_hold_music_is_kept(make_call: MakeCall) -> None:
    voice = demo("bad", Channel.AGENT, 7000, 10600)
    call = make_call(agent=on_a_line(np.concatenate([voice, silence(1), music(15)])))
    spans = find_speech(call, SIDES)
    assert spans[0].start_ms < 300
    assert 3000 < spans[-1].end_ms < 4000


def test_long_speech_is_cut_into_what_the_model_takes(make_call: MakeCall) -> None:
    voice = np.tile(demo("bad", Channel.AGENT, 7200, 10350), 20)
    spans = find_speech(make_call(agent=voice), SIDES)
    assert all(span.end_ms - span.start_ms <= 25_000 for span in spans)
    assert sum(a.end_ms == b.start_ms for a, b in pairwise(spans)) >= 2


def test_a_mono_mix_is_the_agents_side(tmp_path: Path) -> None:
    path = tmp_path / "mono.wav"
    wav.write(path, demo("bad", Channel.AGENT), RATE)
    assert {span.channel for span in find_speech(path, ())} == {Channel.AGENT}


def test_a_recording_shorter_than_a_frame(tmp_path: Path) -> None:
    path = tmp_path / "short.wav"
    wav.write(path, np.zeros((10, 2), np.float32), RATE)
    assert find_speech(path, SIDES) == ()


def test_another_rate_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "wide.wav"
    wav.write(path, np.zeros((16000, 2), np.float32), 16_000)
    with pytest.raises(EngineError, match=r"16000 Hz, the ears take 8000 Hz: .*import") as caught:
        find_speech(path, SIDES)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "no WAV|cannot"), (b"RIFF\x00\x00\x00\x00WAVE", "no audio|cannot"), (b"x" * 900, "WAV")],
)
def test_what_is_no_recording_is_one_clear_line(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "broken.wav"
    path.write_bytes(content)
    with pytest.raises(RecordingError) as caught:
        find_speech(path, SIDES)
    assert re.search(message, str(caught.value))
    assert "\n" not in str(caught.value)


def test_a_torn_recording_is_told(make_call: MakeCall) -> None:
    path = make_call(agent=demo("bad", Channel.AGENT))
    path.write_bytes(path.read_bytes()[:40_000])
    with pytest.raises(RecordingError, match="torn"):
        find_speech(path, SIDES)
