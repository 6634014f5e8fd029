"""The scorecard: every rule's verdict with its clause and its evidence, and the score of them."""

from dataclasses import dataclass

from calls.call import Channel, Ms
from calls.hit import Finding, Hit, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A place in the recording that a verdict rests on."""

    channel: Channel
    start_ms: Ms
    end_ms: Ms
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One rule's verdict on one call."""

    rule: str
    status: Status
    earned: float
    weight: float
    clause: str
    veto: str | None = None
    """``pending`` until a person confirms or lifts it (``confirmed``, ``lifted``); else None."""
    explanation: str = ""
    """One Chinese sentence built from the evidence."""
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions:
    """What made a scorecard, so that it can be made again."""

    rules: str
    phrasebook: str
    engine: str = ""
    model: str = ""
    code: str = ""
    """A hash of the code that judged; empty where it was not noted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorecard:
    """The automatic judgement of one call."""

    call_id: str
    score: float | None
    """Σ earned / Σ applicable × 100, to one decimal; None when no rule applies."""
    ring_ms: int | None
    rings: int | None
    items: tuple[Item, ...]
    findings: tuple[Finding, ...] = ()
    versions: Versions
    coaching: dict[str, float] | None = None
    """Unscored figures (chars a minute, talk share …) for coaching."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """All that a worker hands on to the warehouse about one call."""

    scorecard: Scorecard
    hits: tuple[Hit, ...] = ()
