"""A back-test over the warehouse: stored calls in pages, scored anew by several processes.

The one place where scoring's back-test meets the phrasebook and the warehouse.
"""

import multiprocessing
import signal
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any, Protocol

from calls.call import Call
from calls.codec import from_json
from calls.errors import HandoverError
from calls.hit import Hit, Status
from calls.scorecard import Analysis
from calls.speech import Transcript
from phrasebook import book as phrasebook_file
from phrasebook.book import Phrasebook
from phrasebook.difference import compare as compare_books
from phrasebook.difference import everywhere, forgives
from phrasebook.search import search
from phrasebook.verdict import decide
from sansheng.code import code_version
from scoring import rules as rules_file
from scoring.backtest import Difference, Stored, Summary, backtest
from scoring.rehear import Reach, Words
from scoring.rules import RuleBook
from scoring.standing import Standing, compare
from warehouse.query import run as query

ALL = "true"
"""The condition that takes every call."""
PAGE = 1024
"""Calls read and scored at once: seconds of work, after which a run can be stopped."""
_AHEAD = 2
"""Pages in work for each process: bounds the memory."""
_MAX_ROWS = 10_000_000
_TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one page of calls gave."""

    summary: Summary
    changes: tuple[Difference, ...]
    """The calls that would change or that need their audio, without their scorecards."""
    broken: int
    """Calls whose stored records cannot be read."""


@dataclass(frozen=True, slots=True)
class Row:
    """A stored call as JSON, and people's rulings by rule."""

    call: str
    analysis: str
    transcript: str | None
    people: dict[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """The files to try, and the phrasebook in use beside them (None: the bundled one)."""

    rules: Path | None
    phrases: Path | None
    """None: the phrases stay as they are, and stored hits stand."""
    phrases_in_use: Path | None
    rules_in_use: Path | None = None
    """The rules file in use (None: the bundled one): what it judged and the change cannot touch
    is not judged again."""


@dataclass(frozen=True, slots=True)
class _Desk:
    """What a process needs, loaded once."""

    rules: RuleBook
    standing: Standing
    in_use: str
    """Version of the phrasebook in use."""
    words: Words | None
    blank: Words | None
    """The same for calls that another phrasebook judged: nothing is known to be refuted."""


def count(path: Path, socket: Path | None, days: str = ALL) -> int:
    """How many calls there are; ``days`` is an SQL condition on ``v_calls v``."""
    return int(_ask(f"SELECT count(*) FROM v_calls v WHERE {days}", path, socket)[0][0])


def searched_whole(
    change: Change, path: Path, socket: Path | None, days: str = ALL
) -> tuple[int, tuple[str, ...]]:
    """How many calls are searched from end to end, and what in the phrasebook asks for it.

    Without any such change these are the calls that another phrasebook than the one in use judged.
    """
    if change.phrases is None:
        return 0, ()
    in_use = phrasebook_file.load(change.phrases_in_use)
    reasons = everywhere(in_use, phrasebook_file.load(change.phrases))
    version = in_use.version.replace("'", "''")
    others = f"v.call_id IN (SELECT call_id FROM calls WHERE phrasebook <> '{version}')"
    return count(path, socket, days if reasons else f"{days} AND {others}"), reasons


class Page(Protocol):
    """Some stored calls. The process that scores them reads them: rows travel between none."""

    def read(self) -> list[Row]:
        """The calls; WarehouseError where the warehouse does not give them."""


@dataclass(frozen=True, slots=True)
class Span:
    """The calls that lie at ``first`` and on in the table of records, one page of them."""

    path: Path
    socket: Path | None
    days: str
    first: int

    def read(self) -> list[Row]:
        """The calls with people's rulings, whether or not the service runs."""
        inside = f"r.rowid >= {self.first} AND r.rowid < {self.first + PAGE}"
        if self.days != ALL:
            inside += f" AND r.call_id IN (SELECT call_id FROM v_calls v WHERE {self.days})"
        # One question instead of two: each opens the file.
        found = _ask(
            "SELECT r.rowid, true, r.call_id, r.call_json, r.analysis_json, r.transcript_json"
            f" FROM records r WHERE {inside} UNION ALL"
            " SELECT v.review_id, false, v.call_id, v.rule, v.status, NULL"
            " FROM reviews v JOIN records r USING (call_id)"
            f" WHERE v.finding IS NULL AND v.status IN ('pass', 'fail', 'na') AND {inside}",
            self.path,
            self.socket,
        )
        people: dict[str, dict[str, str]] = {}
        found.sort(key=itemgetter(0))
        for _, whole, call_id, rule, status, _ in found:
            if not whole:
                people.setdefault(call_id, {})[rule] = status
        return [
            Row(call, analysis, transcript, people.get(call_id, {}))
            for _, whole, call_id, call, analysis, transcript in found
            if whole
        ]


def pages(path: Path, socket: Path | None, days: str = ALL) -> Iterator[Span]:
    """The stored calls in pages; a page may turn out empty."""
    (last,) = _ask("SELECT coalesce(max(rowid), -1) FROM records", path, socket)[0]
    for first in range(0, int(last) + 1, PAGE):
        yield Span(path, socket, days, first)


def run(source: Iterator[Page], change: Change, processes: int) -> Generator[Outcome, None, None]:
    """What every page gives, in the order of the source.

    One process does the work here and now; more are fed a few pages ahead, and stopped with this
    generator. Errors in the files to try: RulesError, PhrasebookError.
    """
    desk = _open_desk(change)
    if processes == 1:
        for page in source:
            yield _score(page, desk)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, context, initializer=_prepare, initargs=(change,))
    waiting: list[Future[Outcome]] = []
    try:
        for page in source:
            with _uninterrupted():
                waiting.append(pool.submit(_score_prepared, page))
            if len(waiting) > _AHEAD * processes:
                yield waiting.pop(0).result()
        while waiting:
            yield waiting.pop(0).result()
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C back; processes that start in here never see it.

    It goes to every process of the terminal, and the one that reads the pages decides.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_desk: _Desk | None = None
