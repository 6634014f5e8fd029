"""The portal's part of ``sansheng.toml``: address, doors and deadlines."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class PortalSettings(BaseModel):
    """Settings of the web pages; the defaults meet 等保 (GB/T 22239) level 2 on one machine."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = Field(default=True, description="Whether the service serves the pages at all.")
    host: str = Field(
        default="127.0.0.1", description="Address to listen on; a proxy with TLS faces out."
    )
    port: int = Field(
        default=8080, ge=0, le=65535, description="Port to listen on; 0 takes a free one."
    )
    tls_proxy: bool = Field(
        default=False,
        description="A TLS proxy stands in front: cookies are Secure, its X-Forwarded-For counts.",
    )
    proxies: tuple[str, ...] = Field(
        default=("127.0.0.1",),
        description="Addresses of proxies whose forwarded headers are believed.",
    )
    language: Literal["zh-CN", "en"] = Field(
        default="zh-CN", description="Language of a new session."
    )
    session_minutes: int = Field(
        default=30, ge=1, le=1440, description="Idle minutes until signed out."
    )
    session_hours: int = Field(
        default=12, ge=1, le=72, description="Hours until signed out in any case."
    )
    password_length: int = Field(
        default=10, ge=8, le=128, description="Fewest characters of a password."
    )
    password_days: int = Field(
        default=90, ge=1, le=3650, description="Days until a password expires."
    )
    password_history: int = Field(
        default=5, ge=0, le=24, description="Old passwords that are refused."
    )
    lock_after: int = Field(
        default=5, ge=3, le=20, description="Wrong passwords in a row that lock."
    )
    lock_minutes: int = Field(
        default=30, ge=1, le=1440, description="Minutes that an account is locked."
    )
    address_failures: int = Field(
        default=50,
        ge=5,
        le=10_000,
        description="Wrong passwords from one address in 15 minutes, at most.",
    )
    appeal_days: int = Field(default=7, ge=1, le=90, description="Days an agent has to appeal.")
    decision_days: int = Field(
        default=15, ge=1, le=90, description="Days QA has to decide an appeal."
    )
    sample_share: float = Field(
        default=0.02, ge=0, le=1, description="Share of an agent's calls that QA hears at random."
    )
    sample_least: int = Field(
        default=1,
        ge=0,
        le=50,
        description="Calls an agent a day that QA hears at random, at least.",
    )
    second_share: float = Field(
        default=0.1, ge=0, le=1, description="Share of the queue that two reviewers hear blind."
    )
    token_days: int = Field(
        default=180, ge=1, le=3650, description="Days until an API token expires."
    )
    time_zone: str = Field(default="Asia/Shanghai", description="Time zone of the pages' clock.")
