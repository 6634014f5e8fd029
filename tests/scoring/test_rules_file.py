"""A slip in a rules file is found when it is loaded, at its line."""

from collections.abc import Callable
from pathlib import Path

import pytest

from calls.errors import RulesError
from scoring import rules
from scoring.directory import load_directory
from scoring.rules import RuleBook

Edited = Callable[..., Path]


def line_of(path: Path, text: str) -> int:
    lines = path.read_text("utf-8").splitlines()
    return next(n for n, line in enumerate(lines, 1) if text in line)


def test_the_bundled_rules_load_with_a_version_of_name_and_content(book: RuleBook) -> None:
    name, digest = book.version.split("+")
    assert name == book.file.version
    assert len(digest) == 8


def test_any_change_of_the_content_is_another_version(book: RuleBook, edited: Edited) -> None:
    path = edited(("weight = 12", "weight = 11"))
    changed = rules.load(path)
    assert changed.file.version == book.file.version
    assert changed.version != book.version


def test_the_weights_of_the_notice_stand_in_the_file(book: RuleBook) -> None:
    file = book.file
    assert [
        getattr(file, name).weight
        for name in (
            "three_rings",
            "greeting",
            "mandarin",
            "please_first",
            "answers_questions",
            "farewell",
            "hold_consent",
            "hangup_consent",
            "forbidden_phrase",
            "interruption",
            "shirking",
            "flat_refusal",
        )
    ] == [10, 10, 5, 5, 4, 4, 10, 12, 15, 8, 12, 5]


@pytest.mark.parametrize(
    ("old", "new", "at", "nearest"),
    [
        ("cadence_ms = 5000", "cadense_ms = 5000", "cadense_ms", "three_rings.cadence_ms"),
        ("[greeting]", "[greting]", "[greting]", "greeting"),
        ("too_short =", "to_short =", "to_short", "greeting.say.too_short"),
        ('unless = ["下集再见"]', 'unles = ["下集再见"]', "unles ", "farewell.words.unless"),
    ],
)
def test_an_unknown_key_names_file_line_and_nearest_key(
    edited: Edited, old: str, new: str, at: str, nearest: str
) -> None:
    path = edited((old, new))
    with pytest.raises(RulesError) as caught:
        rules.load(path)
    assert str(caught.value).startswith(f"{path}:{line_of(path, at)}: unknown key ")
    assert str(caught.value).endswith(f"did you mean {nearest}?")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("weight = 10", "weight = -1", "greater than or equal to 0"),
        ("weight = 10", 'weight = "ten"', "valid number"),
        ("mos_min = 2.6", "mos_min = 9.0", "less than or equal to 5"),
        ("rings = 3", "rings = 0", "greater than or equal to 1"),
    ],
)
def test_a_value_out_of_range_names_its_line(edited: Edited, old: str, new: str, said: str) -> None:
    path = edited((old, new))
    with pytest.raises(RulesError) as caught:
        rules.load(path)
    assert f"{path}:{line_of(path, new)}: " in str(caught.value)
    assert said in str(caught.value)


def test_a_missing_key_names_the_table_it_belongs_to(edited: Edited) -> None:
    path = edited(("cadence_ms = 5000\n", ""))
    with pytest.raises(RulesError, match=r"three_rings\.cadence_ms: Field required") as caught:
        rules.load(path)
    assert f":{line_of(path, '[three_rings]')}:" in str(caught.value)


def test_a_missing_sentence_is_named(edited: Edited) -> None:
    path = edited(('too_short = "接通后很快结束，来不及问候。"\n', ""))
    with pytest.raises(RulesError, match=r"greeting\.say\.too_short is missing"):
        rules.load(path)


def test_a_placeholder_that_nobody_fills_is_named_with_the_nearest(edited: Edited) -> None:
    path = edited(("铃响 {rings} 声（{seconds} 秒）接听", "铃响 {ring} 声（{seconds} 秒）接听"))
    with pytest.raises(RulesError, match=r"names \{ring\}: did you mean \{rings\}\?"):
        rules.load(path)


def test_a_single_brace_is_told_at_its_line(edited: Edited) -> None:
    path = edited(("此项规则已停用。", "此项规则已停用。{"))
    with pytest.raises(RulesError, match=r"notes\.say\.off"):
        rules.load(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"version = ", "is no TOML file"), (b"\xff\xfe", "is not UTF-8"), (None, "does not exist")],
)
def test_a_file_that_cannot_be_read_is_one_clear_error(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    path = tmp_path / "rules.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RulesError, match=said):
        rules.load(path)


def test_a_site_may_lay_its_own_directory_beside_its_rules(edited: Edited) -> None:
    path = edited(("version = ", "version = "))
    path.with_name("departments.toml").write_text(
        'names = ["滨海新区热线科"]\nendings = []\nnot_names = []\n', encoding="utf-8"
    )
    own = rules.load(path)
    assert own.directory.departments.any == ("滨海新区热线科",)
    assert own.version != rules.load().version


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("names = []\nendings = []\nnot_names = []\n", "names"),
        ('nmaes = ["人社局"]\nendings = []\nnot_names = []\n', "known keys"),
        ("names = [", "no TOML"),
    ],
)
def test_a_wrong_directory_is_one_clear_error(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "departments.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(RulesError, match=said):
        load_directory(path)
