"""The warehouse's part of ``sansheng.toml``."""

from pydantic import BaseModel, ConfigDict, Field


class WarehouseSettings(BaseModel):
    """How the warehouse uses the machine, how long it keeps things, the limits of a question."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    threads: int = Field(default=2, ge=1, le=256, description="Threads of one query.")
    memory_mb: int = Field(default=2048, ge=256, description="Memory that queries may take.")
    max_rows: int = Field(default=100_000, ge=1, description="Rows that `sansheng query` returns.")
    timeout_s: float = Field(default=60, gt=0, description="Seconds until a query is cut off.")
    recordings_days: int | None = Field(
        default=None, ge=1, description="Days that recordings are kept; left out: for ever."
    )
    transcripts_days: int | None = Field(
        default=None, ge=1, description="Days that spoken words are kept; left out: for ever."
    )
    scores_days: int | None = Field(
        default=None, ge=1, description="Days until a call goes whole; left out: never."
    )
