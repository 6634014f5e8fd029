"""A call's way in: an analysed hand-over folder becomes rows and an archived WAV, once.

The WAV moves into the archive, then the rows go in as one transaction, then the folder goes: a
kill between any two of these is finished by taking the same folder again.
"""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import chain
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

_AT_ONCE = 500
"""Calls whose rows go to the database as one text: bounds the memory."""
_HANDFUL = 25
"""Folders that a thread takes at a time."""
_LONGEST_MS = 2**31 - 1
"""What the columns of times hold."""
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
    """A folder that has been read, its rows ready."""

    folder: Path
    call_id: str
    source: Path | None
    """The recording; None for a call without one."""
    target: Path | None
    """Where it goes; its suffix stays, for recordings may be kept as FLAC or Opus."""
    rows: CallRows


_Opened = _Parcel | HandoverError
_Spread = Callable[[Callable[[Any], Any], Sequence[Any]], Iterator[Any]]


def ingest(database: Database, folders: Sequence[Path], archive: Path, base: Path) -> list[Outcome]:
    """Take analysed folders, hundreds in one transaction; a broken one does not stop the others.

    Recordings are kept relative to ``base``, the folder of the warehouse file. WarehouseError: the
    disk or the file does not take them; folders that are not in yet stay for another try.
    """
    outcomes: dict[Path, Outcome] = {}
    taken: list[Path] = []
    drops: list[Iterator[None]] = []
    batches = [folders[at : at + _AT_ONCE] for at in range(0, len(folders), _AT_ONCE)]
    read = partial(_open, archive, os.path.relpath(archive, base))
    with _hands(len(folders)) as spread:
        opened = spread(read, batches[0]) if batches else iter(())
        for batch, following in zip(batches, (*batches[1:], ()), strict=True):
            with database.transaction() as cursor:
                made, rows = _receive(cursor, batch, list(opened), spread)
                # The hands read the next folders and drop the last ones while these rows go in.
                opened = spread(read, following)
                drops.append(spread(_remove, taken))
                if rows:
                    insert(cursor, rows)
            outcomes |= made
            taken = [folder for folder, outcome in made.items() if outcome.error is None]
        for drop in (*drops, spread(_remove, taken)):
            list(drop)
    return [outcomes[folder] for folder in folders]


def _receive(
    cursor: Cursor, batch: Sequence[Path], opened: Sequence[_Opened], spread: _Spread
) -> tuple[dict[Path, Outcome], list[CallRows]]:
    """The outcome of each folder of a batch and the rows of its new calls, recordings archived."""
    outcomes: dict[Path, Outcome] = {}
    rows: list[CallRows] = []
    days: set[Path] = set()
    fresh = _new(cursor, zip(batch, opened, strict=True), outcomes)
    for parcel, error in zip(fresh, spread(_archive, fresh), strict=True):
        outcomes[parcel.folder] = Outcome(folder=parcel.folder, new=error is None, error=error)
        if error is None:
            rows.append(parcel.rows)
            if parcel.target is not None:
                days.add(parcel.target.parent)
    for day in days:
        sync_folder(day)
    return outcomes, rows


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
    batch: Iterable[tuple[Path, _Opened]],
    outcomes: dict[Path, Outcome],
) -> list[_Parcel]:
    """The calls of a batch that are not here yet, each once; the outcome of every other folder."""
    parcels: dict[str, _Parcel] = {}
    for folder, parcel in batch:
        if isinstance(parcel, HandoverError):
            outcomes[folder] = Outcome(folder=folder, error=parcel)
            continue
        outcomes[folder] = Outcome(folder=folder)
        parcels.setdefault(parcel.call_id, parcel)
    if parcels:
        # Only a list of values in the statement itself is looked up in the index.
        listed = ", ".join("'" + call_id.replace("'", "''") + "'" for call_id in parcels)
        cursor.execute(f"SELECT call_id FROM calls WHERE call_id IN ({listed})")
        for (call_id,) in cursor.fetchall():
            del parcels[str(call_id)]
    return list(parcels.values())


def _open(archive: Path, kept: str, folder: Path) -> _Opened:
    """Read a folder; its recording goes to ``archive/YYYY/MM/DD/ID.wav``.

    ``kept`` is the archive as the rows name it.
    """
    path = folder / TRANSCRIPT_FILE
    try:
        call = read_record(folder / CALL_FILE, Call)
        analysis = read_record(folder / ANALYSIS_FILE, Analysis)
        transcript = read_record(path, Transcript) if path.exists() else None
    except HandoverError as error:
        return error
    if _latest(call, analysis, transcript) > _LONGEST_MS:
        return HandoverError(
            f"{folder.name} has a time of more than 24 days after its start",
            remedy="have it written again by the tool that made it",
        )
    source = folder / call.recording.path if call.recording else None
    place = ""
    if source is not None:
        day = call.invited_at.astimezone(UTC).date()
        place = f"{day.year:04}/{day.month:02}/{day.day:02}/{call.call_id}{source.suffix}"
    return _Parcel(
        folder=folder,
        call_id=call.call_id,
        source=source,
        target=archive / place if place else None,
        rows=call_rows(
            call,
            analysis,
            transcript,
            recording=f"{kept}/{place}" if place else None,
            now=datetime.now(UTC),
        ),
    )


def _latest(call: Call, analysis: Analysis, transcript: Transcript | None) -> int:
    """The largest time in a call, in ms from its start."""
    card, length = analysis.scorecard, call.recording.duration_ms if call.recording else None
    found = [card.ring_ms or 0, card.rings or 0, length or 0]
    found += (ms for f in card.findings for ms in (f.start_ms, f.end_ms))
    if transcript:
        found.append(transcript.duration_ms)
        found += (ms for u in transcript.utterances for ms in (u.start_ms, u.end_ms))
    return max(found)


def _archive(parcel: _Parcel) -> RecordingError | None:
    """Move the recording into the archive; there already: an earlier try did."""
    source, target = parcel.source, parcel.target
    if source is None or target is None:
        return None
    try:
        if _moved(source, target) or target.is_file():
            return None
        target.parent.mkdir(parents=True, exist_ok=True)
        if _moved(source, target):
            return None
    except OSError as error:
        raise WarehouseError(
            f"cannot archive a recording ({error.strerror})",
            remedy="keep the whole data_dir on one file system with space left",
        ) from error
    return RecordingError(
        f"{parcel.folder.name} has no recording, though its call.json names one",
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
