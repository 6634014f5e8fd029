"""Taking calls, speech and recordings away for good: rows in one transaction, files after it.

A file's path is noted in ``doomed`` in the transaction that takes its row, and leaves ``doomed``
once the file is gone: a kill between the two is finished when the warehouse is next opened.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from calls.codec import from_json, sync_folder, to_json
from calls.scorecard import Analysis
from warehouse.counts import uncount_calls
from warehouse.duck import Cursor, Database

HELD = "SELECT call_id FROM holds WHERE released_at IS NULL"
"""Calls under legal hold."""
_TABLES = (
    *("findings", "items", "utterances", "verdicts", "records", "states", "revised_items"),
    *("reviews", "appeals", "acceptances", "calls"),
)
"""Every table with a row for a call, ``holds`` and ``audit`` apart; ``calls`` goes last."""
_QUOTED = re.compile("“[^”]*”")
_HIDDEN = "“…”"


def delete_calls(cursor: Cursor, call_ids: Sequence[str]) -> int:
    """Delete all that is known of these calls; returns how many recordings are doomed."""
    uncount_calls(cursor, call_ids)
    found = delete_recordings(cursor, call_ids)
    for table in _TABLES:
        cursor.execute(
            f"DELETE FROM {table} WHERE call_id IN (SELECT unnest($ids::TEXT[]))",
            {"ids": list(call_ids)},
        )
    return found


def delete_recordings(cursor: Cursor, call_ids: Sequence[str]) -> int:
    """Doom the recordings of these calls; the calls stay. Returns how many there were."""
    ids = {"ids": list(call_ids)}
    where = "call_id IN (SELECT unnest($ids::TEXT[])) AND recording IS NOT NULL"
    cursor.execute(f"SELECT recording FROM calls WHERE {where}", ids)
    paths = [[path] for (path,) in cursor.fetchall()]
    cursor.insert("doomed", paths)
    cursor.execute(f"UPDATE calls SET recording = NULL WHERE {where}", ids)
    return len(paths)


def delete_speech(cursor: Cursor, call_ids: Sequence[str]) -> None:
    """Delete what was said in these calls: transcripts, and the words that verdicts quote."""
    ids = {"ids": list(call_ids)}
    chosen = "call_id IN (SELECT unnest($ids::TEXT[]))"
    cursor.execute(f"DELETE FROM utterances WHERE {chosen}", ids)
    cursor.execute(f"UPDATE findings SET heard = '' WHERE {chosen}", ids)
    cursor.execute(f"SELECT call_id, analysis_json FROM records WHERE {chosen}", ids)
    wordless = [
        {"call_id": call_id, "analysis_json": to_json(_wordless(analysis)).decode()}
        for call_id, text in cursor.fetchall()
        for analysis in [from_json(text.encode(), Analysis, name="stored analysis")]
    ]
    cursor.execute(
        "UPDATE records SET transcript_json = NULL, analysis_json = fresh.analysis_json FROM ("
        """SELECT unnest(from_json($rows, '[{"call_id":"VARCHAR","analysis_json":"VARCHAR"}]'),"""
        " recursive := true)) fresh WHERE records.call_id = fresh.call_id",
        {"rows": msgspec.json.encode(wordless).decode()},
    )


def bury(database: Database, base: Path) -> int:
    """Remove the files of all doomed recordings; returns how many could not be removed."""
    with database.cursor() as cursor:
        cursor.execute("SELECT path FROM doomed")
        paths = [str(path) for (path,) in cursor.fetchall()]
    gone = [path for path in paths if _unlinked(base / path)]
    for folder in {(base / path).parent for path in gone}:
        if folder.is_dir():
            sync_folder(folder)
    if gone:
        with database.transaction() as cursor:
            cursor.execute(
                "DELETE FROM doomed WHERE path IN (SELECT unnest($gone::TEXT[]))", {"gone": gone}
            )
    return len(paths) - len(gone)


def _unlinked(path: Path) -> bool:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return False
    return True


def _wordless(analysis: Analysis) -> Analysis:
    """The same verdicts without the words that they rest on."""
    card = analysis.scorecard
    items = tuple(
        replace(
            item,
            explanation=_QUOTED.sub(_HIDDEN, item.explanation),
            evidence=tuple(replace(e, text="") for e in item.evidence),
        )
        for item in card.items
    )
    findings = tuple(replace(finding, heard="") for finding in card.findings)
    hits = tuple(replace(h, candidate=replace(h.candidate, heard="")) for h in analysis.hits)
    return replace(analysis, scorecard=replace(card, items=items, findings=findings), hits=hits)
