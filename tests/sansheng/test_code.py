"""The version of the code that judges."""

import shutil
from pathlib import Path

import pytest

from sansheng import code
from sansheng.code import code_version


@pytest.fixture
def rooms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a judging room, which the version is asked of instead."""
    shutil.copytree(Path(code.__file__).parents[1] / "scoring", tmp_path / "judging_copy")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(code, "_ROOMS", ("judging_copy",))
    return tmp_path / "judging_copy"


def test_the_version_changes_with_the_code_and_with_nothing_else(rooms: Path) -> None:
    version = code_version.__wrapped__
    before = version()
    assert len(before) == 8
    assert version() == before
    (rooms / "notes.txt").write_text("not code", encoding="utf-8")
    assert version() == before
    file = rooms / "judge.py"
    file.write_text(file.read_text("utf-8") + "\n", encoding="utf-8")
    assert version() != before


def test_the_version_is_that_of_the_rooms_that_judge() -> None:
    assert code_version() == code_version.__wrapped__()
    assert {"calls", "phrasebook", "scoring"} <= set(code._ROOMS)
