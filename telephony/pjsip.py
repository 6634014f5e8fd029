"""The one place that loads pjsua2: ``from telephony.pjsip import pj, BUILD, SipLibraryError``.

Loading takes our own build where it is installed (``telephony.build``). Only the tap's child
processes import this module: a fault of the C library ends the process that holds it.
"""

import ctypes
import importlib
from typing import Any

from calls.errors import TapError
from telephony.build import Build, find_build

_PJSIP_H_SUPPORTED = 36
"""pjsip_hdr_e of ``Supported``: its place in PJSIP's enumeration (sip_msg.h)."""


def _load(build: Build) -> Any:
    try:
        return importlib.import_module(build.module)
    except ImportError as error:
        raise TapError(
            f"the {build.name} PJSIP {build.version} cannot be loaded ({error})",
            remedy="run `make pjsip` again, or install the telephony extra again",
        ) from error


BUILD: Build = find_build()
"""The build that this process runs."""
pj: Any = _load(BUILD)
"""The pjsua2 module of that build."""
SipLibraryError: type[Exception] = pj.Error
"""What pjsua2 raises; a caller maps it to TapError with what to do next."""


def call_parameters(code: int = 0, *, audio_count: int = 1) -> Any:
    """Parameters of a call operation: audio alone, with a status code where one is answered.

    PJSIP 2.16 and later would add a text stream (RFC 4103) whose thread takes 300 ms to end, and
    the owner thread would wait for it at every hang-up.
    """
    parameters = pj.CallOpParam(True)
    parameters.statusCode = code
    parameters.opt.audioCount = audio_count
    parameters.opt.videoCount = 0
    if hasattr(parameters.opt, "textCount"):
        parameters.opt.textCount = 0
    return parameters


def encrypt_media(account: Any, srtp: str) -> None:
    """Have an account's calls use SRTP with SDES keys: ``off``, ``optional`` or ``required``.

    Where it is required the keys may only travel over TLS.
    """
    use = {
        "off": pj.PJMEDIA_SRTP_DISABLED,
        "optional": pj.PJMEDIA_SRTP_OPTIONAL,
        "required": pj.PJMEDIA_SRTP_MANDATORY,
    }
    media = account.mediaConfig
    media.srtpUse = use[srtp]
    media.srtpSecureSignaling = int(srtp == "required")
    media.srtpOpt.keyings = pj.IntVector([pj.PJMEDIA_SRTP_KEYING_SDES])


def offer_tls(transport: Any, certificate: str, key: str, ca: str, *, client_too: bool) -> None:
    """Make a transport's configuration one of TLS 1.2 or 1.3.

    With ``ca`` the certificates of servers that we call are checked, and with ``client_too`` those
    of clients that call us are asked for.
    """
    tls = transport.tlsConfig
    tls.certFile, tls.privKeyFile, tls.CaListFile = certificate, key, ca
    tls.proto = pj.PJ_SSL_SOCK_PROTO_TLS1_2 | pj.PJ_SSL_SOCK_PROTO_TLS1_3
    tls.verifyServer = bool(ca)
    tls.verifyClient = tls.requireClientCert = client_too


def reason_of(error: Exception) -> str:
    """PJSIP's own words for an error: a status text, without addresses or numbers."""
    return str(getattr(error, "reason", type(error).__name__))


class PjStr(ctypes.Structure):
    """pj_str_t: octets and how many, for the few calls of the C library that pjsua2 has not."""

    _fields_ = (("ptr", ctypes.c_char_p), ("slen", ctypes.c_long))


def allow_siprec() -> None:
    """Have the stack accept ``Require: siprec`` (RFC 7866 8.1) instead of answering 420.

    Call once between ``libInit`` and ``libStart``. pjsua2 has no call for it, the C library under
    it has: pjsip_endpt_add_capability. Our own build does it by itself (PJSUA_HAS_SIPREC).
    """
    if BUILD.siprec:
        return
    library = ctypes.CDLL(str(BUILD.library))
    library.pjsua_get_pjsip_endpt.restype = ctypes.c_void_p
    library.pjsip_endpt_add_capability.argtypes = [
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_int,
        ctypes.c_void_p,
        ctypes.c_uint,
        ctypes.POINTER(PjStr),
    ]
    endpoint = library.pjsua_get_pjsip_endpt()
    if not endpoint:
        raise TapError("SIPREC was asked for before the SIP library was initialised")
    tag = PjStr(b"siprec", 6)
    status = library.pjsip_endpt_add_capability(
        endpoint, None, _PJSIP_H_SUPPORTED, None, 1, ctypes.byref(tag)
    )
    if status != 0:
        raise TapError(
            f"the SIP library refused the siprec capability (status {status})",
            remedy="run `make pjsip` for a build that knows SIPREC itself",
        )
