"""DuckDB behind one door: the only importer of duckdb, with its errors and values translated.

Timestamps are stored as UTC without a zone; what goes in and comes out is aware UTC.
"""

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from calls.errors import WarehouseError
from warehouse.arrow import Rows

Params = Mapping[str, object]
_HOLDER = re.compile(r"\(PID (\d+)\)")
_DAMAGED = re.compile(r"not a valid DuckDB|Could not read enough bytes|[Cc]orrupt|checksum")
_LOG = "64MB"
"""Size of the log from which its rows are worked into the file: at less, a bulk of calls writes the
same blocks again and again; at more, the start after a kill takes longer."""
_MANY = 100
"""Rows from which Arrow columns are the cheaper way."""
_PASSED = "passed_rows"
"""What such rows are called while they are handed over."""
_UNWRITTEN = "Could not write file"
_READS = frozenset(
    {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN, duckdb.StatementType.RELATION}
)


class Cursor:
    """Runs statements of one connection; made by ``Database``."""

    def __init__(self, raw: "duckdb.DuckDBPyConnection", forms: dict[str, "_Form"]) -> None:
        self._raw = raw
        self._forms = forms

    def execute(self, sql: str, params: Params | None = None) -> "Cursor":
        """Run a statement with ``$name`` parameters."""
        with _translated():
            self._raw.execute(sql, _into(params) if params else None)
        return self

    def executemany(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        """Run a statement with ``?`` parameters once a row."""
        if rows:
            with _translated():
                self._raw.executemany(sql, [[_naive(v) for v in row] for row in rows])

    def insert(self, table: str, rows: Sequence[Sequence[object]]) -> None:
        """Add whole rows to a table, in the order of its columns.

        They travel as one JSON text, a hundred times the speed of a statement a row; many as Arrow
        columns, half the work again, though handing those over costs as much as a hundred rows. A
        column whose name ends in ``_json`` takes a ``msgspec.Raw``, which is not quoted again on
        the way.
        """
        if not rows:
            return
        form = self._forms.get(table)
        if form is None:
            form = self._forms[table] = self._form(table)
        if len(rows) < _MANY:
            body = [dict(zip(form.kinds, row, strict=True)) for row in rows]
            self.execute(form.few, {"rows": msgspec.json.encode(body).decode()})
            return
        with _translated():
            # Stays until the cursor goes, or the next ones take its place.
            self._raw.register(_PASSED, Rows(form.kinds, rows))
            self._raw.execute(form.many)

    def _form(self, table: str) -> "_Form":
        self.execute(
            "SELECT column_name, data_type FROM duckdb_columns()"
            " WHERE table_name = $table ORDER BY column_index",
            {"table": table},
        )
        kinds = {str(name): str(kind) for name, kind in self.fetchall()}
        shape = {name: "JSON" if name.endswith("_json") else kind for name, kind in kinds.items()}
        told = msgspec.json.encode([shape]).decode()
        return _Form(
            kinds=kinds,
            few=f"INSERT INTO {table} BY NAME SELECT unnest(from_json_strict($rows, '{told}'),"
            " recursive := true)",
            many=f"INSERT INTO {table} ({', '.join(kinds)}) SELECT * FROM {_PASSED}",
        )

    def fetchall(self) -> list[tuple[Any, ...]]:
        """The rows of the last statement."""
        with _translated():
            return [tuple(_aware(v) for v in row) for row in self._raw.fetchall()]

    def fetchmany(self, many: int) -> list[tuple[Any, ...]]:
        """Up to ``many`` rows of the last statement."""
        with _translated():
            return [tuple(_aware(v) for v in row) for row in self._raw.fetchmany(many)]

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the last statement's columns."""
        return tuple(str(column[0]) for column in self._raw.description or ())

    def interrupt(self) -> None:
        """Stop the statement that runs, from another thread."""
        self._raw.interrupt()


@dataclass(frozen=True, slots=True)
class _Form:
    """How rows go into a table."""

    kinds: dict[str, str]
    """The SQL type of each column, by its name."""
    few: str
    """The rows as one JSON text."""
    many: str
    """The rows as Arrow columns."""


class Database:
    """One DuckDB file held by this process; cursors for any thread, one writer at a time."""

    def __init__(
        self,
        path: Path,
        *,
        read_only: bool = False,
        threads: int = 2,
        memory_mb: int = 2048,
        exports: Path | None = None,
    ) -> None:
        """``exports`` is the one folder whose files statements may write; None: there is none."""
        config: dict[str, str | bool | int | float | list[str]] = {
            "threads": threads,
            "memory_limit": f"{memory_mb}MB",
            "wal_autocheckpoint": _LOG,
        }
        with _translated(path):
            self._raw = duckdb.connect(str(path), read_only=read_only, config=config)
            if exports is not None:
                self._raw.execute("SET allowed_directories = $folders", {"folders": [str(exports)]})
            self._raw.execute("SET enable_external_access = false")
        self._writing = threading.RLock()
        self._forms: dict[str, _Form] = {}

    @contextmanager
    def cursor(self) -> Iterator[Cursor]:
        """A cursor of its own for reading."""
        with _translated():
            raw = self._raw.cursor()
        try:
            yield Cursor(raw, self._forms)
        finally:
            raw.close()

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """A cursor inside one transaction: kept when the block ends, dropped when it fails."""
        with self._writing, self.cursor() as cursor:
            cursor.execute("BEGIN")
            try:
                yield cursor
                cursor.execute("COMMIT")
            except BaseException:
                try:
                    cursor.execute("ROLLBACK")
                except WarehouseError:
                    """The failed statement has already ended the transaction."""
                raise

    @contextmanager
    def still(self) -> Iterator[None]:
        """Keep every writer out, so that the file and its log do not change."""
        with self._writing:
            yield

    def close(self) -> None:
        """Write everything into the file and let it go."""
        with self._writing:
            self._raw.close()


def require_read(sql: str) -> None:
    """Refuse anything but one reading statement."""
    with _translated():
        found = duckdb.extract_statements(sql)
    if len(found) != 1 or found[0].type not in _READS:
        raise WarehouseError("only one SELECT is answered", remedy="the record is read-only here")


@contextmanager
def _translated(path: Path | None = None) -> Iterator[None]:
    """DuckDB's errors as WarehouseError; constraint errors lose their values."""
    try:
        yield
    except duckdb.ConstraintException as error:
        raise WarehouseError("a row is there twice or lacks a value") from error
    except OverflowError as error:
        raise WarehouseError("a number is too large for its column") from error
    except duckdb.InterruptException as error:
        raise WarehouseError("the query was cut off", remedy="ask for less") from error
    except duckdb.IOException as error:
        holder = _HOLDER.search(str(error))
        if holder:
            raise WarehouseError(
                f"the warehouse {path} is open in process {holder[1]}",
                remedy="stop that service first, or ask it",
            ) from error
        if _DAMAGED.search(str(error)):
            raise WarehouseError(
                f"{path or 'the warehouse'} is no warehouse, or it is damaged",
                remedy="put it aside and restore a backup",
            ) from error
        raise WarehouseError(
            f"the warehouse {path or ''} cannot be read or written".replace("  ", " "),
            remedy="look at the disk's space and the file's permissions",
        ) from error
    except duckdb.Error as error:
        if _UNWRITTEN in str(error):
            raise WarehouseError(
                "the disk did not take what was to be written, and nothing of it was kept",
                remedy="free space on the disk, then go on",
            ) from error
        raise WarehouseError(str(error).splitlines()[0]) from error


def _into(params: Params) -> dict[str, object]:
    return {key: _naive(value) for key, value in params.items()}


def _naive(value: object) -> object:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).replace(tzinfo=None)
    return value


def _aware(value: Any) -> Any:
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value
