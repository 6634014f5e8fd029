"""A DuckDB store for the portal."""

import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from calls.call import Call
from calls.codec import from_json, read_record, to_json
from calls.handover import ANALYSIS_FILE, CALL_FILE, TRANSCRIPT_FILE
from calls.hit import Status
from calls.scorecard import Analysis
from calls.speech import Transcript

T = TypeVar("T")


@dataclass(frozen=True)
class Stored:
    call: Call
    transcript: Transcript | None
    analysis: Analysis
    recording: Path | None


class Cursor:
    def __init__(self, raw: duckdb.DuckDBPyConnection) -> None:
        self.raw = raw

    def execute(self, sql: str, params: Mapping[str, object] | None = None) -> "Cursor":
        self.raw.execute(sql, _in(params or {}) or None)
        return self

    def fetchall(self) -> list[tuple[Any, ...]]:
        return [tuple(_out(v) for v in row) for row in self.raw.fetchall()]


class DuckStore:
    def __init__(self, path: str = ":memory:") -> None:
        self.raw = duckdb.connect(path, config={"threads": 2})
        self.lock = threading.RLock()
        if not self.raw.execute("FROM duckdb_tables() WHERE table_name = 'calls'").fetchall():
            self.raw.execute(Path(__file__).with_name("schema.sql").read_text())

    def rows(
        self, sql: str, params: Mapping[str, object] = {}, *, max_rows: int = 10_000
    ) -> list[dict[str, Any]]:
        with self.raw.cursor() as cursor:
            cursor.execute(sql, _in(params) or None)
            names = [d[0] for d in cursor.description or ()]
            found = cursor.fetchmany(max_rows)
        return [dict(zip(names, map(_out, row), strict=True)) for row in found]

    def write(self, work: Callable[[Cursor], T]) -> T:
        with self.lock, self.raw.cursor() as raw:
            raw.execute("BEGIN")
            try:
                result = work(Cursor(raw))
                raw.execute("COMMIT")
            except BaseException:
                raw.execute("ROLLBACK")
                raise
            return result

    def audit(
        self,
        actor: str,
        action: str,
        subject: str,
        detail: Mapping[str, str | int | None] = {},
    ) -> int:
        def append(cursor: Cursor) -> int:
            last = cursor.execute(
                "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1"
            ).fetchall()
            seq, before = (last[0][0] + 1, last[0][1]) if last else (1, "")
            at = datetime.now(UTC)
            text = json.dumps(detail, ensure_ascii=False, sort_keys=True)
            entry = {
                "seq": seq,
                "happened_at": at,
                "actor": actor,
                "action": action,
                "subject": subject,
            }
            entry |= {"detail": text}
            entry["hash"] = _chained(before, entry)
            cursor.execute(
                "INSERT INTO audit VALUES"
                " ($seq, $happened_at, $actor, $action, $subject, $detail, $hash)",
                entry,
            )
            return int(seq)

        return self.write(append)

    def audit_verify(self) -> int | None:
        before = ""
        for row in self.rows("SELECT * FROM audit ORDER BY seq", max_rows=10**9):
            if _chained(before, row) != row["hash"]:
                return int(row["seq"])
            before = row["hash"]
        return None

    def stored(self, call_id: str) -> Stored | None:
        found = self.rows(
            "SELECT call_json, analysis_json, transcript_json, recording FROM calls"
            " WHERE call_id = $call_id",
            {"call_id": call_id},
        )
        if not found:
            return None
        row = found[0]
        transcript = row["transcript_json"]
        return Stored(
            from_json(row["call_json"].encode(), Call),
            from_json(transcript.encode(), Transcript) if transcript else None,
            from_json(row["analysis_json"].encode(), Analysis),
            Path(row["recording"]) if row["recording"] else None,
        )

    def ingest(self, folder: Path, archive: Path) -> bool:
        call = read_record(folder / CALL_FILE, Call)
        analysis = read_record(folder / ANALYSIS_FILE, Analysis)
        path = folder / TRANSCRIPT_FILE
        transcript = read_record(path, Transcript) if path.exists() else None
        recording = None
        if call.recording:
            archive.mkdir(parents=True, exist_ok=True)
            recording = archive / f"{call.call_id}.wav"
            (folder / call.recording.path).replace(recording)
        card = analysis.scorecard

        def insert(cursor: Cursor) -> None:
            cursor.execute(
                "INSERT INTO calls VALUES ($call_id,$mode,$agent,$caller,$called,$invited_at,"
                "$ringing_at,$answered_at,$ended_at,$ended_by,$end_reason,$ring_ms,$rings,"
                "$duration_ms,$score,$fails,$reviews,$veto,$recording,$c,$a,$t,$now)",
                {
                    "call_id": call.call_id,
                    "mode": str(call.mode),
                    "agent": call.agent,
                    "caller": call.caller,
                    "called": call.called,
                    "invited_at": call.invited_at,
                    "ringing_at": call.ringing_at,
                    "answered_at": call.answered_at,
                    "ended_at": call.ended_at,
                    "ended_by": str(call.ended_by),
                    "end_reason": str(call.end_reason),
                    "ring_ms": card.ring_ms,
                    "rings": card.rings,
                    "duration_ms": call.recording.duration_ms if call.recording else None,
                    "score": card.score,
                    "fails": sum(i.status is Status.FAIL for i in card.items),
                    "reviews": sum(i.status is Status.REVIEW for i in card.items),
                    "veto": any(i.veto == "pending" for i in card.items),
                    "recording": str(recording) if recording else None,
                    "c": to_json(call).decode(),
                    "a": to_json(analysis).decode(),
                    "t": to_json(transcript).decode() if transcript else None,
                    "now": datetime.now(UTC),
                },
            )
            for i in card.items:
                cursor.execute(
                    "INSERT INTO items VALUES ($c,$r,$s,$e,$w,$cl,$v)",
                    {
                        "c": call.call_id,
                        "r": i.rule,
                        "s": str(i.status),
                        "e": i.earned,
                        "w": i.weight,
                        "cl": i.clause,
                        "v": i.veto,
                    },
                )
            for place, f in enumerate(card.findings):
                cursor.execute(
                    "INSERT INTO findings VALUES ($c,$p,$r,$f,$ph,$h,$ch,$s,$e,$co,$se,$st)",
                    {
                        "c": call.call_id,
                        "p": place,
                        "r": f.rule,
                        "f": f.family,
                        "ph": f.phrase,
                        "h": f.heard,
                        "ch": str(f.channel),
                        "s": f.start_ms,
                        "e": f.end_ms,
                        "co": f.confidence,
                        "se": str(f.severity),
                        "st": str(f.status),
                    },
                )
            for place, u in enumerate(transcript.utterances if transcript else ()):
                cursor.execute(
                    "INSERT INTO utterances VALUES ($c,$p,$ch,$s,$e,$t)",
                    {
                        "c": call.call_id,
                        "p": place,
                        "ch": str(u.channel),
                        "s": u.start_ms,
                        "e": u.end_ms,
                        "t": u.text,
                    },
                )

        self.write(insert)
        return True

    def close(self) -> None:
        self.raw.close()


def _chained(before: str, entry: Mapping[str, Any]) -> str:
    parts = [before, str(entry["seq"]), entry["happened_at"].isoformat(timespec="microseconds")]
    parts += [entry[k] for k in ("actor", "action", "subject", "detail")]
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


def _in(params: Mapping[str, object]) -> dict[str, object]:
    return {
        k: v.astimezone(UTC).replace(tzinfo=None) if isinstance(v, datetime) else v
        for k, v in params.items()
    }


def _out(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
