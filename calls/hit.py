"""From a candidate phrase to a finding: what was proposed, what the check said, what stands."""

from dataclasses import dataclass
from enum import StrEnum

from calls.call import Channel, Ms


class Severity(StrEnum):
    """How grave a phrase is; ``CRITICAL`` is a veto (一票否决) once a person confirms it."""

    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"


class Status(StrEnum):
    """The state of a rule or a finding; ``NA`` leaves the score, ``REVIEW`` asks a person."""

    PASS = "pass"
    FAIL = "fail"
    REVIEW = "review"
    NA = "na"


class Kind(StrEnum):
    """What a phrase is for: to be forbidden, or to be looked for as courtesy."""

    FORBIDDEN = "forbidden"
    COURTESY = "courtesy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A phrase that an utterance may hold, proposed by text, sound or meaning."""

    kind: Kind
    family: str
    phrase_id: str
    phrase: str
    """The phrase as the phrasebook writes it."""
    severity: Severity = Severity.MAJOR
    channel: Channel
    utterance: int
    """Index in ``Transcript.utterances``."""
    char_start: int
    char_end: int
    """Offsets in the utterance's text of what was heard there."""
    start_ms: Ms
    end_ms: Ms
    heard: str
    score: float
    """Likeness 0–1 of what was heard to the phrase."""
    by: str = "text"
    """``text``, ``sound``, ``audio`` or ``meaning``: the evidence that proposed it."""
    guards: tuple[str, ...] = ()
    """Guards that apply (quote, way_out, polite …): they lead to ``review``, never to silence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The engine's answer to "was it said?": how the audio scores each of two texts.

    Mean natural log-probability a token, measured in place: only the tokens of the span that
    differs, within the utterance's own words.
    """

    phrase_logprob: float
    heard_logprob: float
    probability: float
    """Calibrated probability 0–1 that the phrase was said."""

    @property
    def margin(self) -> float:
        """Log-probability of the phrase less that of what was heard; near 0: as good."""
        return self.phrase_logprob - self.heard_logprob


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A candidate with its reading and the phrasebook's verdict on the two together."""

    candidate: Candidate
    reading: Reading | None = None
    """None where the audio was not asked (text alone)."""
    status: Status = Status.REVIEW
    confidence: float = 0.0
    reason: str = ""
    """Why it is ``review``: a guard's name, ``low_probability``, ``meaning`` …"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A violation that a scorecard holds against the agent, or asks a person about."""

    rule: str
    family: str
    phrase: str
    heard: str
    channel: Channel
    start_ms: Ms
    end_ms: Ms
    confidence: float
    severity: Severity
    status: Status
    phrase_id: str = ""
    by: str = ""
    reason: str = ""
    guards: tuple[str, ...] = ()
    reading: Reading | None = None
