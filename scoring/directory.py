"""Whom a caller can be sent to: the departments' names, as a data file.

守则 13 asks that an agent who is not responsible names who is; a named department is what tells a
referral from shirking.
"""

import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from calls.errors import RulesError
from scoring.words import Words


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    names: tuple[str, ...] = Field(min_length=1)
    endings: tuple[str, ...]
    not_names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Directory:
    """The departments to look for in what was said."""

    departments: Words
    text: str
    """The file as read, for the version's hash."""


def load_directory(path: Path | None = None) -> Directory:
    """Read a directory file; None is the bundled one. Errors: RulesError with file and key."""
    name = str(path or "scoring/data/departments.toml")
    try:
        source = path or resources.files("scoring").joinpath("data/departments.toml")
        text = source.read_text(encoding="utf-8")
        entries = _File.model_validate(tomllib.loads(text))
    except OSError as error:
        raise RulesError(f"{name} cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RulesError(f"{name} is no TOML file: {error}", remedy="mend that line") from error
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RulesError(
            f"{name}: {place}: {first['msg']}", remedy="known keys: names, endings, not_names"
        ) from error
    words = Words(any=(*entries.names, *entries.endings), unless=entries.not_names)
    return Directory(words, text)
