"""Settings of the probe (明察暗访): the [telephony.probe] table."""

from pydantic import BaseModel, ConfigDict, Field

from telephony.identity_settings import Secret


class ProbeSettings(BaseModel):
    """Whom a probe may call, how often, from where, and how long it waits and listens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    targets: tuple[str, ...] = Field(
        default=(),
        description="SIP URIs that may be called, * and ? allowed (sip:88908890@10.0.0.2); others"
        " are refused.",
    )
    calls_an_hour: int = Field(
        default=20, ge=1, le=1000, description="Most calls in any hour, of all probes together."
    )
    interval_s: int = Field(
        default=60, ge=1, le=86_400, description="Least time from one call's start to the next."
    )
    host: str = Field(default="127.0.0.1", description="Address that SIP and RTP are bound to.")
    public_address: str = Field(default="", description="Told in SIP and SDP; empty: host.")
    port: int = Field(default=5090, ge=1, le=65535, description="SIP port of the probe.")
    rtp_port: int = Field(default=31_000, ge=1024, le=65_000, description="Its first RTP port.")
    number: str = Field(
        default="probe",
        pattern=r"^[A-Za-z0-9._+-]{1,64}$",
        description="The number that its calls come from.",
    )
    user: str = Field(
        default="", description="User name that answers the PBX's challenge; empty: number."
    )
    password_env: str = Field(
        default="", description="Environment variable with the password; empty: none."
    )
    password_file: str = Field(default="", description="File that holds it instead.")
    ring_s: int = Field(
        default=60, ge=5, le=300, description="Unanswered for so long, it gives up as a citizen."
    )
    greeting_s: int = Field(
        default=8, ge=1, le=60, description="How long it waits for a greeting before it speaks."
    )
    listen_s: int = Field(
        default=30, ge=1, le=600, description="How long it listens after its question, at most."
    )
    quiet_s: float = Field(
        default=3, ge=0.5, le=30, description="Silence after which an answer is over."
    )

    def password(self) -> str:
        """What the probe answers a challenge with; empty where none is set.

        Errors: TapError when it is not where the settings say.
        """
        variable, file = self.password_env, self.password_file
        if not (variable or file):
            return ""
        user = self.user or self.number
        return Secret(
            user=user, password_env="" if file else variable, password_file=file
        ).password()
