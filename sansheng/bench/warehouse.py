"""``sansheng bench warehouse``: reports, pages, search and ingest at size, beside SQLite."""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from sansheng.backtest import Change

app = typer.Typer()

_DAYS = 365
_MONTH = 30
_WORD = "社保，卡"
_PHRASE = "少跟我在这儿啰嗦"
_WARM = 3
"""Warm runs of each figure; the middle one counts."""
_WHOLE = 1000
"""Handed-over calls for the ingest figures."""
_SINGLES = 100
_MOST = 5_000_000
"""Rows of counts that a report may rest on."""
_PATIENCE_S = 600.0


@app.command(
    epilog="Examples:  sansheng bench warehouse    |    … --calls 10000000 --stored 200000"
)
def warehouse(
    calls: Annotated[int, typer.Option(min=1000, help="Calls in the warehouse.")] = 100_000,
    stored: Annotated[
        int, typer.Option(min=0, help="Of these, calls with whole records, to back-test.")
    ] = 5_000,
    sqlite: Annotated[bool, typer.Option(help="Ask SQLite the same beside it.")] = True,
    folder: Annotated[
        Path | None, typer.Option(help="Where the files go; else the system's temporary folder.")
    ] = None,
) -> None:
    """Reports by agent over the last 30 of 365 days and over all, warm and cold, in milliseconds.

    Cold is the first question to a file just opened. Ingest is of whole hand-over folders, each
    with a two-minute recording, into that same file; a back-test runs on two processes.
    """
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    with tempfile.TemporaryDirectory(prefix="sansheng-bench-", dir=folder) as name:
        root = Path(name)
        path = root / "bench.duckdb"
        start = datetime.now(UTC).replace(microsecond=0) - timedelta(days=_DAYS)
        console.print(f"filling a warehouse with {calls:,} calls")
        figures: dict[str, Any] = {"calls": calls, **_fill(path, calls, start)}
        console.print("reports")
        figures |= _reports(path, start.date())
        figures |= _pages(path, calls)
        if sqlite:
            console.print("the same in SQLite")
            figures |= _sqlite(path, root / "bench.sqlite", start)
        console.print("ingest")
        figures |= _ingest(path, root)
        console.print("back-test")
        figures |= _backtest(path, stored, root)
    typer.echo(json.dumps(figures))


def _fill(path: Path, calls: int, start: datetime) -> dict[str, Any]:
    """The calls, and their days counted for the reports as a running service does."""
    from sansheng.bench.synthetic import insert_calls
    from warehouse.store import Warehouse

    store = Warehouse.open(path)
    try:
        store.write(lambda cursor: insert_calls(cursor, calls, start, _DAYS))
        began = time.perf_counter()
        while store.count_days():
            pass
        counting = time.perf_counter() - began
    finally:
        store.close()
    return {"file_mb": round(path.stat().st_size / 1e6, 1), "counting_s": round(counting, 1)}


def _sqlite(path: Path, copy: Path, start: datetime) -> dict[str, Any]:
    """The same rows in SQLite, asked the same."""
    from sansheng.bench.beside import ask_sqlite
    from warehouse.store import Warehouse

    store = Warehouse.open(path)
    try:
        word = _WORD.replace("，", "")
        figures = ask_sqlite(store, copy, start, _DAYS, _MONTH, word=word)
    finally:
        store.close()
        copy.unlink(missing_ok=True)
    return figures


def _reports(path: Path, start: date) -> dict[str, Any]:
    """Each report by agent, over a month and over the year: cold on a file just opened, then warm.

    Warm ones with the intervals of ``sansheng report``.
    """
    from sansheng.fairness import with_intervals
    from warehouse import query
    from warehouse.reports import By, Report, report_sql
    from warehouse.store import Warehouse

    def asked(report: Report, sql: str) -> None:
        with store.cursor() as cursor:
            found = query.answer(cursor, sql, max_rows=_MOST, timeout_s=_PATIENCE_S)
        with_intervals(report, found)

    last = start + timedelta(days=_DAYS)
    month = {r: report_sql(r, By.AGENT, last - timedelta(days=_MONTH), last) for r in Report}
    year = {r: report_sql(r, By.AGENT, start, last) for r in Report}

    def cold(sql: str) -> float:
        return _timed(partial(query.run, sql, path=path, socket=None, max_rows=_MOST))

    figures: dict[str, Any] = {
        "reports_cold_ms": {str(report): cold(sql) for report, sql in month.items()},
        "reports_year_cold_ms": {str(report): cold(sql) for report, sql in year.items()},
    }
    store = Warehouse.open(path)
    try:
        return figures | {
            "reports_ms": {str(r): _warm(partial(asked, r, sql)) for r, sql in month.items()},
            "reports_year_ms": {str(r): _warm(partial(asked, r, sql)) for r, sql in year.items()},
        }
    finally:
        store.close()


