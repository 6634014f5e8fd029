"""An agent's answer to a scorecard: accept it, or appeal one rule; and QA's decision on that."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from calls.hit import Status
from portal.access import Person, Reach
from portal.clock import Clock
from portal.errors import RefusalError, forbidden, not_found
from portal.ports import Cursor, Prices, Store
from portal.records import CallFile, open_call, reach_params, rulings
from portal.settings import PortalSettings
from portal.sql import statement
from portal.states import keep
from portal.verdicts import revise

LONGEST_TEXT = 1000


@dataclass(frozen=True, slots=True)
class Appeals:
    """Acceptances, appeals and their decisions."""

    store: Store
    settings: PortalSettings
    clock: Clock
    prices: Prices

    def deadline(self, file: CallFile) -> datetime:
        """Until when the agent may appeal: counted from the latest score they could have seen."""
        last: datetime = max([file.call.ended_at, *(s["made_at"] for s in file.states)])
        return last + timedelta(days=self.settings.appeal_days)

    def accept(self, person: Person, file: CallFile) -> None:
        """The agent agrees with the scorecard of their own call."""
        self._own(person, file)
        if file.accepted_at is not None:
            return
        values = {"call_id": file.call.call_id, "agent": file.call.agent, "now": self.clock()}
        self.store.write(
            lambda c: c.execute(
                "INSERT INTO acceptances (call_id, agent, accepted_at)"
                " VALUES ($call_id, $agent, $now)"
                " ON CONFLICT DO NOTHING",
                values,
            )
        )
        self.store.audit(person.user_id, "accept", file.call.call_id)

    def appeal(
        self,
        person: Person,
        file: CallFile,
        rule: str,
        reason: str,
        mark: tuple[int, int] | None,
    ) -> None:
        """Appeal one rule's verdict on one's own call, with a reason and a place in the audio."""
        self._own(person, file)
        now = self.clock()
        if now > self.deadline(file):
            raise RefusalError(409, "deadline_passed")
        reason = reason.strip()[:LONGEST_TEXT]
        if not reason or rule not in {item.rule for item in file.card.items}:
            raise RefusalError(422, "bad_request")
        if any(a["rule"] == rule and a["state"] == "open" for a in file.appeals):
            raise RefusalError(409, "conflict")
        values = {
            "call_id": file.call.call_id,
            "rule": rule,
            "agent": file.call.agent,
            "by": person.user_id,
            "now": now,
            "reason": reason,
            "start": mark[0] if mark else None,
            "end": mark[1] if mark else None,
            "deadline": now + timedelta(days=self.settings.decision_days),
        }
        self.store.write(
            lambda c: c.execute(
                "INSERT INTO appeals (call_id, rule, agent, made_by, made_at, reason, start_ms,"
                " end_ms, deadline_at, state) VALUES ($call_id, $rule, $agent, $by, $now,"
                " $reason, $start, $end, $deadline, 'open')",
                values,
            )
        )
        self.store.audit(person.user_id, "appeal", file.call.call_id, {"rule": rule})

    def desk(self, reach: Reach, *, open_only: bool = True) -> list[dict[str, Any]]:
        """Appeals within reach, the nearest deadline first."""
        if reach.nothing:
            return []
        return self.store.rows(
            statement("appeals"), {**reach_params(reach), "open_only": open_only}, max_rows=500
        )

    def decide(
        self, person: Person, appeal_id: int, *, upheld: bool, status: Status | None, answer: str
    ) -> str:
        """Decide an open appeal within reach; returns the call's id.

        Nobody decides on their own call, or on one that they reviewed. An appeal that is upheld
        says what the verdict becomes, and the score after appeal is kept beside the others.
        """
        found = self.store.rows("SELECT * FROM appeals WHERE appeal_id = $id", {"id": appeal_id})
        if not found:
            raise not_found()
        appeal = found[0]
        file = open_call(self.store, person.reach, appeal["call_id"], self.prices)
        if person.agent is not None and person.agent == file.call.agent:
            raise forbidden()
        if any(r["reviewer"] == person.user_id and r["decision"] != "skip" for r in file.reviews):
            raise RefusalError(403, "had_part")
        answer = answer.strip()[:LONGEST_TEXT]
        if not answer or (upheld and status is None):
            raise RefusalError(422, "bad_request")
        now = self.clock()
        values: dict[str, object] = {
            "id": appeal_id,
            "state": "upheld" if upheld else "rejected",
            "status": str(status) if upheld and status else None,
            "by": person.user_id,
            "now": now,
            "answer": answer,
        }
        after: Mapping[str, Any] = {
            **appeal,
            "state": values["state"],
            "status": values["status"],
            "decided_at": now,
        }
        others = [a for a in file.appeals if a["appeal_id"] != appeal_id]
        revised = revise(file.card, rulings(file.reviews, [*others, dict(after)]), self.prices)

        def write(cursor: Cursor) -> bool:
            changed = cursor.execute(
                "UPDATE appeals SET state = $state, status = $status, decided_by = $by,"
                " decided_at = $now, decision = $answer WHERE appeal_id = $id AND state = 'open'"
                " RETURNING appeal_id",
                values,
            ).fetchall()
            if changed:
                keep(cursor, file.call.call_id, "decided", revised, by=person.user_id, now=now)
            return bool(changed)

        if not self.store.write(write):
            raise RefusalError(409, "conflict")
        detail: dict[str, str | int | None] = {"appeal": appeal_id, "state": str(values["state"])}
        self.store.audit(person.user_id, "decide", appeal["call_id"], detail)
        return str(appeal["call_id"])

    @staticmethod
    def _own(person: Person, file: CallFile) -> None:
        if person.agent is None or person.agent != file.call.agent:
            raise forbidden()
