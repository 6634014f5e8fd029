"""The command line as a whole: every command is there, and helps with examples."""

import subprocess
import sys

import pytest

from sansheng.cli import COMMANDS
from sansheng.commands import bench


def help_of(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "sansheng", *arguments, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={"COLUMNS": "80", "PATH": "", "TERM": "dumb"},
    )
    return done.stdout


def test_help_names_every_command() -> None:
    text = help_of()
    assert all(name in text for name in COMMANDS)
    assert "sansheng demo" in text


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_helps_within_eighty_columns(command: str) -> None:
    text = help_of(command)
    assert "Usage" in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("name", bench.BenchGroup.modules)
def test_every_bench_helps(name: str) -> None:
    assert "Usage" in help_of("bench", name)
