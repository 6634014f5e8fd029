"""The scoring room's part of ``sansheng.toml``."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class ScoringSettings(BaseModel):
    """Where the rules are; everything about the rules themselves is in that file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path | None = Field(
        default=None,
        description="The site's own rules file; without it the bundled scoring/data/rules.toml.",
    )
