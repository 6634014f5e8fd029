"""The portal's part of ``sansheng.toml``: address, doors and deadlines."""

from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator


class Webhook(BaseModel):
    """An address that alerts are sent to; the only ones that the portal ever calls."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["json", "wecom", "dingtalk"] = Field(
        default="json", description="Signed JSON, or the robot of WeCom or DingTalk."
    )
    url: SecretStr = Field(description="The address; a robot's key is part of it.")
    secret: SecretStr = Field(
        default=SecretStr(""), description="What signs: needed for json, optional for DingTalk."
    )

    @field_validator("url")
    @classmethod
    def _http(cls, url: SecretStr) -> SecretStr:
        parts = urlsplit(url.get_secret_value())
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("a webhook's address begins http:// or https://")
        return url

    @model_validator(mode="after")
    def _signed(self) -> "Webhook":
        if self.kind == "json" and not self.secret.get_secret_value():
            raise ValueError("a json webhook needs a secret to sign with")
        return self


RoleName = Literal["agent", "qa", "supervisor", "admin"]


class OidcSettings(BaseModel):
    """Sign-in at the site's own identity provider (OpenID Connect)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: str = Field(description="The provider, exactly as it names itself.")
    client_id: str = Field(description="What the provider calls this portal.")
    client_secret: SecretStr = Field(
        default=SecretStr(""), description="The client's secret; empty for a public client."
    )
    base_url: str = Field(description="The portal's address as browsers see it.")
    scopes: tuple[str, ...] = Field(
        default=("openid", "profile"), description="Scopes to ask for; openid must be among them."
    )
    label: str = Field(default="统一身份登录", description="The button on the sign-in page.")
    user_claim: str = Field(
        default="preferred_username", description="The claim that names the account."
    )
    name_claim: str = Field(default="name", description="The claim with the name that pages show.")
    roles_claim: str = Field(default="groups", description="The claim that lists groups or roles.")
    roles: dict[str, RoleName] = Field(
        default_factory=dict, description="Group at the provider to role here; others give none."
    )
    team_claim: str = Field(default="", description="The claim with the team; empty: none.")
    agent_claim: str = Field(default="", description="The claim with an agent's extension.")

    @field_validator("issuer", "base_url")
    @classmethod
    def _http(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("an address begins http:// or https://")
        return url


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
    second_factor: tuple[RoleName, ...] = Field(
        default=(), description="Roles that must sign in with a second factor (TOTP)."
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
    sample_every: int = Field(
        default=5,
        ge=2,
        le=100,
        description="One entry in this many of QA's queue is a sample, however many doubts wait.",
    )
    second_share: float = Field(
        default=0.1, ge=0, le=1, description="Share of the queue that two reviewers hear blind."
    )
    token_days: int = Field(
        default=180, ge=1, le=3650, description="Days until an API token expires."
    )
    oidc: OidcSettings | None = Field(
        default=None, description="Sign-in at the site's own identity provider: [portal.oidc]."
    )
    webhooks: tuple[Webhook, ...] = Field(
        default=(), description="Where alerts go: [[portal.webhooks]] with kind, url, secret."
    )
    alert_rate: float = Field(
        default=0.95, ge=0, le=1, description="Alert when the three-ring rate is below."
    )
    alert_minutes: int = Field(
        default=60, ge=5, le=1440, description="Minutes of calls that the rate is taken over."
    )
    alert_calls: int = Field(
        default=20, ge=1, le=10_000, description="Fewest calls for a rate to alert."
    )
    time_zone: str = Field(default="Asia/Shanghai", description="Time zone of the pages' clock.")
