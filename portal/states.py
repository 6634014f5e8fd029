"""A later state of a scorecard: its score beside the earlier ones, its verdicts as they are."""

from datetime import datetime

from calls.hit import Status
from portal.ports import Cursor
from portal.verdicts import Revised
from warehouse.counts import uncount_calls


def keep(
    cursor: Cursor, call_id: str, state: str, revised: Revised, *, by: str, now: datetime
) -> None:
    """Add a state and renew the call's revised verdicts, within the caller's transaction."""
    uncount_calls(cursor, [call_id])
    cursor.execute(
        "INSERT INTO states (call_id, state, score, fails, reviews, veto, made_by, made_at)"
        " VALUES ($call_id, $state, $score, $fails, $reviews, $veto, $by, $now)",
        {
            "call_id": call_id,
            "state": state,
            "score": revised.score,
            "fails": sum(item.status is Status.FAIL for item in revised.items),
            "reviews": sum(item.status is Status.REVIEW for item in revised.items),
            "veto": any(item.veto == "pending" for item in revised.items),
            "by": by,
            "now": now,
        },
    )
    cursor.execute("DELETE FROM revised_items WHERE call_id = $call_id", {"call_id": call_id})
    for item in revised.items:
        cursor.execute(
            "INSERT INTO revised_items (call_id, rule, status, earned, weight, clause, veto)"
            " VALUES ($call_id, $rule, $status, $earned, $weight, $clause, $veto)",
            {
                "call_id": call_id,
                "rule": item.rule,
                "status": str(item.status),
                "earned": item.earned,
                "weight": item.weight,
                "clause": item.clause,
                "veto": item.veto,
            },
        )