"""Of a process of the pool: what its initialiser loaded."""


def _prepare(change: Change) -> None:
    global _desk
    _desk = _open_desk(change)


def _score_prepared(page: Page) -> Outcome:
    if _desk is None:
        raise RuntimeError("the pool's initialiser has not run")
    return _score(page, _desk)


def _open_desk(change: Change) -> _Desk:
    rules = rules_file.load(change.rules)
    standing = compare(rules_file.load(change.rules_in_use), rules, code_version())
    in_use = phrasebook_file.load(change.phrases_in_use)
    if change.phrases is None:
        return _Desk(rules, standing, in_use.version, None, None)
    book = phrasebook_file.load(change.phrases)

    words = words_of(in_use, book)
    unknown = Reach(families=None, places=None, asked=())
    blank = replace(words, reach=lambda *_: unknown, forgives=False)
    return _Desk(rules, standing, in_use.version, words, blank)


def words_of(in_use: Phrasebook, tried: Phrasebook) -> Words:
    """A phrasebook to be tried on calls that the one in use has judged."""
    difference = compare_books(in_use, tried)

    def reach(transcript: Transcript, hits: Sequence[Hit]) -> Reach:
        if difference is None:
            return Reach(families=None, places=None, asked=search(in_use, transcript))
        families, places, before = difference.reach(transcript, hits)
        return Reach(families=families, places=places, asked=before)

    return Words(
        propose=partial(search, tried),
        decide=partial(decide, tried),
        version=tried.version,
        reach=reach,
        forgives=forgives(in_use, tried),
    )


def _score(page: Page, desk: _Desk) -> Outcome:
    """Score one page anew; a call that cannot be read does not stop the others."""
    summary = Summary()
    changes: list[Difference] = []
    broken = 0
    for row in page.read():
        try:
            one = _stored(row)
        except HandoverError:
            broken += 1
            continue
        same = one.scorecard.versions.phrasebook == desk.in_use
        words = desk.words if same else desk.blank
        made = next(backtest([one], desk.rules, words, desk.standing))
        summary.add(made, one)
        if made.changed or made.unasked:
            changes.append(replace(made, scorecard=None))
    return Outcome(summary, tuple(changes), broken)


def _stored(row: Row) -> Stored:
    analysis = from_json(row.analysis.encode(), Analysis, name="stored analysis")
    return Stored(
        call=from_json(row.call.encode(), Call, name="stored call"),
        transcript=from_json(row.transcript.encode(), Transcript, name="stored transcript")
        if row.transcript
        else None,
        hits=analysis.hits,
        scorecard=analysis.scorecard,
        people={rule: Status(status) for rule, status in row.people.items()},
    )


def _ask(sql: str, path: Path, socket: Path | None) -> list[tuple[Any, ...]]:
    return query(sql, path=path, socket=socket, max_rows=_MAX_ROWS, timeout_s=_TIMEOUT_S).rows
