"""Editions of the phrasebook and the rules that people publish in the portal.

They lie in ``published/`` of the data folder, a folder an edition, never changed once there; a
symbolic link names the one in use and is swapped by one rename. Service, workers and commands find
it through ``sansheng.settings.in_use``.
"""

import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from calls.errors import SanshengError, SettingsError
from calls.hit import Severity
from phrasebook import book as phrasebook_file
from phrasebook.book import BOOK_FILE, Phrasebook
from phrasebook.examples import misses
from portal.ports import BookKind, Changed, Checked, Files, InUse, Prices, Trial
from sansheng.backtest import Change, count, pages, run
from sansheng.settings import Settings, in_use
from scoring import rules as rules_file
from scoring.backtest import Difference, Mark, Summary
from scoring.rules import RULES_FILE, RuleBook

_DEPARTMENTS = "departments.toml"
_PROCESSES = 2
_AGENTS = 50
"""Agents whose average is told; the hardest hit come first."""
_VETO_RULES = ("forbidden_phrase", "hangup_consent")
"""Rules under which a fail can veto a call."""


@dataclass(frozen=True, slots=True)
class Editions:
    """The portal's editor over the data folder."""

    settings: Settings

    def files(self, kind: BookKind) -> Files:
        """The files in use: published ones, else those of the settings, else the delivered ones."""
        now = in_use(self.settings)
        if kind is BookKind.RULES:
            path = now.scoring.path or RULES_FILE
            beside = path.with_name(_DEPARTMENTS)
            departments = beside if beside.is_file() else RULES_FILE.with_name(_DEPARTMENTS)
            return {RULES_FILE.name: _read(path), _DEPARTMENTS: _read(departments)}
        if now.phrasebook.path is not None:
            return _folder(now.phrasebook.path)
        with resources.as_file(resources.files("phrasebook") / "data") as delivered:
            return _folder(delivered)

    def check(self, kind: BookKind, files: Files) -> Checked:
        """Read an edition; an error names the file without the folder it lay in for a moment."""
        with _laid_out(files) as folder, _named(folder):
            if kind is BookKind.RULES:
                rules = rules_file.load(folder / RULES_FILE.name)
                sections = {
                    name: getattr(rules.file, name).model_dump_json() for name in _VETO_RULES
                }
                return Checked(version=rules.version, vetoes=sections)
            book = phrasebook_file.load(folder)
        missed = [f"{one.phrase.text}：{one.sentence}" for one in misses(book)]
        return Checked(version=book.version, vetoes=_vetoes(book), missed=missed, book=book)

    def backtest(self, kind: BookKind, files: Files) -> Generator[Trial, None, None]:
        """Score every stored call anew under an edition, in processes of their own."""
        now = in_use(self.settings)
        stored = (now.database, now.socket)
        with _laid_out(files) as folder, _named(folder):
            rules = kind is BookKind.RULES
            change = Change(
                rules=folder / RULES_FILE.name if rules else now.scoring.path,
                phrases=None if rules else folder,
                phrases_in_use=now.phrasebook.path,
                rules_in_use=now.scoring.path,
            )
            total, summary, broken = count(*stored), Summary(), 0
            yield Trial(total=total)
            outcomes = run(pages(*stored), change, _PROCESSES)
            try:
                for outcome in outcomes:
                    summary.merge(outcome.summary)
                    broken += outcome.broken
                    yield _trial(total, broken, summary, outcome.changes)
            finally:
                outcomes.close()

    def publish(self, kind: BookKind, files: Files) -> InUse:
        """Write an edition into a folder of its own, then let the link name it."""
        root = self.settings.published_dir
        folder = root / f"{kind}-{self.check(kind, files).version}"
        try:
            root.mkdir(parents=True, exist_ok=True)
            if not folder.is_dir():
                made = Path(tempfile.mkdtemp(dir=root, prefix=".new-"))
                _lay_out(files, made)
                made.chmod(0o755)
                made.rename(folder)
            link = root / f".{kind}.new"
            link.unlink(missing_ok=True)
            link.symlink_to(folder.name)
            link.replace(root / kind)
            _sync(root)
        except OSError as error:
            raise SettingsError(
                f"cannot publish into {root} ({error.strerror})", remedy="make data_dir writable"
            ) from error
        now = in_use(self.settings)
        return InUse(
            book=phrasebook_file.load(now.phrasebook.path),
            prices=prices(rules_file.load(now.scoring.path)),
        )


def _vetoes(book: Phrasebook) -> dict[str, str]:
    """The critical phrases, and what says when any phrase fails; without what only explains."""
    phrases = {
        p.text: repr(
            (p.family, p.whole, p.first_turn, p.exclude and p.exclude.pattern, p.forms, p.misheard)
        )
        for p in book.phrases
        if p.severity is Severity.CRITICAL
    }
    guards = {g.label: repr((g.pattern.pattern, sorted(g.families))) for g in book.guards}
    compared = repr((book.final_particles, book.leading_fillers))
    return {
        **phrases,
        **guards,
        "[verdict]": book.thresholds.model_dump_json(),
        "[compare]": compared,
    }


def prices(rules: RuleBook) -> Prices:
    """What a finding of each severity costs, as the portal counts after a review."""
    costs = rules.file.forbidden_phrase
    return {
        Severity.CRITICAL: costs.critical,
        Severity.MAJOR: costs.major,
        Severity.MINOR: costs.minor,
    }


def _trial(total: int, broken: int, summary: Summary, differences: tuple[Difference, ...]) -> Trial:
    return Trial(
        total=total,
        done=summary.calls + broken,
        broken=broken,
        changed=summary.changed,
        needs_audio=summary.unasked_calls,
        flagged=dict(summary.flagged),
        cleared=dict(summary.cleared),
        agents=[
            (one.agent, one.calls, one.before, one.after)
            for one in summary.agents
            if one.before != one.after
        ][:_AGENTS],
        changes=[
            Changed(
                call_id=one.call_id,
                agent=one.agent,
                before=one.before,
                after=one.after,
                flagged=[_told(mark) for mark in one.flagged],
                cleared=[_told(mark) for mark in one.cleared],
                needs_audio=one.unasked,
            )
            for one in differences
        ],
    )


def _told(mark: Mark) -> str:
    return f"{mark.rule}/{mark.phrase}" if mark.phrase else mark.rule


def _folder(folder: Path) -> Files:
    names = sorted(path.name for path in folder.glob("*.toml"))
    names.sort(key=lambda name: name != BOOK_FILE)
    return {name: _read(folder / name) for name in names}


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read", remedy="check the settings") from error


@contextmanager
def _laid_out(files: Files) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="sansheng-edition-"))
    try:
        _lay_out(files, folder)
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def _named(folder: Path) -> Iterator[None]:
    """Errors name a file of the edition, not the folder that it was laid out in."""
    try:
        yield
    except SanshengError as error:
        message = error.message.replace(f"{folder}{os.sep}", "")
        raise type(error)(message, remedy=error.remedy) from error


def _lay_out(files: Files, folder: Path) -> None:
    for name, text in files.items():
        with (folder / Path(name).name).open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    _sync(folder)


def _sync(folder: Path) -> None:
    """Make the names in a folder last over a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
