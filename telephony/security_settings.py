"""Settings of encrypted signalling and voice: the [telephony.tls] table."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class TlsSettings(BaseModel):
    """SIP over TLS, and SRTP whose keys it carries (SDES, RFC 4568). Needs our own PJSIP build."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    port: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="TLS port of process 1, process n on port + n - 1; 0: no TLS.",
    )
    certificate: str = Field(default="", description="PEM file of our certificate and its chain.")
    key: str = Field(default="", description="PEM file of its key, readable by us alone.")
    ca: str = Field(default="", description="PEM file of the authorities that peers are held to.")
    require_client_certificate: bool = Field(
        default=False, description="Let in only peers with a certificate of ca."
    )
    srtp: Literal["off", "optional", "required"] = Field(
        default="off",
        description="Encrypted voice: off, taken where the peer offers it, or nothing else (then"
        " every leg needs TLS).",
    )

    @property
    def wanted(self) -> bool:
        """Whether anything is to be encrypted."""
        return bool(self.port) or self.srtp != "off"

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.port and not (self.certificate and self.key):
            raise ValueError("a TLS port needs certificate and key")
        if self.require_client_certificate and not self.ca:
            raise ValueError("require_client_certificate needs ca")
        if self.srtp == "required" and not self.port:
            raise ValueError("srtp = required needs a TLS port: its keys travel in the signalling")
        return self
