"""Settings of the ears: the [asr] table."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class AsrSettings(BaseModel):
    """Which engine hears the calls, with which weights, on what."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    engine: Literal["faster-whisper", "sherpa-onnx"] = Field(
        default="faster-whisper",
        description="faster-whisper, or sherpa-onnx (SenseVoice, Paraformer: no was-it-said).",
    )
    model: str = Field(
        default="embedded",
        description="embedded (Whisper base, offline), a folder, or a hub name (large-v3-turbo); "
        "with sherpa-onnx a folder.",
    )
    device: Literal["cpu", "cuda", "auto"] = Field(
        default="cpu", description="Where it runs; cuda for a GPU."
    )
    compute_type: str = Field(
        default="int8", description="int8 on a CPU, float16 or int8_float16 on a GPU."
    )
    threads: int = Field(default=0, ge=0, le=64, description="CPU threads; 0: all, at most 4.")
    beam_size: int = Field(default=5, ge=1, le=10, description="Hypotheses kept while decoding.")
    batch_size: int = Field(default=8, ge=1, le=64, description="Windows decoded at once.")
    during_call: bool = Field(
        default=True, description="Hear calls while they go on, when a worker is idle."
    )
    hotwords: tuple[str, ...] = Field(
        default=(), description="Names the site expects: departments, streets."
    )
