"""QA's day: what a person should hear next, and what they say about it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from calls.hit import Status
from portal.access import Person
from portal.clock import Clock
from portal.errors import RefusalError, forbidden
from portal.memo import Memo
from portal.ports import Cursor, Prices, Store
from portal.records import CallFile, open_call, reach_params, rulings
from portal.settings import PortalSettings
from portal.sql import statement
from portal.states import keep
from portal.verdicts import WHOLE_CALL, revise

LONGEST_COMMENT = 1000
DECISIONS = ("agree", "overrule", "skip")
_QUEUE = 200
"""Entries looked up at once: more than a person hears in a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing to hear: a finding, a rule's item, or a whole call taken as a sample."""

    call_id: str
    rule: str
    finding: int | None
    why: str
    """``veto``, ``review`` or ``sample``."""
    status: str
    """What the machine says: ``fail`` or ``review``; empty for a sample."""
    ears: int = 1
    """How many people hear it, neither knowing what the other says."""


@dataclass(frozen=True, slots=True)
class Reviews:
    """The queue and the decisions."""

    store: Store
    settings: PortalSettings
    clock: Clock
    waiting: Memo[list[Entry]]
    """What waits for a reach, kept for some seconds; what is decided meanwhile is left out."""
    prices: Prices

    def queue(self, person: Person) -> list[Entry]:
        """What waits for this reviewer: vetoes, then doubts (least sure first) and samples in turn.

        The sample is a share of each agent's calls of a day that nothing presses, spread over noon,
        night and the rest of it, by a hash of the call's id: random for the agent, the same for
        every reviewer. A share of the queue comes to two people. One's own calls never come up.
        """
        if person.reach.nothing:
            return []
        today = self._today()
        waiting = self.waiting.get(
            (person.reach, person.agent, today), lambda: self._waiting(person, today)
        )
        heard: dict[tuple[str, str, int | None], tuple[int, bool]] = {
            (row["call_id"], row["rule"], row["finding"]): (row["ears"], row["mine"])
            for row in self.store.rows(
                "SELECT call_id, rule, finding,"
                " count(DISTINCT reviewer) FILTER (decision <> 'skip') AS ears,"
                " bool_or(reviewer = $me) AS mine FROM reviews"
                " WHERE call_id IN (SELECT unnest($calls::TEXT[]))"
                " AND (decision <> 'skip' OR (reviewer = $me AND reviewed_at >= $today))"
                " GROUP BY call_id, rule, finding",
                {
                    "calls": [entry.call_id for entry in waiting],
                    "me": person.user_id,
                    "today": today,
                },
            )
        }

        def done(entry: Entry) -> bool:
            ears, mine = heard.get((entry.call_id, entry.rule, entry.finding), (0, False))
            return mine or ears >= entry.ears

        appealed = {
            row["call_id"]
            for row in self.store.rows(
                "SELECT DISTINCT call_id FROM appeals"
                " WHERE call_id IN (SELECT unnest($calls::TEXT[]))",
                {"calls": [entry.call_id for entry in waiting]},
            )
        }
        return [e for e in waiting if e.call_id not in appealed and not done(e)]

    def _waiting(self, person: Person, today: datetime) -> list[Entry]:
        params = {
            **reach_params(person.reach),
            "my_agent": person.agent,
            "since": today - timedelta(days=1),
            "offset": (today.utcoffset() or timedelta()) // timedelta(minutes=1),
            "share": self.settings.sample_share,
            "least": self.settings.sample_least,
            "every": self.settings.sample_every,
            "second": self.settings.second_share,
            "many": _QUEUE,
        }
        found = self.store.rows(statement("queue"), params, max_rows=_QUEUE)
        return [
            Entry(
                call_id=row["call_id"],
                rule=row["rule"],
                finding=row["finding"],
                why=row["why"],
                status=row["status"],
                ears=row["ears"],
            )
            for row in found
        ]

    def done_today(self, person: Person) -> int:
        """How many decisions this reviewer has made since midnight."""
        found = self.store.rows(
            "SELECT count(*) AS many FROM reviews WHERE reviewer = $me AND reviewed_at >= $today"
            " AND decision <> 'skip'",
            {"me": person.user_id, "today": self._today()},
        )
        return int(found[0]["many"])

    def decide(
        self,
        person: Person,
        entry: tuple[str, str, int | None],
        decision: str,
        *,
        status: Status | None,
        comment: str,
    ) -> None:
        """Keep one decision, and the call's reviewed score beside the automatic one.

        To agree is to agree with the machine, whatever another reviewer said: with a doubt it
        becomes a fail, anything else stays. An overruled claim becomes ``status``, by default a
        pass. Once the agent has appealed, only a decision changes the score (409).
        """
        call_id, rule, finding = entry
        file = open_call(self.store, person.reach, call_id, self.prices)
        if person.agent is not None and person.agent == file.call.agent:
            raise forbidden()
        if file.appeals and decision != "skip":
            raise RefusalError(409, "appealed")
        becomes = self._becomes(file, rule, finding, decision, status)
        now = self.clock()
        said: dict[str, Any] = {
            "call_id": call_id,
            "rule": rule,
            "finding": finding,
            "reviewer": person.user_id,
            "now": now,
            "decision": decision,
            "status": str(becomes) if becomes else None,
            "comment": comment.strip()[:LONGEST_COMMENT],
        }
        after = {**said, "reviewed_at": now}
        revised = revise(file.card, rulings([*file.reviews, after], []), self.prices)

        def write(cursor: Cursor) -> None:
            cursor.execute(
                "INSERT INTO reviews (call_id, rule, finding, reviewer, reviewed_at, decision,"
                " status, comment) VALUES ($call_id, $rule, $finding, $reviewer, $now,"
                " $decision, $status, $comment)",
                said,
            )
            if decision != "skip":
                keep(cursor, call_id, "reviewed", revised, by=person.user_id, now=now)

        self.store.write(write)
        self.store.audit(person.user_id, "review", call_id, {"rule": rule, "decision": decision})

    @staticmethod
    def _becomes(
        file: CallFile, rule: str, finding: int | None, decision: str, status: Status | None
    ) -> Status | None:
        if decision not in DECISIONS:
            raise RefusalError(422, "bad_request")
        if rule == WHOLE_CALL:
            if decision == "overrule" or finding is not None:
                raise RefusalError(422, "bad_request")
            return None
        items = {item.rule: item for item in file.card.items}
        if rule not in items:
            raise RefusalError(422, "bad_request")
        now = items[rule].status
        if finding is not None:
            if not 0 <= finding < len(file.card.findings):
                raise RefusalError(422, "bad_request")
            if file.card.findings[finding].rule != rule:
                raise RefusalError(422, "bad_request")
            now = file.card.findings[finding].status
        if decision == "skip":
            return None
        if decision == "agree":
            return Status.FAIL if now is Status.REVIEW else now
        return status or Status.PASS

    def _today(self) -> datetime:
        here = self.clock().astimezone(ZoneInfo(self.settings.time_zone))
        return here.replace(hour=0, minute=0, second=0, microsecond=0)
