"""What a site may choose about bringing in past calls: the ``[importer]`` part of the settings."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ImporterSettings(BaseModel):
    """How ``sansheng import`` reads another system's records and recordings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    time_zone: str = Field(
        default="Asia/Shanghai", description="Zone of times that are written without one."
    )
    stereo: Literal["caller-agent", "agent-caller"] = Field(
        default="caller-agent", description="What is left and right in two-channel recordings."
    )
    at_once: int = Field(default=2, ge=1, le=32, description="Calls read at the same time.")
    settle_seconds: int = Field(
        default=30, ge=0, description="With --watch, a file is complete when unchanged so long."
    )
    watch_seconds: int = Field(default=15, ge=1, description="With --watch, pause between looks.")
    keep: Literal["wav", "flac", "opus"] = Field(
        default="wav",
        description="How recordings are kept: as they came or plain, smaller without loss,"
        " or smallest with loss.",
    )
    roster: Path | None = Field(
        default=None, description="CSV or Excel file: which person had which extension when."
    )
    max_capture_mb: int = Field(
        default=1_024, ge=1, description="A capture file larger than this is refused."
    )
