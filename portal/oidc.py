"""Sign-in at the site's own identity provider: OpenID Connect, code flow with PKCE.

The only user of httpx and joserfc. Every answer of the provider is checked: the state belongs to
this browser, the nonce to this sign-in, the ID token is signed by the provider's keys for this
client and has not expired. Nothing of the provider's is kept but issuer and subject.
"""

import base64
import hashlib
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx
import structlog
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from portal.clock import Clock
from portal.settings import OidcSettings

log = structlog.get_logger()

CALLBACK = "/oidc/callback"
_TIMEOUT_S = 10.0
_WAITS_S = 600.0
"""How long somebody may take at the provider."""
_MOST = 1000
_METADATA_S = 3600.0
_SKEW_S = 60
_ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
"""Asymmetric ones only: a token signed with the client's secret proves less, ``none`` nothing."""


class OidcError(Exception):
    """The provider's answer does not hold; the message is for the log and names no person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who the provider says it is."""

    issuer: str
    subject: str
    claims: Mapping[str, Any]
    next: str


@dataclass(frozen=True, slots=True)
class _Waiting:
    browser: str
    nonce: str
    verifier: str
    next: str
    until: float


@dataclass
class Oidc:
    """One provider; ``ticks`` is a monotonic clock in seconds."""

    settings: OidcSettings
    clock: Clock
    ticks: Callable[[], float]
    _waiting: dict[str, _Waiting] = field(default_factory=dict)
    _metadata: tuple[float, dict[str, Any]] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def redirect_uri(self) -> str:
        """Where the provider sends the browser back to; registered with it."""
        return self.settings.base_url.rstrip("/") + CALLBACK

    def begin(self, browser: str, next: str) -> str:
        """The provider's address to send a browser to; ``browser`` is its own cookie."""
        state, nonce = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        verifier = secrets.token_urlsafe(64)
        now = self.ticks()
        with self._lock:
            self._waiting = {s: w for s, w in self._waiting.items() if w.until > now}
            while len(self._waiting) >= _MOST:
                self._waiting.pop(min(self._waiting, key=lambda s: self._waiting[s].until))
            self._waiting[state] = _Waiting(browser, nonce, verifier, next, now + _WAITS_S)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
        asked = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": " ".join(self.settings.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge.rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        endpoint = str(self._provider()["authorization_endpoint"])
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"

    def finish(self, browser: str | None, state: str, code: str) -> Visitor:
        """Who came back; a state counts once, and only in the browser that it was given to."""
        with self._lock:
            mine = self._waiting.pop(state, None)
        if mine is None or mine.until <= self.ticks():
            raise OidcError("unknown or expired state")
        if not browser or not secrets.compare_digest(mine.browser, browser):
            raise OidcError("another browser's state")
        claims = self._claims(self._token(code, mine.verifier), mine.nonce)
        return Visitor(
            issuer=str(claims["iss"]), subject=str(claims["sub"]), claims=claims, next=mine.next
        )

    def _token(self, code: str, verifier: str) -> str:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": verifier,
        }
        secret = self.settings.client_secret.get_secret_value()
        auth = httpx.BasicAuth(self.settings.client_id, secret) if secret else None
        if auth is None:
            form["client_id"] = self.settings.client_id
        answer = self._ask("POST", str(self._provider()["token_endpoint"]), data=form, auth=auth)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise OidcError("no ID token")
        return token

    def _claims(self, token: str, nonce: str) -> dict[str, Any]:
        keys = self._ask("GET", str(self._provider()["jwks_uri"]))
        now = int(self.clock().timestamp())
        rules = jwt.JWTClaimsRegistry(
            now=now,
            leeway=_SKEW_S,
            iss={"essential": True, "value": self.settings.issuer},
            aud={"essential": True, "value": self.settings.client_id},
            sub={"essential": True},
            exp={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            decoded = jwt.decode(token, KeySet.import_key_set(keys), algorithms=list(_ALGORITHMS))  # type: ignore[arg-type]
            rules.validate(decoded.claims)
        except (JoseError, ValueError) as error:
            raise OidcError(f"ID token refused ({type(error).__name__})") from error
        party = decoded.claims.get("azp", self.settings.client_id)
        if party != self.settings.client_id:
            raise OidcError("ID token for another client")
        return dict(decoded.claims)

    def _provider(self) -> dict[str, Any]:
        """The provider's own description, asked for once an hour."""
        kept = self._metadata
        if kept is not None and self.ticks() - kept[0] < _METADATA_S:
            return kept[1]
        issuer = self.settings.issuer
        found = self._ask("GET", issuer.rstrip("/") + "/.well-known/openid-configuration")
        if found.get("issuer") != issuer:
            raise OidcError("the provider names another issuer")
        wanted = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        if not all(isinstance(found.get(key), str) for key in wanted):
            raise OidcError("the provider's description lacks an endpoint")
        self._metadata = self.ticks(), found
        return found

    def _ask(self, method: str, url: str, **more: Any) -> dict[str, Any]:
        try:
            with httpx.Client(timeout=_TIMEOUT_S, trust_env=False) as client:
                answer = client.request(method, url, **more)
                answer.raise_for_status()
                found = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise OidcError(f"the provider does not answer ({type(error).__name__})") from error
        if not isinstance(found, dict):
            raise OidcError("the provider answers no object")
        return found
