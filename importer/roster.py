"""Who had which extension when: extensions are reused, so a call's agent depends on its time."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zipfile import BadZipFile

from calls.errors import ImportSourceError, SettingsError
from importer.manifest import read_rows
from importer.times import read_time, zone

COLUMNS = ("extension", "agent", "name", "team", "shift", "from", "to")
"""Header of a roster; ``extension`` and ``agent`` are needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One person's time at one extension; open ends are None."""

    extension: str
    agent: str
    name: str = ""
    team: str = ""
    shift: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def covers(self, at: datetime) -> bool:
        """Whether the person had the extension then (``until`` is the first moment without)."""
        return (self.since is None or self.since <= at) and (self.until is None or at < self.until)


class Roster:
    """All posts, asked by extension and time."""

    def __init__(self, posts: tuple[Post, ...] = ()) -> None:
        self.posts = posts
        self._by_extension: dict[str, list[Post]] = defaultdict(list)
        for post in posts:
            for other in self._by_extension[post.extension]:
                if _overlap(post, other):
                    raise SettingsError(
                        "the roster gives one extension to two people at the same time",
                        remedy=f"end one of the posts at extension {post.extension}",
                    )
            self._by_extension[post.extension].append(post)

    def who(self, extension: str, at: datetime) -> Post | None:
        """The post at an extension at a time; None when the roster does not say."""
        return next((p for p in self._by_extension.get(extension, ()) if p.covers(at)), None)


def load(path: Path, time_zone: str) -> Roster:
    """Read a roster from CSV (UTF-8 or GB18030) or an Excel sheet with the columns of COLUMNS."""
    local = zone(time_zone)
    posts = []
    for number, row in enumerate(_rows(path), 2):
        extension, agent = row.get("extension", "").strip(), row.get("agent", "").strip()
        if not extension and not agent:
            continue
        if not extension or not agent:
            raise SettingsError(f"{path.name} row {number} lacks its extension or its agent")
        try:
            since, until = (
                read_time(row.get("from", ""), local),
                read_time(row.get("to", ""), local),
            )
        except ImportSourceError as error:
            raise SettingsError(
                f"{path.name} row {number} has a time that cannot be read",
                remedy="write it as 2026-11-01 or 2026-11-01 08:00",
            ) from error
        posts.append(
            Post(
                extension=extension,
                agent=agent,
                name=row.get("name", "").strip(),
                team=row.get("team", "").strip(),
                shift=row.get("shift", "").strip(),
                since=since,
                until=until,
            )
        )
    return Roster(tuple(posts))


def _rows(path: Path) -> list[dict[str, str]]:
    if path.suffix.lower() != ".xlsx":
        return read_rows(path)
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (OSError, InvalidFileException, BadZipFile, KeyError, ValueError) as error:
        raise ImportSourceError(f"{path.name} cannot be read as an Excel file") from error
    try:
        rows = [["" if cell is None else str(cell) for cell in row] for row in book.active.values]
    finally:
        book.close()
    return [dict(zip(rows[0], row, strict=False)) for row in rows[1:]] if rows else []


def _overlap(one: Post, other: Post) -> bool:
    starts_late = one.since is not None and other.until is not None and one.since >= other.until
    ends_early = other.since is not None and one.until is not None and other.since >= one.until
    return not starts_late and not ends_early
