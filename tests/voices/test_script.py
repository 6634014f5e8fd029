"""A script is read whole or refused in one line that names the place."""

from pathlib import Path

import pytest

from calls.call import Channel, EndedBy
from calls.errors import SettingsError
from voices.script import load

TURN = '[[turn]]\nside = "agent"\ntext = "您好"\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "script.toml"
    path.write_text(text, "utf-8")
    return path


def test_a_short_script_has_every_default(tmp_path: Path) -> None:
    script = load(written(tmp_path, 'name = "a"\n' + TURN))
    assert script.turn[0].side is Channel.AGENT
    assert script.hangup is EndedBy.CALLER
    assert script.voice_of(script.turn[0]) == script.voices[Channel.AGENT]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('name = "a"\n', "turn"),
        ('name = "a"\nspeeed = 1\n' + TURN, "speeed"),
        ('name = "../a"\n' + TURN, "name"),
        ('name = "a"\n' + TURN + "speed = 9\n", "turn.0.speed"),
        ('name = "a"\n' + TURN + 'voice = "nobody"\n', "jf_alpha"),
        ('name = "a"\n' + TURN + "start_ms = 1\noverlap_ms = 1\n", "not both"),
        ('name = "a"\nvoices = {agent = "jf_alpha"}\n' + TURN, "one for the caller"),
        ('name = "a"\n' + TURN + '[[breach]]\nrule = "greeting"\nturn = 3\n', "turn 3"),
        ('name = "a"\n[verdict]\nfial = []\n' + TURN, "verdict.fial"),
        ('name = "a\n', "not TOML"),
    ],
)
def test_a_wrong_script_names_its_place(tmp_path: Path, text: str, named: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        load(path)
    assert named in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in caught.value.message


def test_a_call_that_nobody_answers_has_no_turns(tmp_path: Path) -> None:
    script = load(written(tmp_path, 'name = "a"\nanswered = false\nring_ms = 16000\n'))
    assert (script.answered, script.turn, script.ring_ms) == (False, (), 16_000)


def test_a_missing_script_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no\.toml"):
        load(tmp_path / "no.toml")
