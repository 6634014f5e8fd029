"""The rules file: read, checked to the last key and sentence, and given its version.

A rules file decides over people's scores, so a slip in it must be found when it is loaded and not
in a score: every error names the file, the line and the nearest key that exists.
"""

import difflib
import hashlib
import re
import string
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from calls.errors import RulesError
from scoring.directory import Directory, load_directory
from scoring.sections import Notes, Placeholders, Rule, RuleFile

RULES_FILE = Path(__file__).parent / "data" / "rules.toml"
"""The bundled rules."""
_HASH_LENGTH = 8
_TABLE = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]\s*(?:#.*)?$")
_KEY = re.compile(r"\s*([A-Za-z0-9_.\-\"']+)\s*=")


@dataclass(frozen=True, slots=True)
class RuleBook:
    """The rules with the directory of departments, and the version that scorecards carry."""

    file: RuleFile
    directory: Directory
    version: str
    """The file's own version and a hash of the contents, e.g. ``2026.11.1+1f0c9ab3``."""


def load(path: Path | None = None) -> RuleBook:
    """Read a rules file; None is the bundled one.

    A ``departments.toml`` beside a site's own file replaces the bundled directory. Errors:
    RulesError naming the file, the line and the nearest key.
    """
    if path is None:
        name, text = "scoring/data/rules.toml", _text(RULES_FILE)
    else:
        name, text = str(path), _text(path)
    own = path.with_name("departments.toml") if path else None
    directory = load_directory(own if own and own.is_file() else None)
    rules = parse(text, name=name)
    digest = hashlib.sha256(text.encode() + directory.text.encode()).hexdigest()[:_HASH_LENGTH]
    return RuleBook(rules, directory, f"{rules.version}+{digest}")


def parse(text: str, *, name: str) -> RuleFile:
    """Check the text of a rules file; ``name`` is what errors call it."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RulesError(f"{name} is no TOML file: {error}", remedy="mend that line") from error
    try:
        rules = RuleFile.model_validate(raw)
    except ValidationError as error:
        raise _translate(name, text, error) from error
    for key in RuleFile.model_fields:
        section = getattr(rules, key)
        if isinstance(section, Rule | Notes):
            _check_sentences(name, text, key, section.say, section.SAYS)
    return rules


def _check_sentences(
    name: str, text: str, rule: str, say: Mapping[str, str], known: Placeholders
) -> None:
    """Every sentence there is one for, no other, and only placeholders that will be filled."""
    for key in say:
        if key not in known:
            raise _unknown(name, text, (rule, "say", key), sorted(known))
    for key, allowed in known.items():
        place = (rule, "say", key)
        if key not in say:
            raise RulesError(
                f"{name}:{_line(text, place)}: {'.'.join(place)} is missing",
                remedy="write the sentence, or copy it from the bundled rules",
            )
        try:
            used = {field for _, field, _, _ in string.Formatter().parse(say[key])}
        except ValueError as error:
            raise RulesError(
                f"{name}:{_line(text, place)}: {'.'.join(place)}: {error}",
                remedy="write {{ and }} for braces that stand for themselves",
            ) from error
        for field in sorted(field for field in used if field is not None):
            if field not in allowed:
                near = difflib.get_close_matches(field, allowed, n=1, cutoff=0.4)
                raise RulesError(
                    f"{name}:{_line(text, place)}: {'.'.join(place)} names {{{field}}}",
                    remedy=f"did you mean {{{near[0]}}}?"
                    if near
                    else f"it may name: {', '.join(sorted(allowed)) or 'nothing'}",
                )


def _translate(name: str, text: str, error: ValidationError) -> RulesError:
    errors = error.errors(include_input=False, include_url=False)
    # A misspelt key is also a missing one: the misspelling says more.
    first = min(errors, key=lambda e: e["type"] != "extra_forbidden")
    place = tuple(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return _unknown(name, text, place, _keys_beside(place))
    keys = ".".join(place)
    remedy = "add the key" if first["type"] == "missing" else "mend the value"
    return RulesError(f"{name}:{_line(text, place)}: {keys}: {first['msg']}", remedy=remedy)


def _unknown(name: str, text: str, place: Sequence[str], known: Sequence[str]) -> RulesError:
    near = difflib.get_close_matches(place[-1], known, n=1, cutoff=0.4)
    prefix = "".join(f"{part}." for part in place[:-1])
    return RulesError(
        f"{name}:{_line(text, place)}: unknown key {'.'.join(place)}",
        remedy=f"did you mean {prefix}{near[0]}?" if near else f"known keys: {', '.join(known)}",
    )


def _keys_beside(place: Sequence[str]) -> list[str]:
    here: type[BaseModel] | None = RuleFile
    for part in place[:-1]:
        field = here.model_fields.get(part) if here else None
        annotation: Any = field.annotation if field else None
        here = annotation if isinstance(annotation, type) else None
    return sorted(here.model_fields) if here else []


def _line(text: str, place: Sequence[str]) -> int:
    """Line (from 1) of a key, else of the nearest table around it that is written."""
    wanted = tuple(place)
    best, depth = 1, 0
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _TABLE.match(line):
            table = _parts(header[1])
            here = table
        elif key := _KEY.match(line):
            here = (*table, *_parts(key[1]))
        else:
            continue
        if here == wanted:
            return number
        if len(here) > depth and here == wanted[: len(here)]:
            best, depth = number, len(here)
    return best


def _parts(key: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in key.split("."))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise RulesError(f"{path} does not exist", remedy="check scoring.path") from error
    except UnicodeDecodeError as error:
        raise RulesError(f"{path} is not UTF-8", remedy="save it as UTF-8") from error
    except OSError as error:
        raise RulesError(f"{path} cannot be read ({error.strerror})") from error
