"""One call whole, for the command line, whether or not the service runs."""

from pathlib import Path

from calls.errors import WarehouseError
from warehouse.query import run
from warehouse.store import StoredCall, stored_call

_COLUMNS = ("call_json", "analysis_json", "transcript_json", "recording")


def load_call(call_id: str, *, path: Path, socket: Path | None) -> StoredCall:
    """The call with this id, or with the only id that begins so."""
    start = call_id.replace("'", "''")
    found = run(
        f"SELECT {', '.join(_COLUMNS)} FROM records JOIN calls USING (call_id)"
        f" WHERE call_id = '{start}' OR starts_with(call_id, '{start}')"
        f" ORDER BY call_id <> '{start}' LIMIT 2",
        path=path,
        socket=socket,
    )
    if not found.rows:
        raise WarehouseError(
            f"no call {call_id}", remedy='sansheng query "SELECT call_id FROM v_calls"'
        )
    exact = run(f"SELECT count(*) FROM calls WHERE call_id = '{start}'", path=path, socket=socket)
    if len(found.rows) > 1 and exact.rows[0][0] == 0:
        raise WarehouseError(
            f"more than one call begins with {call_id}", remedy="give more of its id"
        )
    return stored_call(dict(zip(_COLUMNS, found.rows[0], strict=True)), path.parent)
