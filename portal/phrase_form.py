"""One phrase of the phrasebook's files as a form, written back with every comment kept."""

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from phrasebook.book import BOOK_FILE
from portal.errors import RefusalError, not_found
from portal.ports import Files

_OWN_ID = re.compile(r"site-(\d+)")
"""Ids that this form gives to new phrases."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhraseForm:
    """A phrase as people write it; lists are one sentence a line."""

    phrase_id: str
    family: str
    text: str
    severity: str
    mode: str
    position: str
    exclude: str
    examples: tuple[str, ...]
    harmless: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyForms:
    """A family with its phrases."""

    family: str
    name: str
    kind: str
    phrases: tuple[PhraseForm, ...]


def families(files: Files) -> list[FamilyForms]:
    """Every family of the files that can be read as TOML, in their order."""
    return [
        FamilyForms(
            family=str(family.get("id", "")),
            name=str(family.get("name", "")),
            kind=kind,
            phrases=tuple(
                _form(str(family.get("id", "")), phrase) for phrase in _tables(family, "phrase")
            ),
        )
        for _, kind, family in _read(files)
    ]


def find(files: Files, phrase_id: str) -> PhraseForm:
    """One phrase; an unknown one answers 404."""
    for family in families(files):
        for phrase in family.phrases:
            if phrase.phrase_id == phrase_id:
                return phrase
    raise not_found()


def new_id(files: Files) -> str:
    """An id that no phrase has."""
    numbers = [
        int(found[1])
        for family in families(files)
        for phrase in family.phrases
        if (found := _OWN_ID.fullmatch(phrase.phrase_id))
    ]
    return f"site-{max(numbers, default=0) + 1}"


def guards(files: Files) -> list[tuple[str, str, tuple[str, ...]]]:
    """Every guard: its name, its label and the families it is limited to (none: all of them)."""
    return [
        (str(g.get("name", "")), str(g.get("label", "")), tuple(g.get("families", ())))
        for g in _tables(_parsed(files.get(BOOK_FILE, "")), "guard")
    ]


def guarded(files: Files, family: str) -> set[str]:
    """The guards that apply to a family."""
    return {name for name, _, only in guards(files) if not only or family in only}


def save(files: Files, form: PhraseForm, wanted_guards: set[str]) -> dict[str, str]:
    """The files with a phrase written as in the form, and its family's guards as wanted."""
    changed = dict(files)
    name, document = _document_of(changed, form.family)
    home = _family(document, form.family)
    kept = None
    for other_name, _, family in list(_read(files)):
        for place, phrase in enumerate(_tables(family, "phrase")):
            if phrase.get("id") == form.phrase_id:
                if family.get("id") == form.family:
                    kept = home["phrase"][place]
                else:
                    changed = _without(changed, other_name, str(family.get("id")), place)
    if kept is None:
        name, document = _document_of(changed, form.family)
        kept = tomlkit.table()
        kept.add("id", form.phrase_id)
        _family(document, form.family)["phrase"].append(kept)
        kept = _family(document, form.family)["phrase"][-1]
    _write(kept, form)
    changed[name] = tomlkit.dumps(document)
    return _with_guards(changed, form.family, wanted_guards)


def remove(files: Files, phrase_id: str) -> dict[str, str]:
    """The files without a phrase; the last one of a family stays."""
    for name, _, family in _read(files):
        phrases = _tables(family, "phrase")
        for place, phrase in enumerate(phrases):
            if phrase.get("id") == phrase_id:
                if len(phrases) == 1:
                    raise RefusalError(422, "last_phrase")
                return _without(dict(files), name, str(family.get("id")), place)
    raise not_found()


def _without(files: dict[str, str], name: str, family: str, place: int) -> dict[str, str]:
    document = _document(files[name])
    del _family(document, family)["phrase"][place]
    return {**files, name: tomlkit.dumps(document)}


def _write(table: Any, form: PhraseForm) -> None:
    values: dict[str, tuple[Any, Any]] = {
        "text": (form.text, None),
        "severity": (form.severity, None),
        "mode": (form.mode, "phrase"),
        "position": (form.position, "any"),
        "exclude": (form.exclude, ""),
        "examples": (list(form.examples), []),
        "harmless": (list(form.harmless), []),
    }
    for key, (value, default) in values.items():
        if key in table:
            if table[key] != value:
                table[key] = _item(value)
        elif value != default:
            table.add(key, _item(value))


def _item(value: Any) -> Any:
    if isinstance(value, list):
        sentences = tomlkit.array()
        sentences.extend(value)
        return sentences.multiline(len(value) > 1)
    literal = "\\" in value and "'" not in value and "\n" not in value
    return tomlkit.string(value, literal=literal)


def _with_guards(files: dict[str, str], family: str, wanted: set[str]) -> dict[str, str]:
    if guarded(files, family) == wanted:
        return files
    others = [f.family for f in families(files) if f.kind == "forbidden" and f.family != family]
    document = _document(files[BOOK_FILE])
    for guard in document.get("guard", []):
        only = list(guard.get("families", []))
        applies, want = not only or family in only, guard["name"] in wanted
        if applies and not want:
            left = [name for name in only or others if name != family]
            if not left:
                raise RefusalError(422, "last_family")
            guard["families"] = left
        elif want and not applies:
            guard["families"] = [*only, family]
    return {**files, BOOK_FILE: tomlkit.dumps(document)}


def _document_of(files: Files, family: str) -> tuple[str, Any]:
    for name, _, found in _read(files):
        if found.get("id") == family:
            return name, _document(files[name])
    raise RefusalError(422, "bad_request")


def _document(text: str) -> Any:
    try:
        return tomlkit.parse(text)
    except TOMLKitError as error:
        raise RefusalError(409, "edition_broken") from error


def _family(document: Any, family: str) -> Any:
    return next(table for table in document["family"] if table["id"] == family)


def _read(files: Files) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for name, text in files.items():
        parsed = _parsed(text)
        for family in _tables(parsed, "family"):
            yield name, str(parsed.get("kind", "")), family


def _parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return {}


def _tables(table: dict[str, Any], key: str) -> Sequence[dict[str, Any]]:
    found = table.get(key, [])
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _form(family: str, phrase: dict[str, Any]) -> PhraseForm:
    return PhraseForm(
        phrase_id=str(phrase.get("id", "")),
        family=family,
        text=str(phrase.get("text", "")),
        severity=str(phrase.get("severity", "major")),
        mode=str(phrase.get("mode", "phrase")),
        position=str(phrase.get("position", "any")),
        exclude=str(phrase.get("exclude", "")),
        examples=tuple(map(str, phrase.get("examples", ()))),
        harmless=tuple(map(str, phrase.get("harmless", ()))),
    )
