"""Read-only SQL on the warehouse, whether or not the service runs."""

import json
import socket as sockets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

from calls.errors import WarehouseError
from warehouse.duck import Cursor, Database, require_read

MAX_ROWS = 100_000
TIMEOUT_S = 60.0
_ANSWER_GRACE_S = 10
"""How much longer than the query itself an answer from the service may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a query gave; values are JSON's kinds.

    Times are as the warehouse keeps them, without a zone: UTC, and local in ``local_at``.
    """

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    truncated: bool = False
    """More rows than ``max_rows`` were there."""


def run(
    sql: str,
    *,
    path: Path,
    socket: Path | None,
    max_rows: int = MAX_ROWS,
    timeout_s: float = TIMEOUT_S,
) -> Result:
    """Ask the running service through its socket, else open the file read-only."""
    if socket is not None and socket.is_socket():
        asked = _ask(sql, socket, max_rows, timeout_s)
        if asked is not None:
            return asked
    if not path.is_file():
        raise WarehouseError(f"there is no warehouse {path}", remedy="run `sansheng serve` first")
    database = Database(path, read_only=True)
    try:
        with database.cursor() as cursor:
            return answer(cursor, sql, max_rows=max_rows, timeout_s=timeout_s)
    finally:
        database.close()


def answer(cursor: Cursor, sql: str, *, max_rows: int, timeout_s: float) -> Result:
    """Run one reading statement within its limits."""
    require_read(sql)
    cursor.execute("BEGIN TRANSACTION READ ONLY")
    try:
        with _limited(cursor, timeout_s):
            cursor.execute(sql)
            columns = cursor.columns
            rows = cursor.fetchmany(max_rows + 1)
    finally:
        _end(cursor)
    plain = [tuple(_plain(value) for value in row) for row in rows[:max_rows]]
    return Result(columns=columns, rows=plain, truncated=len(rows) > max_rows)


def to_line(result: Result) -> bytes:
    """A result as one JSON line, for the socket."""
    body = {"columns": result.columns, "rows": result.rows, "truncated": result.truncated}
    return json.dumps(body, ensure_ascii=False).encode() + b"\n"


def _ask(sql: str, socket: Path, max_rows: int, timeout_s: float) -> Result | None:
    """The service's answer; None when nobody listens (a socket left by a kill)."""
    with sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM) as line:
        line.settimeout(timeout_s + _ANSWER_GRACE_S)
        try:
            line.connect(str(socket))
        except (ConnectionRefusedError, FileNotFoundError):
            return None
        body = {"sql": sql, "max_rows": max_rows, "timeout_s": timeout_s}
        line.sendall(json.dumps(body).encode() + b"\n")
        file: BinaryIO
        with line.makefile("rb") as file:
            try:
                data = json.loads(file.readline())
            except (OSError, ValueError) as error:
                raise WarehouseError(
                    "the service did not answer", remedy="look whether it still runs"
                ) from error
    if "error" in data:
        raise WarehouseError(data["error"], remedy=data.get("remedy", ""))
    return Result(
        columns=tuple(data["columns"]),
        rows=[tuple(row) for row in data["rows"]],
        truncated=data["truncated"],
    )


@contextmanager
def _limited(cursor: Cursor, timeout_s: float) -> Iterator[None]:
    timer = threading.Timer(timeout_s, cursor.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _end(cursor: Cursor) -> None:
    try:
        cursor.execute("ROLLBACK")
    except WarehouseError:
        """A failed statement has already ended the transaction."""


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(sep=" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    return value if isinstance(value, str | int | float | bool | None) else str(value)
