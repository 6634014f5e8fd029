"""A call's way in: an analysed hand-over folder becomes rows and an archived WAV, once.

The WAV moves into the archive, then the rows go in as one transaction, then the folder goes: a
kill between any two of these is finished by taking the same folder again.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

from calls.call import Call
from calls.codec import read_record, sync_folder
from calls.errors import HandoverError, RecordingError, WarehouseError
from calls.handover import ANALYSIS_FILE, CALL_FILE, TRANSCRIPT_FILE
from calls.scorecard import Analysis
from calls.speech import Transcript
from warehouse.duck import Cursor, Database
from warehouse.rows import CallRows, call_rows, insert

_AT_ONCE = 250
"""Calls whose rows go to the database as one text: bounds the memory."""
_HANDFUL = 25
"""Folders that a thread takes at a time."""
_HANDS = 4
"""Threads that open and remove folders: both mostly wait for the disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one folder."""

    folder: Path
    new: bool = False
    """False when the call was here already, or the folder is broken."""
    error: HandoverError | RecordingError | None = None
    """Why the folder stays where it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parcel:
    folder: Path
    call: Call
    analysis: Analysis
    transcript: Transcript | None


_Opened = tuple[Path, _Parcel | HandoverError]
_Spread = Callable[[Callable[[Any], Any], Sequence[Any]], Iterator[Any]]


def ingest(database: Database, folders: Sequence[Path], archive: Path, base: Path) -> list[Outcome]:
    """Take analysed folders, hundreds in one transaction; a broken one does not stop the others.

    Recordings are kept relative to ``base``, the folder of the warehouse file. WarehouseError: the
    disk or the file does not take them; folders that are not in yet stay for another try.
    """
    outcomes: dict[Path, Outcome] = {}
    drops: list[Iterator[None]] = []
    with _hands(len(folders)) as spread:
        # The hands open the next folders, and drop the last ones, while the rows of these go in.
        opened = zip(folders, spread(_open, folders), strict=True)
        while batch := list(islice(opened, _AT_ONCE)):
            made = _take(database, batch, archive, base, spread)
            outcomes |= made
            drops.append(spread(_remove, [o.folder for o in made.values() if o.error is None]))
        for drop in drops:
            list(drop)
    return [outcomes[folder] for folder in folders]


def _take(
    database: Database, batch: Sequence[_Opened], archive: Path, base: Path, spread: _Spread
) -> dict[Path, Outcome]:
    """One batch as one transaction; the outcome of each of its folders."""
    outcomes: dict[Path, Outcome] = {}
    rows: list[CallRows] = []
    days: set[Path] = set()
    now = datetime.now(UTC)
    with database.transaction() as cursor:
        fresh = _new(cursor, batch, outcomes)
        for parcel, kept in zip(fresh, spread(partial(_archive, archive), fresh), strict=True):
            if isinstance(kept, RecordingError):
                outcomes[parcel.folder] = Outcome(folder=parcel.folder, error=kept)
                continue
            outcomes[parcel.folder] = Outcome(folder=parcel.folder, new=True)
            if kept is not None:
                days.add(kept.parent)
            recording = os.path.relpath(kept, base) if kept else None
            rows.append(
                call_rows(
                    parcel.call, parcel.analysis, parcel.transcript, recording=recording, now=now
                )
            )
        for day in days:
            sync_folder(day)
        if rows:
            insert(cursor, rows)
    return outcomes


@contextmanager
def _hands(many: int) -> Iterator[_Spread]:
    """A ``map`` that goes ahead on several threads, where there is more than one thing to do."""
    if many < 2:
        yield map
        return
    with ThreadPoolExecutor(_HANDS) as pool:

        def spread(work: Callable[[Any], Any], things: Sequence[Any]) -> Iterator[Any]:
            handfuls = [things[at : at + _HANDFUL] for at in range(0, len(things), _HANDFUL)]
            return chain.from_iterable(pool.map(lambda those: [work(t) for t in those], handfuls))

        yield spread


def _new(
    cursor: Cursor,
    batch: Sequence[_Opened],
    outcomes: dict[Path, Outcome],
) -> list[_Parcel]:
    """The calls of a batch that are not here yet, each once; the outcome of every other folder."""
    parcels: dict[str, _Parcel] = {}
    for folder, parcel in batch:
        if isinstance(parcel, HandoverError):
            outcomes[folder] = Outcome(folder=folder, error=parcel)
            continue
        outcomes[folder] = Outcome(folder=folder)
        parcels.setdefault(parcel.call.call_id, parcel)
    if parcels:
        # Only a list of values in the statement itself is looked up in the index.
        listed = ", ".join("'" + call_id.replace("'", "''") + "'" for call_id in parcels)
        cursor.execute(f"SELECT call_id FROM calls WHERE call_id IN ({listed})")
        for (call_id,) in cursor.fetchall():
            del parcels[str(call_id)]
    return list(parcels.values())


def _open(folder: Path) -> _Parcel | HandoverError:
    path = folder / TRANSCRIPT_FILE
    try:
        return _Parcel(
            folder=folder,
            call=read_record(folder / CALL_FILE, Call),
            analysis=read_record(folder / ANALYSIS_FILE, Analysis),
            transcript=read_record(path, Transcript) if path.exists() else None,
        )
    except HandoverError as error:
        return error


def _archive(archive: Path, parcel: _Parcel) -> Path | RecordingError | None:
    """Move the recording to ``archive/YYYY/MM/DD/ID.wav``; there already: an earlier try did.

    Its suffix stays: recordings may be kept as FLAC or Opus.
    """
    call, folder = parcel.call, parcel.folder
    if call.recording is None:
        return None
    source = folder / call.recording.path
    day = archive / f"{call.invited_at.astimezone(UTC):%Y/%m/%d}"
    target = day / (call.call_id + source.suffix)
    try:
        if _moved(source, target) or target.is_file():
            return target
        day.mkdir(parents=True, exist_ok=True)
        if _moved(source, target):
            return target
    except OSError as error:
        raise WarehouseError(
            f"cannot archive a recording ({error.strerror})",
            remedy="keep the whole data_dir on one file system with space left",
        ) from error
    return RecordingError(
        f"{folder.name} has no recording, though its call.json names one",
        remedy="put it there, or take the name out",
    )


def _moved(source: Path, target: Path) -> bool:
    """Whether the file was there, and has been moved."""
    try:
        source.rename(target)
    except FileNotFoundError:
        return False
    return True


def _remove(folder: Path) -> None:
    """Drop a folder; renamed first, so that a kill leaves no half folder (``Spool.sweep``)."""
    grave = folder.rename(folder.with_name(f".{folder.name}.{os.getpid()}.gone"))
    try:
        for file in grave.iterdir():
            file.unlink()
        grave.rmdir()
    except OSError:
        shutil.rmtree(grave)
