"""The warehouse: the one read-write owner of the file, and its migrations."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from calls.call import Call
from calls.codec import from_json
from calls.errors import WarehouseError
from calls.scorecard import Analysis
from calls.speech import Transcript
from warehouse import audit, erasure, retention
from warehouse.backup import Manifest, backup
from warehouse.counts import count_days
from warehouse.duck import Cursor, Database, Params
from warehouse.export import export
from warehouse.ingest import Outcome, ingest
from warehouse.removal import bury
from warehouse.settings import WarehouseSettings

T = TypeVar("T")
_NO_PARAMS: Params = MappingProxyType({})
_NO_DETAIL: audit.Detail = MappingProxyType({})
_MAX_ROWS = 10_000
EXPORTS = "exports"
"""The folder beside the file in which exports are made."""


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
        Recordings that a killed erasure or retention left are removed.
        """
        wanted = settings or WarehouseSettings()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WarehouseError(
                f"cannot make {path.parent} ({error.strerror})", remedy="set data_dir"
            ) from error
        database = Database(
            path,
            threads=wanted.threads,
            memory_mb=wanted.memory_mb,
            exports=path.parent.resolve() / EXPORTS,
        )
        try:
            migrate(database)
            bury(database, path.parent)
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

        Errors: HandoverError or RecordingError for a broken folder, which stays where it is.
        """
        outcome = self.ingest_many([folder], archive)[0]
        if outcome.error is not None:
            raise outcome.error
        return outcome.new

    def ingest_many(self, folders: Sequence[Path], archive: Path) -> list[Outcome]:
        """Take many analysed folders as one transaction; a broken one does not stop the others."""
        return ingest(self._database, folders, archive, self.path.parent)

    def erase(self, number: str, actor: str, reason: str) -> erasure.Erased:
        """Erase a citizen's calls by number and leave the proof; held calls stay."""
        return erasure.erase(self._database, number, actor, reason, self._bury)

    def proofs(self, number: str) -> list[dict[str, Any]]:
        """The erasures of this number, found by its salted hash."""
        digits = erasure.plain_number(number)
        return [
            row
            for row in self.rows("SELECT * FROM erasures ORDER BY erasure_id")
            if erasure.number_hash(digits, row["salt"]) == row["number_hash"]
        ]

    def hold(self, call_id: str, actor: str, reason: str) -> None:
        """Put a call under legal hold."""
        retention.hold(self._database, call_id, actor, reason)

    def release(self, call_id: str, actor: str) -> None:
        """Lift a call's legal hold."""
        retention.release(self._database, call_id, actor)

    def retain(self, periods: WarehouseSettings, now: datetime | None = None) -> retention.Retained:
        """Take away what is past its period; ``now`` is the clock's unless given."""
        return retention.retain(self._database, periods, self._bury, now or datetime.now(UTC))

    def count_days(self, now: datetime | None = None) -> int:
        """Count up to a week of the days that reports would read call by call; returns how many.

        Again until it returns 0; today is never counted.
        """
        return count_days(self._database, now or datetime.now(UTC))

    def backup(self, folder: Path) -> Manifest:
        """Copy the warehouse and its recordings into a folder while everything goes on."""
        return backup(self._database, self.path, folder)

    def export(
        self, name: str, since: date, until: date, actor: str, *, unmasked: bool = False
    ) -> tuple[Path, dict[str, int]]:
        """Write the views as Parquet into a folder ``name`` beside the file; its path, the rows."""
        folder = self.path.parent.resolve() / EXPORTS / name
        return folder, export(self._database, folder, since, until, actor, unmasked=unmasked)

    def _bury(self) -> int:
        return bury(self._database, self.path.parent)


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
