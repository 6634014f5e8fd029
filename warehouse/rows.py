"""A handed-over call as the rows of its tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from calls.call import Call
from calls.codec import to_json
from calls.hit import Status
from calls.scorecard import Analysis
from calls.speech import Transcript
from warehouse.duck import Cursor

Row = Sequence[object]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRows:
    """All that one call adds to the warehouse."""

    call: Row
    record: Row
    items: list[Row]
    findings: list[Row]
    utterances: list[Row]

    def insert(self, cursor: Cursor) -> None:
        """Add the rows within the caller's transaction."""
        for table, rows in (
            ("calls", [self.call]),
            ("records", [self.record]),
            ("items", self.items),
            ("findings", self.findings),
            ("utterances", self.utterances),
        ):
            if rows:
                places = ", ".join("?" * len(rows[0]))
                cursor.executemany(f"INSERT INTO {table} VALUES ({places})", rows)


def call_rows(
    call: Call,
    analysis: Analysis,
    transcript: Transcript | None,
    *,
    recording: str | None,
    now: datetime,
) -> CallRows:
    """The rows of one call; ``recording`` is its path as the warehouse keeps it."""
    card, call_id = analysis.scorecard, call.call_id
    duration = call.recording.duration_ms if call.recording else None
    return CallRows(
        call=(
            call_id,
            str(call.mode),
            call.agent,
            call.caller,
            call.called,
            call.invited_at,
            call.ringing_at,
            call.answered_at,
            call.ended_at,
            str(call.ended_by),
            str(call.end_reason),
            card.ring_ms,
            card.rings,
            duration if duration is not None or transcript is None else transcript.duration_ms,
            card.score,
            sum(item.status is Status.FAIL for item in card.items),
            sum(item.status is Status.REVIEW for item in card.items),
            any(item.veto == "pending" for item in card.items),
            recording,
            card.versions.rules,
            card.versions.phrasebook,
            card.versions.engine,
            card.versions.model,
            now,
        ),
        record=(
            call_id,
            to_json(call).decode(),
            to_json(analysis).decode(),
            to_json(transcript).decode() if transcript else None,
        ),
        items=[
            (call_id, i.rule, str(i.status), i.earned, i.weight, i.clause, i.veto)
            for i in card.items
        ],
        findings=[
            (
                call_id,
                place,
                f.rule,
                f.family,
                f.phrase,
                f.heard,
                str(f.channel),
                f.start_ms,
                f.end_ms,
                f.confidence,
                str(f.severity),
                str(f.status),
            )
            for place, f in enumerate(card.findings)
        ],
        utterances=[
            (call_id, place, str(u.channel), u.start_ms, u.end_ms, u.text)
            for place, u in enumerate(transcript.utterances if transcript else ())
        ],
    )
