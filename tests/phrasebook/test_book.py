"""The phrasebook's files: what is delivered loads, and every mistake names file, line and key."""

import shutil
from pathlib import Path

import pytest

from calls.errors import PhrasebookError
from calls.hit import Kind, Severity
from phrasebook import book as books
from phrasebook.book import Phrasebook
from phrasebook.source import find_line

DELIVERED = Path(books.__file__).parent / "data"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DELIVERED, tmp_path / "book"))


def test_delivered_book_holds_the_notice_s_own_phrases(book: Phrasebook) -> None:
    seeds = {p.text: p for p in book.of(Kind.FORBIDDEN) if "seed" in p.sources}
    assert set(seeds) == {"找谁！", "不知道，问别人去吧", "快点，我这里正忙呢！", "我要下班啦"}
    assert seeds["找谁！"].whole
    assert seeds["我要下班啦"].severity is Severity.CRITICAL
    assert len({p.family for p in book.of(Kind.FORBIDDEN)}) == 16


def test_version_changes_with_the_content(copy: Path) -> None:
    before = books.load(copy).version
    assert before == books.load(copy).version == books.load().version
    file = copy / "courtesy.toml"
    file.write_text(file.read_text(encoding="utf-8") + "\n# note\n", encoding="utf-8")
    after = books.load(copy).version
    assert after != before
    assert after.split("+")[0] == before.split("+")[0]


@pytest.mark.parametrize(
    ("written", "instead", "says"),
    [
        ('severity = "major"', 'severty = "major"', "did you mean severity?"),
        ('severity = "major"', 'severity = "grave"', "severity: "),
        ('mode = "whole"', 'mode = "hole"', "mode: "),
        ('id = "F002"', 'id = "F001"', "phrase F001 is there twice"),
        ('text = "你找谁？"', 'text = "？！"', "text holds nothing that is spoken"),
        ('id = "F002"\n', "", "id is missing"),
    ],
)
def test_a_mistake_names_file_line_and_way_out(
    copy: Path, written: str, instead: str, says: str
) -> None:
    file = copy / "forbidden_a_blunt_opening.toml"
    head, mark, tail = file.read_text(encoding="utf-8").partition('id = "F002"')
    broken = head + (mark + tail).replace(written, instead, 1)
    file.write_text(broken, encoding="utf-8")
    first_changed = next(
        number
        for number, (a, b) in enumerate(
            zip((head + mark + tail).splitlines(), broken.splitlines(), strict=False), start=1
        )
        if a != b
    )
    with pytest.raises(PhrasebookError) as caught:
        books.load(copy)
    assert says in str(caught.value)
    line = first_changed - 1 if "missing" in says else first_changed
    assert f"{file}, line {line}" in str(caught.value)


def test_a_broken_pattern_is_refused(copy: Path) -> None:
    file = copy / "book.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("pattern = '您好'", "pattern = '您(好'"), encoding="utf-8")
    with pytest.raises(PhrasebookError, match=r"book\.toml, line \d+: pattern: .*no regular"):
        books.load(copy)


def test_a_guard_for_a_family_that_is_not_there_is_refused(copy: Path) -> None:
    file = copy / "book.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('["A_blunt_opening"]', '["A_blunt"]'), encoding="utf-8")
    with pytest.raises(PhrasebookError, match="no family A_blunt"):
        books.load(copy)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("forbidden_x.toml", b"kind = \n", "is no TOML"),
        ("forbidden_x.toml", b"\xff\xfe\n", "is not UTF-8"),
        ("forbidden_x.toml", b'kind = "rude"\n', "line 1: kind: "),
    ],
)
def test_an_unreadable_file_is_one_clear_line(
    copy: Path, name: str, content: bytes, says: str
) -> None:
    (copy / name).write_bytes(content)
    with pytest.raises(PhrasebookError, match=says) as caught:
        books.load(copy)
    assert "\n" not in str(caught.value).split(" is no TOML")[0]


def test_a_folder_without_a_book_says_so(tmp_path: Path) -> None:
    with pytest.raises(PhrasebookError, match=r"holds no book\.toml"):
        books.load(tmp_path)


def test_lines_are_found_through_nested_tables() -> None:
    text = '[[family]]\nid = "a"\n[[family.phrase]]\nid = 1\n[[family.phrase]]\nid = 2\nmode = 3\n'
    assert find_line(text, ("family", 0, "phrase", 1, "mode")) == 7
    assert find_line(text, ("family", 0, "phrase", 0, "mode")) == 3
    assert find_line(text, ("family", 0, "id")) == 2
