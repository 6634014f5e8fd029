"""A handed-over call as the rows of its tables."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from calls.call import Call
from calls.codec import to_line
from calls.hit import Status
from calls.scorecard import Analysis
from calls.speech import Transcript
from warehouse.counts import uncount_moments
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
    verdicts: str
    """``rule=status`` of every item, in the order of the rules' names."""
    key: tuple[str, str, datetime]
    """The call's id, its agent and when it began."""


def insert(cursor: Cursor, batch: Sequence[CallRows]) -> None:
    """Add the rows of many calls within the caller's transaction."""
    uncount_moments(cursor, (rows.key[2] for rows in batch))
    pattern = _patterns(cursor, {rows.verdicts for rows in batch if rows.verdicts})
    cursor.insert("calls", [rows.call for rows in batch])
    cursor.insert("records", [rows.record for rows in batch])
    cursor.insert("items", [row for rows in batch for row in rows.items])
    cursor.insert("findings", [row for rows in batch for row in rows.findings])
    cursor.insert("utterances", [row for rows in batch for row in rows.utterances])
    cursor.insert(
        "verdicts", [(*rows.key, pattern[rows.verdicts]) for rows in batch if rows.verdicts]
    )


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
            min((side.mos for side in call.quality if side.mos is not None), default=None),
        ),
        record=(
            call_id,
            msgspec.Raw(to_line(call)),
            msgspec.Raw(to_line(analysis)),
            msgspec.Raw(to_line(transcript)) if transcript else None,
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
        verdicts=" ".join(sorted(f"{item.rule}={item.status}" for item in card.items)),
        key=(call_id, call.agent, call.invited_at),
    )


def _patterns(cursor: Cursor, wanted: Iterable[str]) -> dict[str, int]:
    """The numbers of these patterns; a new one gets the next number."""
    names = sorted(wanted)
    cursor.execute(
        "SELECT verdicts, pattern FROM patterns"
        """ WHERE verdicts IN (SELECT unnest(from_json($names, '["VARCHAR"]')))""",
        {"names": msgspec.json.encode(names).decode()},
    )
    known = {str(verdicts): int(pattern) for verdicts, pattern in cursor.fetchall()}
    unknown = [name for name in names if name not in known]
    if unknown:
        cursor.execute("SELECT coalesce(max(pattern), 0) FROM patterns")
        first = int(cursor.fetchall()[0][0]) + 1
        fresh = {name: first + place for place, name in enumerate(unknown)}
        cursor.insert("patterns", [(number, name) for name, number in fresh.items()])
        known |= fresh
    return known
