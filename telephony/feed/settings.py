"""Settings of the signalling feed: the [telephony.feed] table."""

from pydantic import BaseModel, ConfigDict, Field

from telephony.identity_settings import Secret, SipUser

_STRICT = ConfigDict(extra="forbid", frozen=True)


def _secret(user: str, variable: str, file: str) -> Secret:
    return Secret(user=user, password_env="" if file else variable, password_file=file)


class WebhookSettings(BaseModel):
    """Where a PBX may post its events, and the token that it must show."""

    model_config = _STRICT

    host: str = Field(default="127.0.0.1", description="Address that the webhook is bound to.")
    port: int = Field(default=0, ge=0, le=65535, description="Its HTTP port; 0: no webhook.")
    peers: tuple[str, ...] = Field(
        default=("127.0.0.1/32",),
        description="Networks (CIDR) that may post; others are hung up on.",
    )
    password_env: str = Field(
        default="SANSHENG_FEED_TOKEN", description="Environment variable that holds the token."
    )
    password_file: str = Field(default="", description="File that holds it instead.")

    def secret(self) -> Secret:
        """Where the token is."""
        return _secret("webhook", self.password_env, self.password_file)


class AmiSettings(BaseModel):
    """Asterisk's manager interface (AMI): where it is, and who we are there."""

    model_config = _STRICT

    host: str = Field(default="", description="Asterisk's address; empty: no AMI.")
    port: int = Field(default=5038, ge=1, le=65535, description="Its manager port.")
    user: SipUser = Field(default="sansheng", description="The section's name in manager.conf.")
    password_env: str = Field(
        default="SANSHENG_AMI_SECRET", description="Environment variable that holds the secret."
    )
    password_file: str = Field(default="", description="File that holds it instead.")

    def secret(self) -> Secret:
        """Where the secret is."""
        return _secret(self.user, self.password_env, self.password_file)


class FeedSettings(BaseModel):
    """Where the PBX's own events come from, and how they are joined to SIPREC calls."""

    model_config = _STRICT

    file: str = Field(default="", description="JSON-lines file to follow; empty: none.")
    webhook: WebhookSettings = Field(
        default_factory=WebhookSettings, description="JSON lines by HTTP."
    )
    cel_file: str = Field(
        default="",
        description="Asterisk's cel-custom CSV to follow, in the form of its sample cel_custom.conf"
        "; empty: none.",
    )
    ami: AmiSettings = Field(default_factory=AmiSettings, description="Asterisk's manager.")
    wait_s: float = Field(
        default=5,
        ge=0,
        le=120,
        description="How long a finished SIPREC call waits for its events.",
    )
    window_s: float = Field(
        default=3,
        gt=0,
        le=60,
        description="How far the PBX's answer and hang-up may be from the recording's start and"
        " end.",
    )
    clock_offset_ms: int = Field(
        default=0,
        ge=-86_400_000,
        le=86_400_000,
        description="Added to the PBX's times: how far its clock is behind ours.",
    )
    deaf_calls: int = Field(
        default=3,
        ge=1,
        le=1000,
        description="So many SIPREC calls in a row in whose time no event came: the feed is deaf.",
    )
    most_calls: int = Field(
        default=10_000,
        ge=100,
        le=1_000_000,
        description="Calls of the PBX kept in memory; the oldest go first.",
    )

    @property
    def enabled(self) -> bool:
        """Whether any source is named."""
        return bool(self.file or self.webhook.port or self.cel_file or self.ami.host)
