"""The views as Parquet files, for whoever counts with other tools."""

import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from calls.errors import WarehouseError
from calls.masks import MAY_HOLD, mask_number, mask_text
from warehouse import audit
from warehouse.duck import Cursor, Database

VIEWS = ("v_calls", "v_items", "v_findings", "v_utterances", "v_scorecards", "v_quality")
_AT_ONCE = 50_000
_TEXTS = (
    f"SELECT DISTINCT text FROM utterances WHERE regexp_matches(text, '{MAY_HOLD}')"
    f" UNION SELECT DISTINCT heard FROM findings WHERE regexp_matches(heard, '{MAY_HOLD}')"
)
_NUMBERS = "SELECT caller FROM calls UNION SELECT called FROM calls"
_MASKED = {
    "v_calls": (
        "v.* REPLACE (a.shown AS caller, b.shown AS called)",
        "LEFT JOIN shown_numbers a ON a.original = v.caller"
        " LEFT JOIN shown_numbers b ON b.original = v.called",
    ),
    "v_findings": (
        "v.* REPLACE (coalesce(m.shown, v.heard) AS heard)",
        "LEFT JOIN shown_texts m ON m.original = v.heard",
    ),
    "v_utterances": (
        "v.* REPLACE (coalesce(m.shown, v.text) AS text)",
        "LEFT JOIN shown_texts m ON m.original = v.text",
    ),
}
"""Of a view with personal data: its columns with it masked, and the tables for that."""


def export(
    database: Database, folder: Path, since: date, until: date, actor: str, *, unmasked: bool
) -> dict[str, int]:
    """Write each view's rows of the local days ``since`` to ``until`` to ``folder/VIEW.parquet``.

    ``folder`` is one that ``database`` may write. Returns the rows of each. On a full disk nothing
    is left there. WarehouseError: the folder is there already.
    """
    chosen = (
        "SELECT call_id FROM v_calls"
        f" WHERE local_at >= DATE '{since.isoformat()}'"
        f" AND local_at < DATE '{(until + timedelta(days=1)).isoformat()}'"
    )
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise WarehouseError(
            f"cannot make {folder} ({error.strerror})", remedy="name another folder"
        ) from error
    rows: dict[str, int] = {}
    try:
        with database.cursor() as cursor:
            _shown(cursor, "shown_numbers", _NUMBERS, mask_number)
            _shown(cursor, "shown_texts", _TEXTS, mask_text)
            for view in VIEWS:
                columns, joins = ("v.*", "") if unmasked else _MASKED.get(view, ("v.*", ""))
                target = str(folder / f"{view}.parquet").replace("'", "''")
                cursor.execute(
                    f"COPY (SELECT {columns} FROM {view} v {joins} WHERE v.call_id IN ({chosen}))"
                    f" TO '{target}' (FORMAT parquet, COMPRESSION zstd)"
                )
                rows[view] = int(cursor.fetchall()[0][0])
    except WarehouseError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    with database.transaction() as cursor:
        days: audit.Detail = {
            "from": since.isoformat(),
            "to": until.isoformat(),
            "unmasked": int(unmasked),
        }
        audit.append(cursor, datetime.now(UTC), actor, "export", "", days)
    return rows


def _shown(cursor: Cursor, table: str, sql: str, mask: Callable[[str], str]) -> None:
    """A temporary table of what is masked and what is shown for it."""
    cursor.execute(f"CREATE TEMP TABLE {table} (original TEXT, shown TEXT)")
    cursor.execute(sql)
    found = [str(text) for (text,) in cursor.fetchall()]
    for first in range(0, len(found), _AT_ONCE):
        cursor.insert(table, [(text, mask(text)) for text in found[first : first + _AT_ONCE]])
