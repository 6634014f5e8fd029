"""How far machine and people agree: rules against reviewers, reviewers among themselves.

The figures are scoring's own functions, which come in through a port.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from calls.hit import Status
from portal.access import Reach
from portal.ports import Calibration, Judged, Overruled, Quality, Store
from portal.records import reach_params
from portal.sql import statement

DAYS = 90
"""How far back reviews count."""
_MOST = 200_000
_LONGEST_LIST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What the calibration page shows."""

    rules: Sequence[Quality]
    kappa: dict[str, tuple[float | None, int]]
    """Cohen's κ by rule, and the number of pairs."""
    overruled_rules: Sequence[Overruled]
    overruled_phrases: Sequence[Overruled]
    disputed: Sequence[tuple[str, str]]
    """Call and rule of which two reviewers said different things, to be talked over."""


def look(store: Store, reach: Reach, tools: Calibration, now: datetime) -> View:
    """The figures over the last ``DAYS`` days within a reach."""
    judged: list[Judged] = []
    if not reach.nothing:
        params = {**reach_params(reach), "since": now - timedelta(days=DAYS)}
        judged = [
            Judged(
                call_id=row["call_id"],
                rule=row["rule"],
                automatic=Status(row["automatic"]),
                person=Status(row["person"]),
                reviewer=row["reviewer"],
                phrase_id=row["phrase"],
            )
            for row in store.rows(statement("judged"), params, max_rows=_MOST)
        ]
    return View(
        rules=tools.rule_quality(judged),
        kappa=tools.reviewer_agreement(judged),
        overruled_rules=tools.most_overruled(judged)[:_LONGEST_LIST],
        overruled_phrases=tools.most_overruled(judged, by=_phrase)[:_LONGEST_LIST],
        disputed=_disputed(judged)[:_LONGEST_LIST],
    )


def _phrase(one: Judged) -> str:
    return one.phrase_id


def _disputed(judged: Sequence[Judged]) -> list[tuple[str, str]]:
    said: dict[tuple[str, str, str], set[Status]] = defaultdict(set)
    for one in judged:
        said[one.call_id, one.rule, one.phrase_id].add(one.person)
    return sorted({(call, rule) for (call, rule, _), words in said.items() if len(words) > 1})
