"""Probe calls before they are placed: which may be, how often, and whose turn it is to speak."""

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from calls import wav
from calls.errors import TapError
from telephony.probe.limits import Ledger, check_pace, number_of
from telephony.probe.round import line_audio
from telephony.probe.settings import ProbeSettings
from telephony.probe.turns import Turn, Turns

PBX = "sip:88908890@10.0.0.2"
ALLOWED = ProbeSettings(targets=(PBX, "sip:8890*@pbx.example:5060"))
NOW = 1_795_000_000.0


@pytest.mark.parametrize(
    ("target", "number"),
    [
        (PBX, "88908890"),
        (PBX.upper().replace("SIP", "sip"), "88908890"),
        (f"{PBX};transport=tcp", "88908890"),
        ("sip:88901234@pbx.example:5060", "88901234"),
    ],
)
def test_a_configured_target_may_be_called(target: str, number: str) -> None:
    assert number_of(target, ALLOWED) == number


@pytest.mark.parametrize(
    "target",
    [
        "sip:110@10.0.0.2",
        "sip:88908890@10.0.0.20",
        "sip:88908890@10.0.0.2:5061",
        "sip:88908890@10.0.0.2;maddr=10.9.9.9",
        "sip:88908890@10.0.0.2?Route=sip:110@other",
        "sip:88908890%40other@10.0.0.2",
        "sips:88908890@10.0.0.2",
        "tel:88908890",
        "88908890",
        "",
        f"{PBX}\n",
    ],
)
def test_any_other_target_is_refused(target: str) -> None:
    with pytest.raises(TapError):
        number_of(target, ALLOWED)


def test_without_targets_nothing_may_be_called() -> None:
    with pytest.raises(TapError, match=r"telephony\.probe"):
        number_of(PBX, ProbeSettings())


@pytest.mark.parametrize(
    ("times", "every_s", "allowed"),
    [
        (1, 1, True),
        (2, 59, False),
        (2, 60, True),
        (20, 180, True),
        (21, 60, False),
        (99, 190, True),
    ],
)
def test_a_plan_keeps_the_pace(times: int, every_s: float, allowed: bool) -> None:
    if allowed:
        check_pace(times, every_s, ALLOWED)
    else:
        with pytest.raises(TapError, match="limit"):
            check_pace(times, every_s, ALLOWED)


def test_calls_are_counted_over_restarts_and_by_the_hour(tmp_path: Path) -> None:
    settings = ProbeSettings(calls_an_hour=3, interval_s=60)
    path = tmp_path / "ledger"
    for minute in (0, 1, 20):
        with Ledger(path, settings).admit(NOW + minute * 60):
            pass
    with (
        pytest.raises(TapError, match="placed in 1201 s"),
        Ledger(path, settings).admit(NOW + 40 * 60),
    ):
        pass
    path.write_text(path.read_text() + "torn")
    with Ledger(path, settings).admit(NOW + 60 * 60 + 1):
        pass
    assert len(path.read_text().splitlines()) == 3
    with (
        pytest.raises(TapError, match="placed in 59 s"),
        Ledger(path, settings).admit(NOW + 60 * 60 + 3),
    ):
        pass


def test_one_call_is_placed_at_a_time(tmp_path: Path) -> None:
    with ExitStack() as stack:
        stack.enter_context(Ledger(tmp_path / "ledger", ALLOWED).admit(NOW))
        with pytest.raises(TapError, match="under way"):
            stack.enter_context(Ledger(tmp_path / "ledger", ALLOWED).admit(NOW + 3000))


def turns_of(
    speech: list[tuple[float, float]], *, asks: bool = True, parts: bool = True
) -> dict[Turn, float]:
    """When each turn begins, in seconds, where the other side speaks in these stretches.

    Every file that is played lasts two seconds.
    """
    turns = Turns(ProbeSettings(greeting_s=8, listen_s=30, quiet_s=3), asks, parts)
    began = {Turn.GREETING: 0.0}
    for step in range(3000):
        now = step / 20
        hears = any(start <= now < end for start, end in speech)
        turn = turns.step(now * 1000, hears=hears, played=now - began[turns.turn] >= 2)
        if turn not in began:
            began[turn] = now
    return began


def test_it_asks_after_the_greeting_listens_to_the_answer_and_parts() -> None:
    began = turns_of([(0.5, 2), (6, 9), (11, 15), (21, 22)])
    assert began[Turn.ASKING] == pytest.approx(3.2, abs=0.1)
    assert began[Turn.LISTENING] == pytest.approx(5.2, abs=0.1)
    # A pause of two seconds ends no answer.
    assert began[Turn.PARTING] == pytest.approx(18, abs=0.1)
    assert began[Turn.LAST] == pytest.approx(20, abs=0.1)
    assert began[Turn.DONE] == pytest.approx(23.2, abs=0.1)


@pytest.mark.parametrize(
    ("speech", "asks", "parts", "asking", "done"),
    [
        ([], True, True, 8.0, 8 + 2 + 30 + 2 + 4),
        ([], True, False, 8.0, 8 + 2 + 30),
        ([(0, 200)], True, True, 30.0, 30 + 2 + 30 + 2 + 4),
        ([(0.5, 2)], False, False, None, 3.2 + 30),
    ],
)
def test_silence_and_endless_talk_end_too(
    speech: list[tuple[float, float]], asks: bool, parts: bool, asking: float | None, done: float
) -> None:
    began = turns_of(speech, asks=asks, parts=parts)
    assert began.get(Turn.ASKING) == (None if asking is None else pytest.approx(asking, abs=0.1))
    assert began[Turn.DONE] == pytest.approx(done, abs=0.2)


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (16_000, 1), (44_100, 2)])
def test_a_question_of_any_rate_is_brought_to_the_line(
    tmp_path: Path, rate: int, channels: int
) -> None:
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate).astype(np.float32)
    shape = np.repeat(tone[:, None], channels, axis=1) if channels > 1 else tone
    wav.write(tmp_path / "tone.wav", shape.astype(np.float32), rate)
    made = line_audio(tmp_path / "tone.wav", tmp_path / "line.wav")
    info = wav.inspect(made)
    assert (info.sample_rate, info.channels, info.coding) == (8000, 1, "PCM_16")
    assert info.duration_ms == pytest.approx(1000, abs=2)
    spectrum = np.abs(np.fft.rfft(wav.read(made, 0)))
    assert int(np.argmax(spectrum)) == pytest.approx(440, abs=2)


def test_a_question_of_minutes_is_refused(tmp_path: Path) -> None:
    wav.write(tmp_path / "long.wav", np.zeros(8000 * 121, np.float32), 8000)
    with pytest.raises(TapError, match="at most"):
        line_audio(tmp_path / "long.wav", tmp_path / "line.wav")
