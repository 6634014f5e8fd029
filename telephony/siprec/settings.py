"""Settings of the SIPREC recording server: the [telephony.siprec] table."""

from pydantic import BaseModel, ConfigDict, Field


class SiprecSettings(BaseModel):
    """How a SIPREC session is answered, and how its participants become caller and agent."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = Field(
        default=True, description="Answer SIPREC sessions; when false they get 403."
    )
    agents: tuple[str, ...] = Field(
        default=(),
        description="Address patterns of agents with * and ?: an extension (80??) or user@host.",
    )
    agent_domains: tuple[str, ...] = Field(
        default=(), description="Host parts that only agents' addresses have (agents.example)."
    )
    callers: tuple[str, ...] = Field(
        default=(), description="Address patterns that are never an agent (a trunk's numbers)."
    )
    caller_domains: tuple[str, ...] = Field(
        default=(), description="Host parts that only citizens' addresses have (the trunk's host)."
    )
    calling_party_is_caller: bool = Field(
        default=False,
        description="On an inbound-only line, take the client's word (calling/called) for the "
        "sides where no pattern tells them.",
    )
    id_headers: tuple[str, ...] = Field(
        default=(),
        description="Headers of the session's INVITE that carry an id of the recorded call, by"
        " which a feed's events are known (X-Call-ID).",
    )
    jitter_buffer_ms: int = Field(
        default=100,
        ge=0,
        le=500,
        description="Depth of the jitter buffer: nobody listens live, so it can wait. "
        "The PJSIP wheel cannot keep one and does without.",
    )
    media_lost_s: int = Field(
        default=900,
        ge=30,
        le=86_400,
        description="Without RTP on any stream for so long, a session is lost.",
    )
    max_streams: int = Field(
        default=8, ge=1, le=16, description="Most audio lines of one session; more get 488."
    )
