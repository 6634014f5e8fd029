"""Settings of the phrasebook: which phrases a site uses."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class PhrasebookSettings(BaseModel):
    """``[phrasebook]`` of sansheng.toml; thresholds live in the phrasebook itself, versioned."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path | None = Field(
        default=None,
        description="Folder of the site's own phrasebook (TOML files); none: the one delivered.",
    )
