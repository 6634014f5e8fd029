"""Settings of who the tap is to a PBX, and of who a peer is to the tap: both by a password.

A password is never in the settings, which are shown, logged and handed to other processes: they
name an environment variable or a file that has it.
"""

import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from calls.errors import TapError

SipUser = Annotated[str, Field(pattern=r"^[A-Za-z0-9+*#._-]{1,64}$")]
"""A user part that needs no escaping in a URI or in a header."""
Algorithm = Literal["SHA-256", "MD5"]


class Secret(BaseModel):
    """A user with a password that stands somewhere else."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    user: SipUser = Field(description="User name.")
    password_env: str = Field(default="", description="Environment variable with the password.")
    password_file: str = Field(
        default="", description="File with the password, and nothing else, that only we can read."
    )

    @model_validator(mode="after")
    def _has_one_password(self) -> Self:
        if bool(self.password_env) == bool(self.password_file):
            raise ValueError(f"{self.user}: set one of password_env and password_file")
        return self

    def password(self) -> str:
        """The password, read now.

        Errors: TapError when it is not there; the message names the place and never the password.
        """
        if self.password_env:
            found = os.environ.get(self.password_env, "")
            place = f"the environment variable {self.password_env}"
        else:
            place = self.password_file
            try:
                found = Path(self.password_file).read_text("utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                reason = getattr(error, "strerror", None) or "not text"
                raise TapError(
                    f"{self.user}: no password in {place} ({reason})",
                    remedy="write it there, readable by the service's user alone",
                ) from error
        if not found:
            raise TapError(
                f"{self.user}: no password in {place}",
                remedy="set it for the service (systemd: EnvironmentFile or LoadCredential)",
            )
        return found


class RegistrationSettings(Secret):
    """An extension or trunk that the tap registers as (RFC 3261 10)."""

    registrar: str = Field(
        pattern=r"^sips?:[A-Za-z0-9._:\[\]-]+(;[a-z=]+)?$",
        description="URI of the PBX's registrar: sip:10.0.0.2:5060, with ;transport=tcp for TCP.",
    )
    realm: str = Field(default="*", description="Realm that the password is for; *: any.")
    auth_user: str = Field(default="", description="User name of the digest; empty: user.")
    domain: str = Field(
        default="", description="Host part of the registered address; empty: the registrar's host."
    )
    expires_s: int = Field(
        default=300, ge=10, le=86_400, description="How long a registration is asked for."
    )
    retry_s: int = Field(
        default=15, ge=1, le=3600, description="A lost or refused one is tried again so often."
    )
    number_in: Literal["request", "to"] = Field(
        default="request",
        description="Where the number dialled stands: in the request URI, or in To as trunks do.",
    )

    @property
    def host(self) -> str:
        """Host of the registered address."""
        return self.domain or self.registrar.split(":", 1)[1].split(";")[0].rsplit(":", 1)[0]

    @property
    def address(self) -> str:
        """The registered address (AoR): the registration's name in health and logs."""
        return f"{self.user}@{self.host}"


class DigestSettings(BaseModel):
    """How a peer shows that it may call: by its address, a digest (RFC 7616, RFC 8760), or both."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    peers_by: Literal["address", "digest", "either", "both"] = Field(
        default="address",
        description="What lets a peer in: allowed_peers, a right digest, either, or both.",
    )
    users: tuple[Secret, ...] = Field(default=(), description="Users that peers may call as.")
    realm: str = Field(
        default="sansheng",
        pattern=r'^[^"\\\r\n]{1,64}$',
        description="Realm that peers are asked to show a digest for.",
    )
    algorithms: tuple[Algorithm, ...] = Field(
        default=("MD5",),
        min_length=1,
        description="Offered in this order. Most PBXs know MD5 alone; some refuse a list.",
    )
    nonce_s: int = Field(
        default=60, ge=5, le=3600, description="How long a challenge may be answered."
    )

    @model_validator(mode="after")
    def _has_users(self) -> Self:
        if self.peers_by != "address" and not self.users:
            raise ValueError(f"peers_by = {self.peers_by} needs users")
        return self
