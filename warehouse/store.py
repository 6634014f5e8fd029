"""The warehouse: the one read-write owner of the file, its migrations, and a call's way into it."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from calls.call import Call
from calls.codec import from_json, read_record, sync_folder
from calls.errors import RecordingError, WarehouseError
from calls.handover import ANALYSIS_FILE, CALL_FILE, TRANSCRIPT_FILE
from calls.scorecard import Analysis
from calls.speech import Transcript
from warehouse import audit
from warehouse.duck import Cursor, Database, Params
from warehouse.rows import call_rows
from warehouse.settings import WarehouseSettings

T = TypeVar("T")
_NO_PARAMS: Params = MappingProxyType({})
_NO_DETAIL: audit.Detail = MappingProxyType({})
_MAX_ROWS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCall:
    """One call whole, as it was handed over."""

    call: Call
    transcript: Transcript | None
    analysis: Analysis
    recording: Path | None
    """The archived WAV; None when there is none (any more)."""


class Warehouse:
    """The open warehouse; safe to use from many threads, one process at a time."""

    def __init__(self, path: Path, database: Database) -> None:
        self.path = path
        self._database = database

    @classmethod
    def open(cls, path: Path, settings: WarehouseSettings | None = None) -> "Warehouse":
        """Open or make the file and bring it up to date.

        A second owner is refused with the first one's process; a file of a newer Sansheng too.
        """
        wanted = settings or WarehouseSettings()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WarehouseError(
                f"cannot make {path.parent} ({error.strerror})", remedy="set data_dir"
            ) from error
        database = Database(path, threads=wanted.threads, memory_mb=wanted.memory_mb)
        try:
            migrate(database)
        except BaseException:
            database.close()
            raise
        return cls(path, database)

    def close(self) -> None:
        """Write everything into the file and let it go."""
        self._database.close()

    def rows(
        self, sql: str, params: Params = _NO_PARAMS, *, max_rows: int = _MAX_ROWS
    ) -> list[dict[str, Any]]:
        """Read rows as dictionaries; timestamps are aware UTC."""
        with self._database.cursor() as cursor:
            cursor.execute(sql, params)
            names = cursor.columns
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchmany(max_rows)]

    def write(self, work: Callable[[Cursor], T]) -> T:
        """Run ``work`` in one transaction on the single writer."""
        with self._database.transaction() as cursor:
            return work(cursor)

    def cursor(self) -> Any:
        """A context with a cursor of its own, for the query server."""
        return self._database.cursor()

    def audit(
        self, actor: str, action: str, subject: str, detail: audit.Detail = _NO_DETAIL
    ) -> int:
        """Append to the audit chain; returns the entry's number."""
        now = datetime.now(UTC)
        return self.write(lambda c: audit.append(c, now, actor, action, subject, detail))

    def audit_verify(self) -> int | None:
        """The number of the first audit entry that does not fit; None when all do."""
        with self._database.cursor() as cursor:
            return audit.first_broken(cursor)

    def stored(self, call_id: str) -> StoredCall | None:
        """One call whole, or None."""
        found = self.rows(
            "SELECT r.call_json, r.analysis_json, r.transcript_json, c.recording"
            " FROM records r JOIN calls c USING (call_id) WHERE r.call_id = $call_id",
            {"call_id": call_id},
        )
        return stored_call(found[0], self.path.parent) if found else None

    def ingest(self, folder: Path, archive: Path) -> bool:
        """Take one analysed hand-over folder; False when its call is here already.

        The WAV is moved into the archive, then the rows go in as one transaction, then the folder
        goes: a kill between any two of these is finished by taking the same folder again.
        """
        call = read_record(folder / CALL_FILE, Call)
        analysis = read_record(folder / ANALYSIS_FILE, Analysis)
        path = folder / TRANSCRIPT_FILE
        transcript = read_record(path, Transcript) if path.exists() else None
        known = self.rows("SELECT 1 FROM calls WHERE call_id = $call_id", {"call_id": call.call_id})
        if not known:
            kept = _archive(call, folder, archive) if call.recording else None
            recording = os.path.relpath(kept, self.path.parent) if kept else None
            now = datetime.now(UTC)
            rows = call_rows(call, analysis, transcript, recording=recording, now=now)
            self.write(rows.insert)
        _remove(folder)
        return not known


def stored_call(row: dict[str, Any], base: Path) -> StoredCall:
    """The records in a row of JSON columns; ``base`` is the folder of the warehouse file."""
    transcript = row["transcript_json"]
    recording = base / row["recording"] if row["recording"] else None
    return StoredCall(
        call=from_json(row["call_json"].encode(), Call, name="stored call"),
        analysis=from_json(row["analysis_json"].encode(), Analysis, name="stored analysis"),
        transcript=from_json(transcript.encode(), Transcript, name="stored transcript")
        if transcript
        else None,
        recording=recording if recording is not None and recording.is_file() else None,
    )


def migrate(database: Database) -> int:
    """Apply the numbered migrations that the file lacks, each in one transaction.

    Returns the version that the file then has.
    """
    with database.transaction() as cursor:
        cursor.execute(
            "CREATE TABLE IF NOT EXISTS schema_version"
            " (version INTEGER PRIMARY KEY, applied_at TIMESTAMP NOT NULL)"
        )
        has = int(
            cursor.execute("SELECT coalesce(max(version), 0) FROM schema_version").fetchall()[0][0]
        )
    known = migrations()
    if has > len(known):
        raise WarehouseError(
            f"the warehouse has schema {has}, this Sansheng knows up to {len(known)}",
            remedy="upgrade Sansheng on this machine",
        )
    for version, sql in enumerate(known, start=1):
        if version > has:
            with database.transaction() as cursor:
                cursor.execute(sql)
                cursor.execute(
                    "INSERT INTO schema_version VALUES ($version, $now)",
                    {"version": version, "now": datetime.now(UTC)},
                )
    return len(known)


def migrations() -> list[str]:
    """The SQL of every migration, in order."""
    found = sorted(
        (f for f in files("warehouse").joinpath("migrations").iterdir() if f.name.endswith(".sql")),
        key=lambda f: f.name,
    )
    return [f.read_text(encoding="utf-8") for f in found]


def _archive(call: Call, folder: Path, archive: Path) -> Path:
    """Move the call's WAV to ``archive/YYYY/MM/DD/ID.wav``; there already: an earlier try did."""
    assert call.recording is not None
    source = folder / call.recording.path
    target = archive / f"{call.invited_at.astimezone(UTC):%Y/%m/%d}" / f"{call.call_id}.wav"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_file():
            source.replace(target)
            sync_folder(target.parent)
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
    shutil.rmtree(grave)
