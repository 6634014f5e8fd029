"""Editions of the phrasebook and the rules: saved, asked for, consented to, published, rolled back.

Every saving is a row that nobody changes afterwards. What changes a veto is published only with a
second person's consent; what was in use once comes back without.
"""

import difflib
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from calls.errors import SanshengError
from portal.access import Person, Reach
from portal.clock import Clock
from portal.errors import RefusalError, forbidden, not_found
from portal.ports import BookKind, Checked, Cursor, Editor, Files, InUse, Store

_FROM_FILES = "files"
"""Who made an edition that was found in use without having been published here."""
LONGEST_WHY = 500
LONGEST_FILE = 400_000
_LISTED = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """One saved state of one of the two books."""

    edition_id: int
    kind: BookKind
    version: str
    """Empty when it cannot be read."""
    fault: str
    """Why it cannot be read: file, line, key."""
    files: Files
    made_by: str
    made_at: datetime
    why: str
    state: str
    """``draft``, ``waiting``, ``refused``, ``in_use`` or ``was``."""
    asked_by: str


@dataclass
class Editions:
    """Drafts and publications over the warehouse and the editor's files."""

    store: Store
    editor: Editor
    clock: Clock
    on_publish: Callable[[InUse], None]
    _one_at_a_time: threading.RLock = field(default_factory=threading.RLock)
    _checked: dict[int, Checked] = field(default_factory=dict)
    _seen: dict[BookKind, tuple[Files, str]] = field(default_factory=dict)
    """The files last found in use, and their version: reading them costs little, checking does."""

    def in_use(self, kind: BookKind) -> Edition:
        """The edition in use; files that were changed by hand become an edition of their own."""
        with self._one_at_a_time:
            files = self.editor.files(kind)
            seen = self._seen.get(kind)
            if seen is None or seen[0] != files:
                seen = self._seen[kind] = files, self.editor.check(kind, files).version
            version = seen[1]
            rows = self._rows(f"WHERE e.edition_id = ({_IN_USE})", {"kind": kind})
            if rows and rows[0].version == version:
                return rows[0]
            old = self.store.rows(
                "SELECT max(edition_id) AS id FROM editions"
                " WHERE kind = $kind AND version = $version",
                {"kind": kind, "version": version},
            )[0]["id"]
            found = old or self._insert(kind, None, files, _FROM_FILES, "")
            self._publish_row(found, kind, _FROM_FILES, _FROM_FILES)
            return self.get(found)

    def get(self, edition_id: int) -> Edition:
        """One edition; an unknown one answers 404."""
        rows = self._rows("WHERE e.edition_id = $id", {"id": edition_id})
        if not rows:
            raise not_found()
        return rows[0]

    def latest(self, kind: BookKind) -> list[Edition]:
        """The latest editions of a kind, newest first."""
        tail = f"WHERE e.kind = $kind ORDER BY e.edition_id DESC LIMIT {_LISTED}"
        return self._rows(tail, {"kind": kind})

    def save(self, person: Person, parent: Edition, files: Files, why: str) -> int:
        """Keep changed files as a new edition, readable or not; returns its number."""
        _whole(person)
        if not why.strip() or any(len(text) > LONGEST_FILE for text in files.values()):
            raise RefusalError(422, "bad_request")
        if dict(files) == dict(parent.files):
            return parent.edition_id
        with self._one_at_a_time:
            number = self._insert(
                parent.kind, parent.edition_id, files, person.user_id, why.strip()
            )
        self._audit(person, "edition_saved", number)
        return number

    def checked(self, edition: Edition) -> Checked | None:
        """What a readable edition holds; None for one that cannot be read."""
        if edition.fault:
            return None
        found = self._checked.get(edition.edition_id)
        if found is None:
            if len(self._checked) >= _LISTED:
                self._checked.clear()
            found = self.editor.check(edition.kind, edition.files)
            self._checked[edition.edition_id] = found
        return found

    def veto_changes(self, edition: Edition) -> list[str]:
        """What can veto a call and would be other than in the edition in use."""
        here, there = self.checked(edition), self.checked(self.in_use(edition.kind))
        if here is None or there is None:
            return []
        apart = set(here.vetoes.items()) ^ set(there.vetoes.items())
        return sorted({name for name, _ in apart})

    def difference(self, edition: Edition) -> list[str]:
        """The lines that differ from the edition in use, as a unified diff."""
        before = self.in_use(edition.kind).files
        lines: list[str] = []
        for name in sorted({*before, *edition.files}):
            lines += difflib.unified_diff(
                before.get(name, "").splitlines(),
                edition.files.get(name, "").splitlines(),
                name,
                name,
                lineterm="",
                n=2,
            )
        return lines

    def ask(self, person: Person, edition: Edition, *, tried: bool) -> None:
        """Publish an edition, or ask a second person when it changes a veto."""
        _whole(person)
        checked = self.checked(edition)
        if checked is None or checked.missed:
            raise RefusalError(409, "edition_broken")
        with self._one_at_a_time:
            edition = self.get(edition.edition_id)
            if edition.state == "was":
                self._publish(person, edition, person.user_id, "edition_rolled_back")
                return
            if edition.state not in ("draft", "refused"):
                raise RefusalError(409, "conflict")
            if not tried:
                raise RefusalError(409, "edition_untried")
            if not self.veto_changes(edition):
                self._publish(person, edition, person.user_id, "edition_published")
                return
            self.store.write(
                lambda c: c.execute(
                    "INSERT INTO publications (edition_id, kind, state, asked_by, asked_at)"
                    " VALUES ($id, $kind, 'waiting', $by, $now)",
                    self._names(edition, person.user_id),
                )
            )
        self._audit(person, "edition_asked", edition.edition_id)

    def decide(self, person: Person, edition: Edition, *, consent: bool) -> None:
        """A second person's consent publishes; neither who asked nor who wrote may give it."""
        _whole(person)
        with self._one_at_a_time:
            edition = self.get(edition.edition_id)
            if edition.state != "waiting":
                raise RefusalError(409, "conflict")
            if consent:
                if person.user_id in (edition.asked_by, edition.made_by):
                    raise RefusalError(403, "edition_second")
                self._publish(person, edition, edition.asked_by, "edition_published")
                return
            self._close(edition.kind, person.user_id)
        self._audit(person, "edition_refused", edition.edition_id)

    def _publish(self, person: Person, edition: Edition, asked_by: str, action: str) -> None:
        now_used = self.editor.publish(edition.kind, edition.files)
        self._close(edition.kind, person.user_id)
        self._publish_row(edition.edition_id, edition.kind, asked_by, person.user_id)
        self.on_publish(now_used)
        self._audit(person, action, edition.edition_id, version=edition.version)

    def _close(self, kind: BookKind, by: str) -> None:
        """Whatever waited to be published was compared with an edition that is used no more."""
        sql = (
            "UPDATE publications SET state = 'refused', decided_by = $by, decided_at = $now"
            " WHERE kind = $kind AND state = 'waiting'"
        )
        params = {"kind": kind, "by": by, "now": self.clock()}
        self.store.write(lambda c: c.execute(sql, params))

    def _publish_row(self, edition_id: int, kind: BookKind, asked_by: str, by: str) -> None:
        sql = (
            "INSERT INTO publications"
            " (edition_id, kind, state, asked_by, asked_at, decided_by, decided_at)"
            " VALUES ($id, $kind, 'published', $asked, $now, $by, $now)"
        )
        params = {
            "id": edition_id,
            "kind": kind,
            "asked": asked_by,
            "by": by,
            "now": self.clock(),
        }
        self.store.write(lambda c: c.execute(sql, params))

    def _insert(self, kind: BookKind, parent: int | None, files: Files, by: str, why: str) -> int:
        try:
            version, fault = self.editor.check(kind, files).version, ""
        except SanshengError as error:
            version, fault = "", str(error)
        values = {
            "kind": kind,
            "parent": parent,
            "version": version,
            "fault": fault,
            "files": json.dumps(dict(files), ensure_ascii=False),
            "by": by,
            "now": self.clock(),
            "why": why,
        }

        def insert(cursor: Cursor) -> int:
            cursor.execute(
                "INSERT INTO editions (kind, parent, version, fault, files, made_by, made_at, why)"
                " VALUES ($kind, $parent, $version, $fault, $files, $by, $now, $why)"
                " RETURNING edition_id",
                values,
            )
            return int(cursor.fetchall()[0][0])

        return self.store.write(insert)

    def _names(self, edition: Edition, by: str) -> dict[str, object]:
        return {"id": edition.edition_id, "kind": edition.kind, "by": by, "now": self.clock()}

    def _rows(self, tail: str, params: Mapping[str, object]) -> list[Edition]:
        rows = self.store.rows(f"{_EDITIONS} {tail}", params)
        return [_edition(row) for row in rows]

    def _audit(self, person: Person, action: str, edition_id: int, **detail: str) -> None:
        self.store.audit(person.user_id, action, str(edition_id), detail)


