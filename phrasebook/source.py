"""The phrasebook's TOML files: read, checked, and every mistake named by file, line and key."""

import difflib
import re
import tomllib
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from calls.errors import PhrasebookError
from calls.hit import Kind, Severity

M = TypeVar("M", bound=BaseModel)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PhraseSource(_Strict):
    """One ``[[family.phrase]]`` as written."""

    id: str = Field(min_length=1)
    text: str = Field(min_length=1)
    severity: Severity = Severity.MAJOR
    mode: Literal["whole", "phrase"] = "phrase"
    position: Literal["any", "first_agent_turn"] = "any"
    exclude: str = ""
    examples: tuple[str, ...] = ()
    harmless: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    @field_validator("exclude")
    @classmethod
    def _is_pattern(cls, value: str) -> str:
        return _compiled(value)


class FamilySource(_Strict):
    """One ``[[family]]`` with its phrases."""

    id: str = Field(min_length=1)
    name: str = Field(min_length=1)
    phrase: tuple[PhraseSource, ...] = Field(min_length=1)


class PhraseFile(_Strict):
    """A file of families, forbidden or courtesy."""

    kind: Kind
    family: tuple[FamilySource, ...] = Field(min_length=1)


class CompareSource(_Strict):
    """``[compare]``: what is skipped around a whole clause."""

    final_particles: tuple[str, ...]
    leading_fillers: tuple[str, ...]


class GuardSource(_Strict):
    """One ``[[guard]]``."""

    name: str = Field(min_length=1)
    label: str = Field(min_length=1)
    pattern: str = Field(min_length=1)
    families: tuple[str, ...] = ()

    @field_validator("pattern")
    @classmethod
    def _is_pattern(cls, value: str) -> str:
        return _compiled(value)


class Thresholds(_Strict):
    """``[verdict]``: probabilities 0–1 at which a verdict changes."""

    fail_probability: float = Field(default=0.9, ge=0, le=1)
    review_probability: float = Field(default=0.35, ge=0, le=1)
    near_probability: float = Field(default=0.1, ge=0, le=1)
    meaning_review: float = Field(default=0.42, ge=0, le=1)
    meaning_heard: float = Field(default=0.45, ge=0, le=1)
    meaning_fail: float = Field(default=0.7, ge=0, le=1)


class BookFile(_Strict):
    """``book.toml``: the version, the comparison, the guards and the thresholds."""

    version: str = Field(min_length=1)
    compare: CompareSource
    variants: dict[str, tuple[str, ...]] = {}
    misheard: dict[str, tuple[str, ...]] = {}
    guard: tuple[GuardSource, ...] = ()
    verdict: Thresholds = Field(default_factory=Thresholds)


def read_file(path: Path, model: type[M]) -> M:
    """Read one TOML file into its model.

    Errors: PhrasebookError with the file, the line and, for an unknown key, the nearest known one.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise PhrasebookError(
            f"{path} cannot be read ({error.strerror})", remedy="check phrasebook.path"
        ) from error
    except UnicodeDecodeError as error:
        raise PhrasebookError(f"{path} is not UTF-8", remedy="save it as UTF-8") from error
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PhrasebookError(f"{path} is no TOML: {error}", remedy="mend that line") from error
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise _translated(path, text, model, error) from error


def find_line(text: str, place: tuple[int | str, ...]) -> int:
    """The line (from 1) of a key such as ``("family", 0, "phrase", 3, "mode")`` in TOML text.

    Counts the ``[[…]]`` headers on the way, then looks for the key below the last of them. Where
    the key is not written (it is missing), the line of its table.
    """
    names = [str(part) for part in place if isinstance(part, str)]
    lines = text.splitlines()
    here, end, path = 0, len(lines), ""
    for part in place:
        if isinstance(part, str):
            path = f"{path}.{part}".lstrip(".")
            table = re.compile(rf"\s*\[{re.escape(path)}\]")
            for number in range(here, end):
                if table.match(lines[number]):
                    here = number
                    break
            continue
        header = re.compile(rf"\s*\[\[{re.escape(path)}\]\]")
        found = [number for number in range(here, end) if header.match(lines[number])]
        if part >= len(found):
            break
        here = found[part]
        end = found[part + 1] if part + 1 < len(found) else end
    key = re.compile(rf"\s*\"?{re.escape(names[-1])}\"?\s*=") if names else None
    for number in range(here, end):
        if key is not None and key.match(lines[number]):
            return number + 1
    return here + 1


def _translated(
    path: Path, text: str, model: type[BaseModel], error: ValidationError
) -> PhrasebookError:
    first = error.errors(include_input=False, include_url=False)[0]
    place = first["loc"]
    where = f"{path}, line {find_line(text, place)}"
    key = str(place[-1]) if place else ""
    if first["type"] == "extra_forbidden":
        known = _known_keys(model, place)
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.4)
        remedy = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(known)}"
        return PhrasebookError(f"{where}: unknown key {key}", remedy=remedy)
    if first["type"] == "missing":
        return PhrasebookError(f"{where}: {key} is missing", remedy="add the key")
    return PhrasebookError(f"{where}: {key}: {first['msg']}", remedy="mend the value")


def _known_keys(model: type[BaseModel], place: tuple[int | str, ...]) -> list[str]:
    here: Any = model
    for part in place[:-1]:
        if isinstance(part, str) and part in here.model_fields:
            annotation = here.model_fields[part].annotation
            inner = [annotation, *getattr(annotation, "__args__", ())]
            here = next(
                (a for a in inner if isinstance(a, type) and issubclass(a, BaseModel)), here
            )
    return sorted(here.model_fields)


def _compiled(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from error
    return value
