"""A folder of audio with a CSV or JSON list of its calls; a small TOML says what is where."""

import csv
import json
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from calls.call import Call, Channel, EndedBy, EndReason, Mode, Signalling
from calls.errors import ImportSourceError, SettingsError
from importer.audio import Sides, bring_in
from importer.folder import measure
from importer.settings import ImporterSettings
from importer.source import Item, call_id
from importer.times import read_time, zone

MAPPING_FILE = "columns.toml"


class Mapping(BaseModel):
    """Which column of the list holds what; an empty name means there is none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    list: str = Field(default="", description="The list; else the one .csv or .json there.")
    id: str = "id"
    audio: str = Field(default="audio", description="Path of one file with both sides.")
    caller_audio: str = Field(default="", description="Path of the caller's side, if apart.")
    agent_audio: str = ""
    caller: str = "caller"
    called: str = "called"
    agent: str = "agent"
    invited: str = "invited_at"
    ringing: str = "ringing_at"
    answered: str = "answered_at"
    ended: str = "ended_at"
    ended_by: str = "ended_by"
    ended_by_agent: str = Field(default="agent", description="How the list writes agent.")
    ended_by_caller: str = "caller"
    time_form: str = Field(default="", description="strptime form; else ISO 8601 or epoch seconds.")
    stereo: Literal["", "caller-agent", "agent-caller"] = ""


class ManifestSource:
    """One folder with its list; audio paths are relative to the folder and stay inside it."""

    name = "manifest"

    def __init__(self, folder: Path, settings: ImporterSettings) -> None:
        self._folder = folder
        self._mapping = read_mapping(folder / MAPPING_FILE)
        self._zone = zone(settings.time_zone)
        self._keep = settings.keep
        self._left = left_of(self._mapping.stereo or settings.stereo)
        self._rows: dict[str, dict[str, str]] = {}

    def items(self) -> Iterator[Item]:
        """One item a row that has an id; a row twice in the list is one call."""
        path = self._list()
        rows = read_rows(path)
        if rows and not any(self._mapping.id in row for row in rows):
            raise ImportSourceError(
                f"{path.name} has no column {self._mapping.id!r}",
                remedy=f"say in {MAPPING_FILE} which column is what, as docs/import.md shows",
            )
        for number, row in enumerate(rows, 1):
            key = row.get(self._mapping.id, "").strip()
            if not key:
                key = f"row {number}"
            if key in self._rows and self._rows[key] == row:
                continue
            if key in self._rows:
                key = f"{key} row {number}"
            self._rows[key] = row
            item = self._item(key, row)
            if number == len(rows):
                # Whoever adds to the list may be in the middle of its last row.
                item = replace(item, changed=max(item.changed, measure([path])[1]))
            yield item

    def _item(self, key: str, row: dict[str, str]) -> Item:
        mapping = self._mapping
        try:
            at = self._time(row, mapping.invited) or self._time(row, mapping.answered)
        except ImportSourceError:
            at = None
        columns = (mapping.audio, mapping.caller_audio, mapping.agent_audio)
        names = [row.get(column, "") for column in columns if column]
        size, changed = measure(self._folder / name for name in names if name)
        row_mark = hash(tuple(row.items()))
        return Item(key=key, label=key, at=at, size=size, changed=changed, record=row_mark)

    def read(self, item: Item, folder: Path) -> Call:
        """The call of a row; its audio, if a column names one, is brought in."""
        row, mapping = self._rows[item.key], self._mapping
        if not row.get(mapping.id, "").strip():
            raise ImportSourceError(f"{item.label} has no id", remedy="give every call its id")
        invited, ringing, answered, ended = (
            self._time(row, column)
            for column in (mapping.invited, mapping.ringing, mapping.answered, mapping.ended)
        )
        sides = self._sides(row)
        recording = None if sides is None else bring_in(sides, folder, keep=self._keep)
        if recording is not None and answered is None:
            answered = ringing or invited
        began = invited or answered
        if began is None:
            raise ImportSourceError(
                f"{item.label} has no time", remedy="fill the column of the call's beginning"
            )
        if ended is None:
            ended = (answered or began) + timedelta(
                milliseconds=(recording.duration_ms or 0) if recording else 0
            )
        times = [moment for moment in (began, ringing, answered, ended) if moment is not None]
        if times != sorted(times):
            raise ImportSourceError(
                f"{item.label} ends before it begins", remedy="check the columns and time_form"
            )
        known = invited is not None and answered != invited
        return Call(
            call_id=call_id(self.name, f"{self._folder.resolve().name}\n{item.key}"),
            mode=Mode.IMPORT,
            caller=row.get(mapping.caller, ""),
            called=row.get(mapping.called, ""),
            agent=row.get(mapping.agent, ""),
            invited_at=began,
            ringing_at=ringing if known else None,
            answered_at=answered,
            ended_at=ended,
            ended_by=self._ended_by(row),
            end_reason=EndReason.BYE if answered else EndReason.NO_ANSWER,
            recording=recording,
            signalling=Signalling.FEED if known else Signalling.NONE,
            pbx_call_id=item.key,
            source=self.name,
        )

    def _time(self, row: dict[str, str], column: str) -> datetime | None:
        return read_time(row.get(column, ""), self._zone, self._mapping.time_form)

    def _ended_by(self, row: dict[str, str]) -> EndedBy:
        said = row.get(self._mapping.ended_by, "").strip()
        if said == self._mapping.ended_by_agent:
            return EndedBy.AGENT
        return EndedBy.CALLER if said == self._mapping.ended_by_caller else EndedBy.UNKNOWN

    def _sides(self, row: dict[str, str]) -> Sides | None:
        mapping = self._mapping
        if mapping.caller_audio and mapping.agent_audio:
            caller, agent = (
                self._audio(row, name) for name in (mapping.caller_audio, mapping.agent_audio)
            )
            if caller is not None or agent is not None:
                return Sides(caller=caller, agent=agent)
        both = self._audio(row, mapping.audio)
        return None if both is None else Sides(both=both, left=self._left)

    def _audio(self, row: dict[str, str], column: str) -> Path | None:
        name = row.get(column, "").strip()
        if not name:
            return None
        path = (self._folder / name).resolve()
        if not path.is_relative_to(self._folder.resolve()):
            raise ImportSourceError(
                "the list names a file outside its folder", remedy="copy the audio into the folder"
            )
        return path

    def _list(self) -> Path:
        if self._mapping.list:
            return self._folder / self._mapping.list
        found = [p for p in sorted(self._folder.glob("*")) if p.suffix in (".csv", ".json")]
        if not found:
            raise ImportSourceError(
                f"{self._folder} holds no list of its calls (.csv, .json)",
                remedy="put one beside the audio, as docs/import.md shows",
            )
        if len(found) != 1:
            raise ImportSourceError(
                f"{self._folder} holds {len(found)} lists (.csv, .json)",
                remedy=f'name one in {MAPPING_FILE}: list = "calls.csv"',
            )
        return found[0]


def read_mapping(path: Path) -> Mapping:
    """The mapping file; every default when there is none."""
    if not path.is_file():
        return Mapping()
    try:
        return Mapping.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path} cannot be read as TOML") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"{path}: {place}: {first['msg']}") from error


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV (UTF-8 or GB18030, with a header) or of a JSON array of objects."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImportSourceError(f"{path.name} cannot be read ({error.strerror})") from error
    text = decode(data)
    try:
        if path.suffix == ".json":
            rows = json.loads(text)
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                raise ImportSourceError(f"{path.name} is no JSON array of objects")
            return [{k: "" if v is None else str(v) for k, v in row.items()} for row in rows]
        return [
            {k: v for k, v in row.items() if isinstance(k, str) and isinstance(v, str)}
            for row in csv.DictReader(text.splitlines())
        ]
    except (ValueError, csv.Error) as error:
        raise ImportSourceError(
            f"{path.name} cannot be read as {path.suffix[1:].upper()}",
            remedy="export the list again",
        ) from error


def decode(data: bytes) -> str:
    """Text in UTF-8 (with or without a mark), else in GB18030, as Excel writes it in China."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("gb18030", "replace")


def left_of(stereo: str) -> Channel:
    """What the left channel is, from the setting ``stereo``."""
    return Channel.CALLER if stereo == "caller-agent" else Channel.AGENT