_IN_USE = (
    "SELECT arg_max(edition_id, publication_id) FROM publications"
    " WHERE kind = $kind AND state = 'published'"
)
_EDITIONS = (
    "SELECT e.*, p.state, p.asked_by, p.published, u.edition_id IS NOT NULL AS in_use"
    " FROM editions e"
    " LEFT JOIN (SELECT edition_id, arg_max(state, publication_id) AS state,"
    "   arg_max(asked_by, publication_id) AS asked_by, bool_or(state = 'published') AS published"
    "   FROM publications GROUP BY edition_id) p ON p.edition_id = e.edition_id"
    " LEFT JOIN (SELECT arg_max(edition_id, publication_id) AS edition_id FROM publications"
    "   WHERE state = 'published' GROUP BY kind) u ON u.edition_id = e.edition_id"
)


def _edition(row: Mapping[str, Any]) -> Edition:
    state = "in_use" if row["in_use"] else "was" if row["published"] else row["state"] or "draft"
    return Edition(
        edition_id=row["edition_id"],
        kind=BookKind(row["kind"]),
        version=row["version"],
        fault=row["fault"],
        files=json.loads(row["files"]),
        made_by=row["made_by"],
        made_at=row["made_at"],
        why=row["why"],
        state=state,
        asked_by=row["asked_by"] or "",
    )


def _whole(person: Person) -> None:
    """The books decide over every team's scores: one team's people do not change them."""
    if person.reach != Reach():
        raise forbidden()
