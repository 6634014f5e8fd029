"""The run: what there is, what is new, each into the spool once, and what could not be read.

A call is made in a private folder beside the spool's stages and renamed into RECORDED, so a kill
leaves either nothing of it or the whole. The ledger then remembers it; a kill between the two
makes the call again under the same id, which ingest takes as the one it has.
"""

import errno
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import msgspec

from calls.codec import to_json
from calls.errors import HandoverError, SanshengError
from calls.handover import CALL_FILE, Spool, Stage
from importer.roster import Roster
from importer.source import Item, Source, call_id

LEDGER_FILE = "ledger.jsonl"
QUARANTINE_FILE = "quarantine.jsonl"
_DRAFTS = ".import"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS})
"""What no other call would survive either."""
_HANDS = 4
"""Calls being made durable for each that is being read: the disk takes many waits as one."""


class State(StrEnum):
    """What became of one item."""

    IMPORTED = "imported"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One item's end; ``reason`` says why it is quarantined."""

    call_id: str
    label: str
    state: State
    reason: str = ""
    recorded: bool = True
    """False for an answered call of which the source has no audio."""
    audio_ms: int = 0
    """Length of its recording, which the ears still have to hear."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run will do."""

    items: tuple[Item, ...]
    """The new ones."""
    known: int
    """Imported before."""
    outside: int
    """Outside the wanted days."""
    unsettled: int = 0
    """Still being written."""

    @property
    def size(self) -> int:
        """Bytes to read."""
        return sum(item.size for item in self.items)


class Ledger:
    """What has been imported, one JSON line a call; torn last lines are passed over."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / LEDGER_FILE
        self._quarantine = folder / QUARANTINE_FILE
        self._lock = threading.Lock()
        self.known = {outcome.call_id for outcome in _read(self._path)}
        _end_line(self._path)

    def note(self, outcome: Outcome) -> None:
        """Remember an outcome."""
        path = self._path if outcome.state is State.IMPORTED else self._quarantine
        try:
            with self._lock, path.open("ab") as file:
                file.write(msgspec.json.encode(outcome) + b"\n")
        except OSError as error:
            raise _no_room(error) from error
        if outcome.state is State.IMPORTED:
            self.known.add(outcome.call_id)

    def begin_quarantine(self) -> None:
        """Forget the last run's quarantine: what was mended must not stay in it."""
        self._quarantine.unlink(missing_ok=True)


def plan(
    source: Source,
    ledger: Ledger,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    settled_before: float | None = None,
) -> Plan:
    """Look through the source without reading a call; ``until`` is the first moment left out."""
    new: list[Item] = []
    known = outside = unsettled = 0
    for item in source.items():
        if call_id(source.name, item.key) in ledger.known:
            known += 1
        elif item.at is not None and (
            (since is not None and item.at < since) or (until is not None and item.at >= until)
        ):
            outside += 1
        elif settled_before is not None and item.changed > settled_before:
            unsettled += 1
        else:
            new.append(item)
    return Plan(items=tuple(new), known=known, outside=outside, unsettled=unsettled)


def without_tried(plan: Plan, tried: Mapping[str, Item]) -> Plan:
    """The plan without items that were tried before and have not changed since, by key."""
    return replace(plan, items=tuple(i for i in plan.items if tried.get(i.key) != i))


def run(
    source: Source,
    items: Iterable[Item],
    spool: Spool,
    ledger: Ledger,
    *,
    roster: Roster | None = None,
    at_once: int = 2,
) -> Iterator[Outcome]:
    """Bring the items in; one outcome each, in the order in which they are done.

    Errors: HandoverError when the spool cannot be written, which no other item would survive.
    """
    drafts = spool.root / _DRAFTS / str(os.getpid())
    drafts.mkdir(parents=True, exist_ok=True)
    waiting: set[Future[Outcome]] = set()
    reading, hands = threading.BoundedSemaphore(at_once), at_once * _HANDS
    try:
        with ThreadPoolExecutor(hands, "import") as pool:
            for item in items:
                work = _one(source, item, spool, drafts, roster or Roster(), reading)
                waiting.add(pool.submit(work))
                if len(waiting) >= hands * 2:
                    done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    yield from _noted(done, ledger)
            yield from _noted(wait(waiting).done, ledger)
    finally:
        shutil.rmtree(drafts, ignore_errors=True)


def sweep(spool: Spool) -> None:
    """Remove the drafts of imports that were killed."""
    for folder in (spool.root / _DRAFTS).glob("*"):
        if not folder.name.isdecimal() or not Path(f"/proc/{folder.name}").exists():
            shutil.rmtree(folder, ignore_errors=True)


def _one(
    source: Source,
    item: Item,
    spool: Spool,
    drafts: Path,
    roster: Roster,
    reading: AbstractContextManager[object],
) -> Callable[[], Outcome]:
    identity = call_id(source.name, item.key)

    def work() -> Outcome:
        folder = drafts / identity
        try:
            folder.mkdir()
            with reading:
                call = source.read(item, folder)
            post = roster.who(call.agent, call.invited_at)
            if post is not None:
                call = replace(call, agent=post.agent)
            (folder / CALL_FILE).write_bytes(to_json(replace(call, call_id=identity)))
            spool.hand_on(folder, Stage.RECORDED)
        except HandoverError:
            raise
        except (SanshengError, OSError) as error:
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, OSError) and error.errno in _FULL:
                raise _no_room(error) from error
            return Outcome(
                call_id=identity, label=item.label, state=State.QUARANTINED, reason=str(error)
            )
        recorded = call.recording is not None or call.answered_at is None
        return Outcome(
            call_id=identity,
            label=item.label,
            state=State.IMPORTED,
            recorded=recorded,
            audio_ms=(call.recording and call.recording.duration_ms) or 0,
        )

    return work


def _no_room(error: OSError) -> HandoverError:
    return HandoverError(
        f"cannot write to the data folder ({error.strerror})",
        remedy="free space on the disk, then go on",
    )


def _noted(done: Iterable[Future[Outcome]], ledger: Ledger) -> Iterator[Outcome]:
    for future in done:
        outcome = future.result()
        ledger.note(outcome)
        yield outcome


def _read(path: Path) -> Iterator[Outcome]:
    if not path.is_file():
        return
    for line in path.read_bytes().splitlines():
        try:
            yield msgspec.json.decode(line, type=Outcome)
        except msgspec.DecodeError:
            continue


def _end_line(path: Path) -> None:
    """End a line that a kill tore, so that the next one is whole."""
    if path.is_file():
        with path.open("rb+") as file:
            if file.seek(0, 2) and file.seek(-1, 2) is not None and file.read(1) != b"\n":
                file.write(b"\n")
