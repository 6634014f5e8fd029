"""Settings of the tap: the [telephony] table."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from telephony.feed.settings import FeedSettings
from telephony.identity_settings import DigestSettings, RegistrationSettings
from telephony.probe.settings import ProbeSettings
from telephony.security_settings import TlsSettings
from telephony.siprec.settings import SiprecSettings


class Destination(BaseModel):
    """Where a called number rings, and whose calls those are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    uri: str = Field(description="SIP URI of the agent's leg; {called} stands for the number.")
    agent: str = Field(default="", description="Whose calls those are; empty: the called number.")
    registration: str = Field(
        default="",
        description="Registration (user@host) to call it by; empty: the one the call came in by.",
    )


class TapSettings(BaseModel):
    """Where the tap listens, whom it lets in, where it rings, and when it gives up."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(default="127.0.0.1", description="Address that SIP and RTP are bound to.")
    public_address: str = Field(default="", description="Told in SIP and SDP; empty: host.")
    port: int = Field(
        default=5070, ge=1, le=65535, description="SIP port of process 1, UDP and TCP."
    )
    children: int = Field(
        default=1, ge=1, le=32, description="Tap processes; process n listens on port + n - 1."
    )
    calls_a_child: int = Field(
        default=0,
        ge=0,
        le=1024,
        description="Most calls a process; 0: all it can.",
    )
    rtp_port: int = Field(
        default=20000,
        ge=1024,
        le=65000,
        description="First RTP port of process 1.",
    )
    rtp_ports: int = Field(default=200, ge=8, le=20000, description="RTP ports of each process.")
    default_destination: Destination = Field(
        default=Destination(uri="sip:{called}@127.0.0.1:5060"),
        description="Where numbers ring that destinations does not name.",
    )
    destinations: dict[str, Destination] = Field(
        default_factory=dict, description="Called number to destination."
    )
    ring_timeout_s: int = Field(
        default=90, ge=5, le=600, description="Unanswered for so long, the call ends as no_answer."
    )
    media_lost_s: int = Field(
        default=30,
        ge=5,
        le=600,
        description="A leg that has sent RTP or RTCP and sends neither for so long is lost.",
    )
    media_never_s: int = Field(
        default=300,
        ge=5,
        le=86_400,
        description="The same for a leg that never sent any, from the answer on.",
    )
    session_expires_s: int = Field(default=1800, ge=90, description="Session timer (RFC 4028).")
    bypass: str = Field(
        default="",
        description="SIP URI to redirect to (302) when overloaded or draining; {called} stands"
        " for the number. Empty: 503 with Retry-After.",
    )
    retry_after_s: int = Field(default=5, ge=1, le=300, description="Retry-After of a 503.")
    drain_s: int = Field(
        default=300,
        ge=0,
        le=7200,
        description="Most time that calls under way get at a stop.",
    )
    allowed_peers: tuple[str, ...] = Field(
        default=("127.0.0.1/32",),
        description="Networks (CIDR) let in; others get 403.",
    )
    calls_a_second: float = Field(
        default=50,
        gt=0,
        le=1000,
        description="New calls a second from each peer, twice as many in a burst; more get 503.",
    )
    transfers: Literal["follow", "refuse"] = Field(
        default="follow",
        description="A REFER: followed to the destinations' hosts and allowed peers, or refused"
        " (603).",
    )
    jitter_buffer_ms: int = Field(
        default=0,
        ge=0,
        le=500,
        description="Fixed delay of the jitter buffer; 0 adapts (a bridge is live).",
    )
    recording_coding: str = Field(
        default="ALAW", pattern="^(PCM_16|ALAW|ULAW)$", description="How recordings are kept."
    )
    deaf_s: int = Field(
        default=0,
        ge=0,
        le=604_800,
        description="Without a call for so long, a line is deaf: an alarm. 0: never.",
    )
    health_port: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="Loopback HTTP port of /health and /metrics; 0: none.",
    )
    siprec: SiprecSettings = Field(
        default_factory=SiprecSettings, description="The SIPREC recording server."
    )
    probe: ProbeSettings = Field(
        default_factory=ProbeSettings, description="Unannounced checks: `sansheng probe`."
    )
    feed: FeedSettings = Field(
        default_factory=FeedSettings,
        description="The PBX's own events, which tell of SIPREC calls when they rang and who hung"
        " up.",
    )
    tls: TlsSettings = Field(
        default_factory=TlsSettings, description="SIP over TLS, and encrypted voice (SRTP)."
    )
    digest: DigestSettings = Field(
        default_factory=DigestSettings, description="Peers told by a password."
    )
    registrations: tuple[RegistrationSettings, ...] = Field(
        default=(),
        description="Extensions and trunks to register as, shared out among the processes.",
    )

    @model_validator(mode="after")
    def _registrations_ring_somewhere(self) -> Self:
        names = [registration.address for registration in self.registrations]
        if len(set(names)) < len(names):
            raise ValueError("the same registration stands twice")
        for registration in self.registrations:
            if registration.number_in == "request" and registration.user not in self.destinations:
                raise ValueError(
                    f"destinations does not say where calls to {registration.user} ring, and the"
                    " default would send them back to the PBX"
                )
        for destination in (self.default_destination, *self.destinations.values()):
            if destination.registration and destination.registration not in names:
                raise ValueError(f"there is no registration {destination.registration}")
        return self
