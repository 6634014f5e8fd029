"""A call's way in: an analysed hand-over folder becomes rows and an archived WAV, once.

The WAV moves into the archive, then the rows go in as one transaction, then the folder goes: a
kill between any two of these is finished by taking the same folder again.
"""

import json
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from calls.call import Call
from calls.codec import read_record, sync_folder
from calls.errors import HandoverError, RecordingError, WarehouseError
from calls.handover import ANALYSIS_FILE, CALL_FILE, TRANSCRIPT_FILE
from calls.scorecard import Analysis
from calls.speech import Transcript
from warehouse.duck import Database
from warehouse.rows import CallRows, call_rows, insert

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


def ingest(database: Database, folders: Sequence[Path], archive: Path, base: Path) -> list[Outcome]:
    """Take analysed folders as one transaction; a broken one does not stop the others.

    Recordings are kept relative to ``base``, the folder of the warehouse file. WarehouseError: the
    disk or the file does not take them; the folders stay for another try.
    """
    outcomes: dict[Path, Outcome] = {}
    parcels: dict[str, _Parcel] = {}
    with ThreadPoolExecutor(_HANDS) as hands:
        opened = list(hands.map(_open, folders))
    for folder, parcel in zip(folders, opened, strict=True):
        if isinstance(parcel, HandoverError):
            outcomes[folder] = Outcome(folder=folder, error=parcel)
            continue
        outcomes[folder] = Outcome(folder=folder)
        parcels.setdefault(parcel.call.call_id, parcel)
    known = _known(database, list(parcels))
    batch: list[CallRows] = []
    targets: set[Path] = set()
    now = datetime.now(UTC)
    for call_id, parcel in parcels.items():
        if call_id in known:
            continue
        try:
            kept = _archive(parcel.call, parcel.folder, archive)
        except RecordingError as error:
            outcomes[parcel.folder] = Outcome(folder=parcel.folder, error=error)
            continue
        if kept is not None:
            targets.add(kept.parent)
        recording = os.path.relpath(kept, base) if kept else None
        batch.append(
            call_rows(parcel.call, parcel.analysis, parcel.transcript, recording=recording, now=now)
        )
        outcomes[parcel.folder] = Outcome(folder=parcel.folder, new=True)
    for target in targets:
        sync_folder(target)
    if batch:
        with database.transaction() as cursor:
            insert(cursor, batch)
    with ThreadPoolExecutor(_HANDS) as hands:
        list(hands.map(_remove, [o.folder for o in outcomes.values() if o.error is None]))
    return list(outcomes.values())


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


def _known(database: Database, call_ids: list[str]) -> set[str]:
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT call_id FROM calls"
            """ WHERE call_id IN (SELECT unnest(from_json($ids, '["VARCHAR"]')))""",
            {"ids": json.dumps(call_ids)},
        )
        return {str(row[0]) for row in cursor.fetchall()}


def _archive(call: Call, folder: Path, archive: Path) -> Path | None:
    """Move the recording to ``archive/YYYY/MM/DD/ID.wav``; there already: an earlier try did.

    Its suffix stays: recordings may be kept as FLAC or Opus.
    """
    if call.recording is None:
        return None
    source = folder / call.recording.path
    target = (
        archive / f"{call.invited_at.astimezone(UTC):%Y/%m/%d}" / (call.call_id + source.suffix)
    )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_file():
            source.replace(target)
    except OSError as error:
        raise WarehouseError(
            f"cannot archive a recording ({error.strerror})",
            remedy="keep the whole data_dir on one file system with space left",
        ) from error
    if not target.is_file():
        raise RecordingError(
            f"{folder.name} has no recording, though its call.json names one",
            remedy="put it there, or take the name out",
        )
    return target


def _remove(folder: Path) -> None:
    """Drop a folder; renamed first, so that a kill leaves no half folder (``Spool.sweep``)."""
    grave = folder.with_name(f".{folder.name}.{os.getpid()}.gone")
    folder.rename(grave)
    with os.scandir(grave) as entries:
        files = [entry.path for entry in entries if not entry.is_dir(follow_symlinks=False)]
    for file in files:
        Path(file).unlink()
    shutil.rmtree(grave)
