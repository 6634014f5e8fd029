"""Security headers on every answer, with a style nonce for the one library that needs it."""

import secrets

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:;"
    " media-src 'self'; connect-src 'self'; font-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
_FIXED = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
_STRICT_TRANSPORT = "max-age=31536000"


def harden(headers: MutableHeaders, path: str, nonce: str, *, tls: bool) -> None:
    """Set the security headers of one answer; error answers made outside the middleware too."""
    headers["Content-Security-Policy"] = _POLICY.format(nonce=nonce)
    for name, value in _FIXED.items():
        headers[name] = value
    if tls:
        headers["Strict-Transport-Security"] = _STRICT_TRANSPORT
    static = path.startswith("/static/")
    headers["Cache-Control"] = "public, max-age=86400" if static else "no-store"


class SecurityHeaders:
    """ASGI middleware; the nonce is in ``request.state.nonce``.

    Pages are never cached, since the next person at a shared seat must not see them by "back".
    """

    def __init__(self, app: ASGIApp, *, tls: bool) -> None:
        self.app = app
        self.tls = tls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and add the headers to its answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        nonce = secrets.token_urlsafe(16)
        scope.setdefault("state", {})["nonce"] = nonce

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                harden(MutableHeaders(scope=message), scope["path"], nonce, tls=self.tls)
            await send(message)

        await self.app(scope, receive, send_with_headers)
