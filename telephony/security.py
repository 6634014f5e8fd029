"""Whether TLS and SRTP may be offered at all: by the build's OpenSSL, and by the files given.

Checked before the SIP library starts, whose own words for a wrong key are "unknown error". Nothing
here loads that library, so that ``sansheng doctor`` can ask.
"""

import ssl
from collections.abc import Callable

from calls.errors import TapError
from telephony.build import Build
from telephony.security_settings import TlsSettings


def check_security(settings: TlsSettings, build: Build) -> None:
    """Refuse what cannot be encrypted safely.

    Errors: TapError when the build's OpenSSL is out of support, or certificate, key or authorities
    cannot be read or do not belong together.
    """
    if not settings.wanted:
        return
    if not build.tls:
        raise TapError(
            f"no TLS and no SRTP with the {build.name} PJSIP {build.version}: its OpenSSL is out of"
            " support",
            remedy="run `make pjsip`, or end TLS in front of the tap and set [telephony.tls] port"
            ' to 0, srtp to "off"',
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if settings.port:
        _try(
            lambda: context.load_cert_chain(settings.certificate, settings.key, password=""),
            f"certificate {settings.certificate} with key {settings.key}",
        )
    if settings.ca:
        _try(lambda: context.load_verify_locations(settings.ca), f"ca {settings.ca}")


def _try(load: Callable[[], None], what: str) -> None:
    try:
        load()
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or "no PEM"
        raise TapError(
            f"[telephony.tls] {what}: {str(reason).lower().replace('_', ' ')}",
            remedy="give PEM files that belong together, readable by the service's user, the key"
            " without a passphrase",
        ) from error
