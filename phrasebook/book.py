"""The phrasebook: families and phrases as QA staff write them, loaded, checked and versioned."""

import hashlib
import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from pathlib import Path

from calls.errors import PhrasebookError
from calls.hit import Kind, Severity
from calls.text import normalise
from phrasebook.source import BookFile, PhraseFile, Thresholds, find_line, read_file

BOOK_FILE = "book.toml"
_HASH_DIGITS = 8
_MOST_VARIANTS = 12
_STRIPPED_TO = 4
"""A particle at the end is dropped from a phrase only if this many syllables remain."""
_WHOLE_STRIPPED_TO = 2
"""The same for a phrase that must be a whole clause anyway."""
_EMPTY_PARTICLES = frozenset("啊呀呢哦哈哎哟")
"""Particles that carry no meaning; 了, 吧 and 嘛 do (挂吧, 干嘛)."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """One phrase of the book."""

    id: str
    kind: Kind
    family: str
    text: str
    severity: Severity
    whole: bool
    """Whether it must be a whole clause; else it counts anywhere in a sentence."""
    first_turn: bool
    """Whether it only counts before the caller has spoken."""
    exclude: re.Pattern[str] | None
    """A reading of the sentence in which the words mean something else."""
    forms: tuple[str, ...]
    """The phrase and its variants, normalised."""
    misheard: tuple[str, ...] = ()
    """What a recogniser is known to make of it, normalised."""
    sources: tuple[str, ...] = ()
    examples: tuple[str, ...] = field(default=(), compare=False)
    """Sentences in which it must be found, as QA wrote them."""
    harmless: tuple[str, ...] = field(default=(), compare=False)
    """Sentences that must not fail for it."""


@dataclass(frozen=True, slots=True)
class Family:
    """A family of phrases, its Chinese name and its kind."""

    id: str
    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Guard:
    """A reading under which a hit goes to ``review`` instead of ``fail``."""

    name: str
    label: str
    pattern: re.Pattern[str]
    families: frozenset[str]
    """Families it applies to; empty: all."""


@dataclass(frozen=True)
class Phrasebook:
    """All phrases with what is needed to compare and judge them."""

    version: str
    """Human version and the hash of the content, e.g. ``2026.11.1+0a1b2c3d``."""
    families: Mapping[str, Family]
    phrases: tuple[Phrase, ...]
    guards: tuple[Guard, ...]
    thresholds: Thresholds
    final_particles: tuple[str, ...] = ()
    leading_fillers: tuple[str, ...] = ()
    path: Path | None = field(default=None, compare=False)

    def __hash__(self) -> int:
        """The version covers the content; hashing every phrase would cost more than a search."""
        return hash(self.version)

    @cached_property
    def by_id(self) -> Mapping[str, Phrase]:
        """Phrases by their id."""
        return {phrase.id: phrase for phrase in self.phrases}

    def of(self, kind: Kind) -> Iterator[Phrase]:
        """The phrases of one kind, in the order of the files."""
        return (phrase for phrase in self.phrases if phrase.kind is kind)


def load(path: Path | None = None) -> Phrasebook:
    """Load a folder of TOML files, or the phrasebook that is delivered.

    Errors: PhrasebookError naming the file, the line and the key.
    """
    if path is None:
        with resources.as_file(resources.files("phrasebook") / "data") as bundled:
            return _load_folder(bundled)
    return _load_folder(path)


def _load_folder(folder: Path) -> Phrasebook:
    book_path = folder / BOOK_FILE
    if not book_path.is_file():
        raise PhrasebookError(
            f"{folder} holds no {BOOK_FILE}",
            remedy="name a folder made as a copy of the delivered phrasebook",
        )
    head = read_file(book_path, BookFile)
    digest = hashlib.sha256(book_path.read_bytes())
    families: dict[str, Family] = {}
    phrases: dict[str, Phrase] = {}
    for path in sorted(folder.glob("*.toml")):
        if path == book_path:
            continue
        source = read_file(path, PhraseFile)
        text = path.read_text(encoding="utf-8")
        digest.update(path.read_bytes())
        for position, family in enumerate(source.family):
            place: tuple[int | str, ...] = ("family", position, "id")
            if family.id in families:
                raise _twice(path, text, place, f"family {family.id}")
            families[family.id] = Family(family.id, family.name, source.kind)
            for number, written in enumerate(family.phrase):
                place = ("family", position, "phrase", number, "id")
                if written.id in phrases:
                    raise _twice(path, text, place, f"phrase {written.id}")
                forms = _forms(written.text, written.mode == "whole", head)
                if not forms:
                    raise PhrasebookError(
                        f"{path}, line {find_line(text, (*place[:-1], 'text'))}: "
                        "text holds nothing that is spoken",
                        remedy="write the words of the phrase",
                    )
                phrases[written.id] = Phrase(
                    id=written.id,
                    kind=source.kind,
                    family=family.id,
                    text=written.text,
                    severity=written.severity,
                    whole=written.mode == "whole",
                    first_turn=written.position == "first_agent_turn",
                    exclude=re.compile(written.exclude) if written.exclude else None,
                    forms=forms,
                    misheard=_misheard(forms, head.misheard),
                    sources=written.sources,
                    examples=written.examples,
                    harmless=written.harmless,
                )
    guards = []
    for position, guard in enumerate(head.guard):
        for name in guard.families:
            if name not in families:
                text = book_path.read_text(encoding="utf-8")
                line = find_line(text, ("guard", position, "families"))
                raise PhrasebookError(
                    f"{book_path}, line {line}: families: there is no family {name}",
                    remedy="name a family by its id",
                )
        guards.append(
            Guard(guard.name, guard.label, re.compile(guard.pattern), frozenset(guard.families))
        )
    return Phrasebook(
        version=f"{head.version}+{digest.hexdigest()[:_HASH_DIGITS]}",
        families=families,
        phrases=tuple(phrases.values()),
        guards=tuple(guards),
        thresholds=head.verdict,
        final_particles=head.compare.final_particles,
        leading_fillers=head.compare.leading_fillers,
        path=folder,
    )


def _forms(text: str, whole: bool, head: BookFile) -> tuple[str, ...]:
    """The phrase's normalised text with its variants; particles at the end dropped where safe."""
    base = normalise(text).text
    if not base:
        return ()
    forms = [base]
    for written, others in head.variants.items():
        if written not in base:
            continue
        forms += [
            form.replace(written, other)
            for form, other in itertools.product(tuple(forms), others)
            if written in form
        ]
    spare = _WHOLE_STRIPPED_TO if whole else _STRIPPED_TO
    return tuple(dict.fromkeys(_strip(form, spare) for form in forms))[:_MOST_VARIANTS]


def _strip(form: str, spare: int) -> str:
    while len(form) > spare and form[-1] in _EMPTY_PARTICLES:
        form = form[:-1]
    return form


def _misheard(forms: tuple[str, ...], known: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(
        form.replace(said, heard)
        for form in forms
        for said, others in known.items()
        if said in form
        for heard in others
    )


def _twice(path: Path, text: str, place: tuple[int | str, ...], what: str) -> PhrasebookError:
    return PhrasebookError(
        f"{path}, line {find_line(text, place)}: {what} is there twice",
        remedy="give it an id of its own",
    )
