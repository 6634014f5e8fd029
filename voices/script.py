"""A call written down: who says what, in which voice and when, over what line, and what is wrong.

A script is a TOML file; docs/voices.md lists its keys.
"""

import tomllib
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from calls.call import Channel, EndedBy
from calls.errors import SettingsError
from voices.speech import VOICES


class Line(BaseModel):
    """The telephone line of one call."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    level_dbfs: float = Field(default=-22.0, ge=-45, le=-6, description="Active speech level.")
    snr_db: float = Field(default=30.0, ge=0, le=60, description="Speech above line noise.")
    crosstalk_db: float = Field(default=-38.0, ge=-90, le=-10, description="Other side's leak.")
    lead_ms: int = Field(default=600, ge=0, le=60_000, description="From answer to first turn.")
    tail_ms: int = Field(
        default=700, ge=-60_000, le=60_000, description="From last turn to hang-up; below 0: in it."
    )
    lost_share: float = Field(default=0.0, ge=0, lt=1, description="Packets of 20 ms lost.")


class Turn(BaseModel):
    """One stretch of speech of one side."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    side: Channel
    text: str = Field(min_length=1)
    voice: str = Field(default="", description="One of the five voices; else the side's own.")
    speed: float = Field(default=1.0, ge=0.5, le=2.0)
    level_db: float = Field(default=0.0, ge=-40, le=20, description="Above the line's level.")
    gap_ms: int = Field(default=350, ge=0, description="After the end of the turn before.")
    overlap_ms: int | None = Field(default=None, ge=0, description="Begins so long before its end.")
    start_ms: int | None = Field(
        default=None, ge=0, description="At this time whatever was before."
    )
    hold_ms: int = Field(
        default=0, ge=0, description="Before it, its side's telephone holds the call for so long."
    )
    phonemes: str = Field(
        default="", description="What the voice says in place of the text's Mandarin sounds."
    )
    violation: str = Field(default="", description="Phrasebook family that this turn violates.")

    @model_validator(mode="after")
    def _one_start(self) -> Self:
        if self.overlap_ms is not None and self.start_ms is not None:
            raise ValueError("a turn takes start_ms or overlap_ms, not both")
        if self.voice and self.voice not in VOICES:
            raise ValueError(f"voice is one of {', '.join(VOICES)}")
        return self


class Breach(BaseModel):
    """A rule that the scripted agent breaks otherwise than by a phrase."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule: str
    turn: int | None = Field(default=None, ge=0, description="Where it shows, counted from 0.")


class Verdict(BaseModel):
    """What a fair judge says of the call, rule by rule; a rule that is not named passes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fail: tuple[str, ...] = ()
    review: tuple[str, ...] = ()
    na: tuple[str, ...] = ()


class Script(BaseModel):
    """A two-party call."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, pattern=r"^[a-z0-9][a-z0-9_-]*$")
    seed: int = 1
    ring_ms: int = Field(default=4_000, ge=0, description="Ringing before the answer.")
    answered: bool = Field(default=True, description="False: it only rings.")
    hangup: EndedBy = Field(default=EndedBy.CALLER, description="Who hangs up.")
    mono: bool = Field(default=False, description="An old recording: one channel, no signalling.")
    voices: dict[Channel, str] = Field(
        default_factory=lambda: {Channel.CALLER: VOICES[4], Channel.AGENT: VOICES[0]}
    )
    line: Line = Field(default_factory=Line)
    turn: tuple[Turn, ...] = ()
    breach: tuple[Breach, ...] = ()
    verdict: Verdict | None = None

    @model_validator(mode="after")
    def _known_places(self) -> Self:
        for voice in self.voices.values():
            if voice not in VOICES:
                raise ValueError(f"voice is one of {', '.join(VOICES)}")
        if self.answered and not self.turn:
            raise ValueError("an answered call has a turn")
        if set(self.voices) != set(Channel):
            raise ValueError("voices names one for the caller and one for the agent")
        for breach in self.breach:
            if breach.turn is not None and breach.turn >= len(self.turn):
                raise ValueError(
                    f"breach {breach.rule} names turn {breach.turn}, which is not there"
                )
        return self

    def voice_of(self, turn: Turn) -> str:
        """The voice that speaks a turn."""
        return turn.voice or self.voices[turn.side]


def load(path: Path) -> Script:
    """Read a script; SettingsError names the file and the key that is wrong."""
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"{path} cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not TOML: {error}") from error
    try:
        return Script.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the script"
        raise SettingsError(
            f"{path}: {place}: {first['msg']}", remedy="docs/voices.md lists the keys"
        ) from error
