"""``sansheng analyze``: the format that others rely on, and one clear line for every bad input."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from calls.text import cell_width
from sansheng.demo import demo_calls
from sansheng.exits import Exit
from tests.sansheng.conftest import Recorded, Run, call_document

Recording = Callable[[str], Recorded]
PLACE_MS = 500
"""How far from its place a finding may be."""


def refusal(done: Any) -> str:
    """The one line on stderr of a run that was refused."""
    assert done.returncode == Exit.BAD_INPUT
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    return str(line)


def broken(case: str, recorded: Recorded) -> None:
    """Spoil the recording or its record in one way."""
    document = json.loads(recorded.call.read_text("utf-8"))
    match case:
        case "no recording":
            recorded.recording.unlink()
        case "empty file":
            recorded.recording.write_bytes(b"")
        case "no samples":
            soundfile.write(recorded.recording, np.zeros((0, 2), np.float32), 8000)
        case "torn":
            whole = recorded.recording.read_bytes()
            recorded.recording.write_bytes(whole[: len(whole) // 2])
        case "no WAV":
            recorded.recording.write_bytes(b"ID3\x04" + bytes(5000))
        case "mono":
            soundfile.write(recorded.recording, np.zeros(8000, np.float32), 8000)
        case "other rate":
            soundfile.write(recorded.recording, np.zeros((16000, 2), np.float32), 16000)
        case "no record":
            recorded.call.unlink()
        case "broken JSON":
            recorded.call.write_text('{"call_id": ')
        case "newer schema":
            recorded.call.write_text(json.dumps(document | {"schema": 99}))
        case "missing key":
            del document["invited_at"]
            recorded.call.write_text(json.dumps(document))
        case "not answered":
            recorded.call.write_text(json.dumps(document | {"answered_at": None}))
        case _:
            raise AssertionError(case)


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ("no recording", "recording.wav"),
        ("empty file", "recording.wav"),
        ("no samples", "no audio"),
        ("torn", "torn"),
        ("no WAV", "recording.wav"),
        ("mono", "1 channel"),
        ("other rate", "16000 Hz"),
        ("no record", "call.json"),
        ("broken JSON", "call.json"),
        ("newer schema", "99"),
        ("missing key", "invited_at"),
        ("not answered", "not answered"),
    ],
)
def test_a_bad_input_is_one_clear_line(
    recorded: Recording, sansheng: Run, case: str, says: str
) -> None:
    call = recorded("good")
    broken(case, call)
    before = sorted(call.call.parent.iterdir())
    line = refusal(sansheng("analyze", call.recording, "--call", call.call, "--json"))
    assert line.startswith("sansheng: ")
    assert says in line
    assert sorted(call.call.parent.iterdir()) == before


def test_a_model_that_is_not_there_is_one_clear_line(
    recorded: Recording, sansheng: Run, tmp_path: Path
) -> None:
    config = tmp_path / "sansheng.toml"
    config.write_text(f'[asr]\nmodel = "{tmp_path}/nowhere"\n')
    call = recorded("good")
    line = refusal(sansheng("analyze", call.recording, "--call", call.call, "-c", config))
    assert "nowhere" in line


def test_a_mistyped_setting_names_the_nearest_key(
    recorded: Recording, sansheng: Run, tmp_path: Path
) -> None:
    config = tmp_path / "sansheng.toml"
    config.write_text("[telephony]\nprot = 5070\n")
    call = recorded("good")
    line = refusal(sansheng("analyze", call.recording, "--call", call.call, "-c", config))
    assert f"{config}: unknown key telephony.prot: did you mean telephony.port?" in line


@pytest.fixture
def analysed(recorded: Recording, sansheng: Run) -> Callable[..., dict[str, Any]]:
    """Analyses a demo call and gives the JSON."""

    def analyse(name: str, **changes: Any) -> dict[str, Any]:
        call = recorded(name)
        call.call.write_text(json.dumps(call_document(call.truth, **changes)), "utf-8")
        done = sansheng("analyze", call.recording, "--call", call.call, "--json")
        assert done.returncode == 0, done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    return analyse


def failed(document: dict[str, Any]) -> set[str]:
    return {item["rule"] for item in document["items"] if item["status"] == "fail"}


@pytest.mark.model
def test_the_good_call_has_nothing_against_it(analysed: Callable[..., dict[str, Any]]) -> None:
    document = analysed("good")
    assert failed(document) == set()
    assert document["findings"] == []
    assert (document["score"], document["rings"]) == (100.0, 2)
    assert document["ring_ms"] == 6000


@pytest.mark.model
def test_the_bad_call_is_told_what_where_and_why(
    analysed: Callable[..., dict[str, Any]],
) -> None:
    document = analysed("bad")
    [truth] = [call.truth for call in demo_calls() if call.name == "bad"]
    assert {"three_rings", "greeting", "forbidden_phrase", "hangup_consent"} <= failed(document)
    [finding] = [f for f in document["findings"] if f["status"] == "fail"]
    [turn] = [turn for turn in truth.turns if turn.violation]
    assert finding["family"] == turn.violation
    assert finding["channel"] == "agent"
    assert finding["severity"] == "critical"
    assert abs(finding["start_ms"] - turn.start_ms) <= PLACE_MS
    assert finding["start_ms"] < finding["end_ms"] <= turn.end_ms + PLACE_MS
    for item in document["items"]:
        assert item["clause"]
        assert item["explanation"]
        if item["rule"] == "forbidden_phrase":
            assert item["veto"] == "pending"


@pytest.mark.model
def test_the_citizen_may_say_what_the_agent_may_not(recorded: Recording, sansheng: Run) -> None:
    call = recorded("bad")
    turned = call.recording.with_name("turned.wav")
    samples, rate = soundfile.read(call.recording)
    soundfile.write(turned, samples[:, ::-1], rate)
    shutil.move(turned, call.recording)
    done = sansheng("analyze", call.recording, "--call", call.call, "--json")
    document = json.loads(done.stdout)
    assert "下班" in "".join(u["text"] for u in document["transcript"] if u["channel"] == "caller")
    # What the citizen pleads is no agent's sentence; a doubt about it is another matter.
    found = [f for f in document["findings"] if f["rule"] == "forbidden_phrase"]
    assert [f for f in found if f["family"] == "F_off_duty" or f["status"] == "fail"] == []
    assert "forbidden_phrase" not in failed(document)


@pytest.mark.model
def test_a_scorecard_fits_an_eighty_column_terminal(recorded: Recording, sansheng: Run) -> None:
    call = recorded("bad")
    done = sansheng("analyze", call.recording, "--call", call.call)
    assert done.returncode == 0
    assert max(map(cell_width, done.stdout.splitlines())) <= 80
    assert "我要下班" in done.stdout