def _pages(path: Path, calls: int) -> dict[str, Any]:
    """What a call's page asks, and a word looked for in every transcript."""
    from warehouse.store import Warehouse

    store = Warehouse.open(path)
    (found,) = store.rows(f"SELECT call_id FROM calls LIMIT 1 OFFSET {calls // 2}")
    middle = found["call_id"]
    asked = [
        f"SELECT * FROM {view} WHERE call_id = '{middle}'"
        for view in ("v_calls", "v_items", "v_findings", "v_utterances", "v_scorecards", "reviews")
    ]
    word = f"SELECT * FROM said('{_WORD}') LIMIT 100"
    try:
        return {
            "call_page_ms": _warm(lambda: [store.rows(sql) for sql in asked]),
            "search_ms": _warm(lambda: store.rows(word)),
        }
    finally:
        store.close()


def _ingest(path: Path, root: Path) -> dict[str, float]:
    """Hand-over folders into the filled warehouse, many at once and one at a time."""
    from sansheng.bench.synthetic import whole_call
    from warehouse.store import Warehouse

    folders = [whole_call(root / "analysed", place) for place in range(_WHOLE + _SINGLES)]
    store = Warehouse.open(path)
    began, used = time.perf_counter(), sum(os.times()[:2])
    store.ingest_many(folders[:_WHOLE], root / "archive")
    bulk = _WHOLE / (time.perf_counter() - began)
    bulk_cpu = (sum(os.times()[:2]) - used) * 1000 / _WHOLE
    began = time.perf_counter()
    for folder in folders[_WHOLE:]:
        store.ingest(folder, root / "archive")
    single = _SINGLES / (time.perf_counter() - began)
    store.close()
    return {
        "ingest_bulk_per_s": round(bulk, 1),
        "ingest_bulk_cpu_ms": round(bulk_cpu, 3),
        "ingest_single_per_s": round(single, 1),
    }


def _backtest(path: Path, stored: int, root: Path) -> dict[str, float]:
    """The rules in use, then one phrase more, tried on stored calls."""
    from sansheng.backtest import Change
    from sansheng.bench.synthetic import repeat_records
    from scoring.rules import RULES_FILE
    from warehouse.store import Warehouse

    store = Warehouse.open(path)
    store.write(lambda cursor: repeat_records(cursor, stored - _WHOLE - _SINGLES))
    store.close()
    rules = Change(rules=RULES_FILE, phrases=None, phrases_in_use=None)
    phrase = Change(rules=None, phrases=_one_phrase_more(root), phrases_in_use=None)
    return _tried(path, rules, "backtest") | _tried(path, phrase, "backtest_phrase")


def _tried(path: Path, change: "Change", name: str) -> dict[str, float]:
    """A change tried by two processes, by the clock and by the processors' time."""
    from sansheng.backtest import pages, run

    began, used = time.perf_counter(), sum(os.times()[:4])
    scored = sum(outcome.summary.calls for outcome in run(pages(path, None), change, 2))
    return {
        f"{name}_calls": scored,
        f"{name}_calls_per_s": round(scored / (time.perf_counter() - began), 1),
        f"{name}_cpu_ms": round((sum(os.times()[:4]) - used) * 1000 / scored, 3),
    }


def _one_phrase_more(root: Path) -> Path:
    """A copy of the delivered phrasebook with a family of one phrase."""
    folder = root / "phrases"
    with resources.as_file(resources.files("phrasebook") / "data") as delivered:
        shutil.copytree(delivered, folder)
    (folder / "bench.toml").write_text(
        'kind = "forbidden"\n[[family]]\nid = "Z_bench"\nname = "试"\n'
        f'[[family.phrase]]\nid = "Z_bench_1"\ntext = "{_PHRASE}"\n',
        encoding="utf-8",
    )
    return folder


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return round((time.perf_counter() - began) * 1000, 1)


def _warm(work: Callable[[], object]) -> float:
    """The middle of a few runs after a first one, in milliseconds."""
    work()
    return sorted(_timed(work) for _ in range(_WARM))[_WARM // 2]
