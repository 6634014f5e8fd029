"""The back-test over a real warehouse: pages, processes, people's rulings, broken rows."""

import csv
import itertools
import re
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import psutil
import pytest

from calls.errors import PhrasebookError, RulesError, SettingsError
from calls.hit import Status
from phrasebook import book as phrasebook_file
from sansheng import backtest as module
from sansheng.backtest import Change, Row, count, pages, run, searched_whole
from sansheng.code import code_version
from sansheng.commands.backtest import _Report, _show
from scoring import rules as rules_file
from scoring.backtest import Summary
from tests.peers.hotline import hand_over, stories
from warehouse.store import Warehouse


@dataclass(frozen=True)
class Given:
    """A page whose rows are given."""

    rows: list[Row]

    def read(self) -> list[Row]:
        return self.rows


SAME = Change(rules=None, phrases=None, phrases_in_use=None)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse of twelve calls, one of which a person has ruled on."""
    root = tmp_path_factory.mktemp("warehouse")
    path = root / "sansheng.duckdb"
    warehouse = Warehouse.open(path)
    try:
        for story in stories():
            warehouse.ingest(hand_over(story, root / "spool"), root / "archive")
        warehouse.write(
            lambda cursor: cursor.execute(
                "INSERT INTO reviews (call_id, rule, finding, reviewer, reviewed_at, decision,"
                " status, comment) VALUES ('call-01', 'three_rings', NULL, 'qa', now(),"
                " 'agree', 'fail', '')"
            )
        )
    finally:
        warehouse.close()
    return path


@pytest.fixture
def lenient(tmp_path: Path) -> Path:
    """The bundled rules with four rings allowed."""
    text = Path(rules_file.__file__).with_name("data").joinpath("rules.toml").read_text("utf-8")
    path = tmp_path / "rules.toml"
    path.write_text(text.replace("\nrings = 3\n", "\nrings = 4\n"), encoding="utf-8")
    return path


def test_every_call_is_scored_once_in_order(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE", 5)
    made = list(pages(database, None))
    assert [len(page.read()) for page in made] == [5, 5, 2]
    assert count(database, None) == 12
    outcomes = list(run(iter(made), SAME, 1))
    assert [outcome.summary.calls for outcome in outcomes] == [5, 5, 2]
    ids = [msgspec.json.decode(row.call)["call_id"] for page in made for row in page.read()]
    assert sorted(ids) == [f"call-{n:02d}" for n in range(12)]


def test_several_processes_say_the_same_as_one(database: Path, lenient: Path) -> None:
    change = replace(SAME, rules=lenient)
    split = [Given([row]) for page in pages(database, None) for row in page.read()]
    alone = list(run(iter(split), change, 1))
    assert list(run(iter(split), change, 2)) == alone
    changes = [change for outcome in alone for change in outcome.changes]
    late = next(change for change in changes if change.call_id == "call-01")
    assert "three_rings" in {mark.rule for mark in late.cleared}
    assert late.scorecard is None


def test_peoples_rulings_come_along(database: Path) -> None:
    (outcome,) = run(pages(database, None), SAME, 1)
    before, after = outcome.summary.quality
    assert before == after
    assert [(q.rule, q.precision.hits, q.judged) for q in before] == [("three_rings", 1, 1)]


def test_a_condition_limits_the_calls(database: Path) -> None:
    days = "v.agent = '1001'"
    rows = list(itertools.chain.from_iterable(page.read() for page in pages(database, None, days)))
    assert len(rows) == count(database, None, days) == 4


def test_a_changed_phrasebook_is_searched_for_again(database: Path) -> None:
    folder = Path(phrasebook_file.__file__).with_name("data")
    change = Change(rules=None, phrases=folder, phrases_in_use=None)
    (outcome,) = run(pages(database, None), change, 1)
    found = {change.call_id: change for change in outcome.changes}
    # These calls were judged by another phrasebook, so only the audio can confirm the words.
    assert found["call-04"].unasked > 0
    phrases = [mark for mark in found["call-04"].flagged if mark.rule == "forbidden_phrase"]
    assert {mark.status for mark in phrases} == {Status.REVIEW}


def test_a_row_that_cannot_be_read_does_not_stop_the_others(database: Path) -> None:
    (page,) = pages(database, None)
    first, second = page.read()[:2]
    broken = Given([first, Row("{", "{", None, {}), second])
    (outcome,) = run(iter([broken]), SAME, 1)
    assert (outcome.summary.calls, outcome.broken) == (2, 1)


@pytest.mark.parametrize("processes", [1, 2])
def test_wrong_files_are_told_before_any_call(
    database: Path, tmp_path: Path, processes: int
) -> None:
    def never() -> Iterator[Given]:
        raise AssertionError("a page was read")
        yield Given([])

    with pytest.raises(RulesError):
        next(run(never(), replace(SAME, rules=tmp_path / "no.toml"), processes))
    with pytest.raises(PhrasebookError):
        next(run(never(), replace(SAME, phrases=tmp_path), processes))


def test_the_run_stops_when_its_reader_stops(database: Path) -> None:
    taken = 0

    def endless() -> Iterator[Given]:
        nonlocal taken
        (page,) = pages(database, None)
        while True:
            taken += 1
            yield Given(page.read()[:1])

    outcomes = run(endless(), SAME, 2)
    assert next(outcomes).summary.calls == 1
    outcomes.close()
    assert taken <= 6


def test_an_interrupt_stops_the_reader_and_never_a_process(database: Path) -> None:
    (page,) = pages(database, None)
    two = Given(page.read()[:2])

    def source() -> Iterator[Given]:
        for _ in range(8):
            yield two

    outcomes = run(source(), SAME, 2)
    assert next(outcomes).summary.calls == 2
    children = psutil.Process().children(recursive=True)
    assert children
    for child in children:
        child.send_signal(signal.SIGINT)
    assert sum(outcome.summary.calls for outcome in outcomes) == 14


def test_the_summary_and_the_call_by_call_file(
    database: Path, lenient: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = Summary()
    path = tmp_path / "changes.csv"
    with _Report(path) as report:
        for outcome in run(pages(database, None), replace(SAME, rules=lenient), 1):
            summary.merge(outcome.summary)
            for change in outcome.changes:
                report.write(change)
    _show(summary, json=True, whole=True, broken=0)
    document = msgspec.json.decode(capsys.readouterr().out)
    assert (document["calls"], document["whole"], document["broken"]) == (12, True, 0)
    assert document["cleared"]["three_rings"] == 1
    assert document["quality"]["before"][0]["rule"] == "three_rings"
    _show(summary, json=False, whole=False, broken=1)
    told = capsys.readouterr().out.replace("\n", "")
    assert "12 calls (stopped)" in told
    assert "1 could not be read" in told
    rows = list(csv.DictReader(path.read_text("utf-8-sig").splitlines()))
    assert {row["call_id"] for row in rows} >= {"call-01"}
    assert "three_rings fail" in next(r["cleared"] for r in rows if r["call_id"] == "call-01")


def test_a_file_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot write"), _Report(tmp_path / "no" / "c.csv"):
        pass


def test_calls_that_are_searched_whole_are_counted_and_the_reason_is_told(
    database: Path, tmp_path: Path
) -> None:
    bundled = Path(phrasebook_file.__file__).with_name("data")
    milder = tmp_path / "milder"
    shutil.copytree(bundled, milder)
    head = milder / "book.toml"
    text = re.sub(r"(?m)^meaning_heard *=.*$", "meaning_heard = 0.01", head.read_text("utf-8"))
    head.write_text(text, encoding="utf-8")
    tried = replace(SAME, phrases=milder)
    assert searched_whole(tried, database, None) == (12, ("[verdict] meaning_heard",))
    same = replace(SAME, phrases=bundled)
    # Another phrasebook judged the calls of this warehouse, and is not there to be compared with.
    assert searched_whole(same, database, None) == (12, ())
    assert searched_whole(same, database, None, "v.agent = '1001'") == (4, ())
    assert searched_whole(SAME, database, None) == (0, ())


def test_calls_that_other_code_judged_are_counted(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (outcome,) = run(pages(database, None), SAME, 1)
    assert outcome.summary.elsewhere == 12
    _show(outcome.summary, json=False, whole=True, broken=0)
    assert "12 calls were judged by other code" in capsys.readouterr().out.replace("\n", " ")
    (page,) = pages(database, None)
    rows = []
    for row in page.read():
        analysis = msgspec.json.decode(row.analysis)
        analysis["scorecard"]["versions"]["code"] = code_version()
        rows.append(replace(row, analysis=msgspec.json.encode(analysis).decode()))
    (outcome,) = run(iter([Given(rows)]), SAME, 1)
    assert outcome.summary.elsewhere == 0
