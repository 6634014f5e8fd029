"""What the portal asks of its neighbours: the warehouse and the service's live board."""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

from calls.call import Call
from calls.hit import Severity, Status
from calls.scorecard import Analysis
from calls.speech import Transcript
from phrasebook.book import Phrasebook

T = TypeVar("T")
Params = Mapping[str, object]
Detail = Mapping[str, str | int | None]
Prices = Mapping[Severity, float]
"""Share (0–1) of a rule's weight that a failed finding costs: ``[forbidden_phrase]`` of the rules
in use."""
NO_PARAMS: Params = MappingProxyType({})
NO_DETAIL: Detail = MappingProxyType({})


class Cursor(Protocol):
    """One connection's statement runner, inside one transaction."""

    def execute(self, sql: str, params: Params | None = None) -> Any:
        """Run a statement with ``$name`` parameters."""
        ...

    def fetchall(self) -> list[tuple[Any, ...]]:
        """The rows of the last statement."""
        ...


class StoredCall(Protocol):
    """One call whole, as it was handed over."""

    @property
    def call(self) -> Call:
        """What the signalling saw."""
        ...

    @property
    def transcript(self) -> Transcript | None:
        """What was heard; None for a call without speech, or after retention took it."""
        ...

    @property
    def analysis(self) -> Analysis:
        """The automatic scorecard and the hits behind it."""
        ...

    @property
    def recording(self) -> Path | None:
        """The archived WAV; None when there is none (any more)."""
        ...


class Store(Protocol):
    """The warehouse as accounts, reviews and pages need it; safe to use from many threads."""

    def rows(
        self, sql: str, params: Params = NO_PARAMS, *, max_rows: int = 10_000
    ) -> list[dict[str, Any]]:
        """Read rows as dictionaries; timestamps are aware UTC."""
        ...

    def write(self, work: Callable[[Cursor], T]) -> T:
        """Run ``work`` in one transaction on the single writer."""
        ...

    def audit(self, actor: str, action: str, subject: str, detail: Detail = NO_DETAIL) -> int:
        """Append to the audit chain; returns the entry's number."""
        ...

    def audit_verify(self) -> int | None:
        """The number of the first entry whose hash does not fit; None when all do."""
        ...

    def stored(self, call_id: str) -> StoredCall | None:
        """One call whole, or None."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCall:
    """One call under way, as the live board shows it."""

    call_id: str
    agent: str
    state: str
    """``ringing``, ``talking`` or ``held``."""
    since: datetime
    """When the state began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TapHealth:
    """One tap process: whether it hears, and since when."""

    name: str
    hears: bool
    detail: str = ""
    """A word for operators; never a number, name or speech."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """What is going on right now."""

    calls: Sequence[LiveCall] = ()
    taps: Sequence[TapHealth] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveFinding:
    """A phrase heard in a call that is still under way."""

    call_id: str
    agent: str
    family: str
    """The phrase's family, by its id."""
    severity: Severity
    status: Status
    """``fail`` or ``review``; what counts is the scorecard after the call."""
    at_ms: int
    """Where it began, from the start of the recording."""
    heard_at: datetime

    def same_as(self, other: "LiveFinding") -> bool:
        """Whether another one tells of the same words."""
        mine = (self.call_id, self.family, self.at_ms)
        return mine == (other.call_id, other.family, other.at_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What the machine and one person said of one rule, or one phrase, on one call."""

    call_id: str
    rule: str
    automatic: Status
    person: Status
    reviewer: str
    phrase_id: str = ""


Files = Mapping[str, str]
"""An edition of the phrasebook or the rules: file name to text."""


class BookKind(StrEnum):
    """What QA edit: the two books that decide over scores."""

    PHRASES = "phrasebook"
    RULES = "rules"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """An edition that can be read."""

    version: str
    """Its own version and a hash of its content, as scorecards carry it."""
    vetoes: Mapping[str, str]
    """What can veto a call, name to content: a change here wants a second person."""
    missed: Sequence[str] = ()
    """Examples that it does not judge as they are written down."""
    book: Phrasebook | None = None
    """The phrases, ready to search; None for an edition of the rules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """One stored call whose scorecard an edition would change."""

    call_id: str
    agent: str
    before: float | None
    after: float | None
    flagged: Sequence[str]
    """New fails and reviews: the rule, and the phrase where there is one."""
    cleared: Sequence[str]
    needs_audio: int
    """Phrases that only the recording can settle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a back-test has found so far; ``changes`` are those of its last step alone."""

    total: int
    done: int = 0
    broken: int = 0
    changed: int = 0
    needs_audio: int = 0
    flagged: Mapping[str, int] = field(default_factory=dict)
    cleared: Mapping[str, int] = field(default_factory=dict)
    agents: Sequence[tuple[str, int, float, float]] = ()
    """Agent, calls, mean score before and after; the hardest hit first."""
    changes: Sequence[Changed] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InUse:
    """What the pages themselves use of the two books."""

    book: Phrasebook
    prices: Prices


class Editor(Protocol):
    """The phrasebook and the rules as files: read, checked, tried and published."""

    def files(self, kind: BookKind) -> Files:
        """The files in use."""
        ...

    def check(self, kind: BookKind, files: Files) -> Checked:
        """Read an edition. Errors: SanshengError with the file, the line and the nearest key."""
        ...

    def backtest(self, kind: BookKind, files: Files) -> Generator[Trial, None, None]:
        """Score the stored calls anew, a step at a time; closing it stops."""
        ...

    def publish(self, kind: BookKind, files: Files) -> InUse:
        """Put the files where service, workers and commands read them, all or nothing."""
        ...


class Share(Protocol):
    """A share of a count with its 95 % interval; ``value`` is None where nothing was counted."""

    @property
    def hits(self) -> int:
        """How many of the count."""
        ...

    @property
    def count(self) -> int:
        """How many were counted."""
        ...

    @property
    def value(self) -> float | None:
        """The share, 0–1."""
        ...

    @property
    def low(self) -> float:
        """Lower end of its interval."""
        ...

    @property
    def high(self) -> float:
        """Upper end of its interval."""
        ...


class Quality(Protocol):
    """How one automatic rule does against people."""

    @property
    def rule(self) -> str:
        """The rule's name."""
        ...

    @property
    def judged(self) -> int:
        """Verdicts that people judged."""
        ...

    @property
    def precision(self) -> Share:
        """Of the machine's fails, those that people call fails."""
        ...

    @property
    def recall(self) -> Share:
        """Of people's fails, those that the machine failed."""
        ...

    @property
    def noticed(self) -> Share:
        """Of people's fails, those that the machine failed or doubted."""
        ...

    @property
    def review_yield(self) -> Share:
        """Of the machine's doubts, those that people call fails."""
        ...


class Overruled(Protocol):
    """How often people overrule a rule or a phrase."""

    @property
    def name(self) -> str:
        """The rule or phrase."""
        ...

    @property
    def share(self) -> Share:
        """How often it was overruled."""
        ...


class Calibration(Protocol):
    """Agreement figures over a sequence of ``Judged``: the functions of ``scoring.calibration``."""

    def rule_quality(self, judged: Any) -> Sequence[Quality]:
        """Precision and recall of every rule against people."""
        ...

    def reviewer_agreement(self, judged: Any) -> dict[str, tuple[float | None, int]]:
        """Cohen's κ of two reviewers, and the number of pairs, by rule."""
        ...

    def most_overruled(self, judged: Any, *, by: Callable[[Any], str] = ...) -> Sequence[Overruled]:
        """What people overrule most, worst first; ``by`` names it, by default its rule."""
        ...
