"""A message over TCP or TLS that is longer than the library's buffer: 513, and the line is closed.

The library drops what does not fit and tells the peer nothing, which would wait 32 s for an answer
(RFC 3261 17.1.1.2, timer B); what follows on the line is the rest of a body, and no message. Over
UDP such a message comes in cut, and ``endpoint`` refuses it.
"""

import ctypes

import structlog

from telephony.pjsip import BUILD
from telephony.sip_text import too_large

log = structlog.get_logger()

_OVERFLOW = 171062
"""PJSIP_ERXOVERFLOW (sip_errno.h)."""
_THIS_TRANSPORT = 1
"""pjsip_tpselector_type: the one that is named."""
_TCP, _TLS = 2, 3
"""pjsip_transport_type_e."""
_ADDRESS_BYTES = 16
"""A sockaddr_in; a line that stands is told no address."""


class _Dropped(ctypes.Structure):
    """pjsip_tp_dropped_data (sip_transport.h)."""

    _fields_ = (
        ("transport", ctypes.c_void_p),
        ("data", ctypes.c_void_p),
        ("size", ctypes.c_size_t),
        ("status", ctypes.c_int),
    )


class _Selector(ctypes.Structure):
    """pjsip_tpselector (sip_transport.h)."""

    _fields_ = (
        ("kind", ctypes.c_int),
        ("anew", ctypes.c_int),
        ("transport", ctypes.c_void_p),
    )


_OnDropped = ctypes.CFUNCTYPE(None, ctypes.POINTER(_Dropped))


class Overlong:
    """The answer to such messages, for as long as the library lives. Owner thread only."""

    def __init__(self) -> None:
        """Have the library tell what it drops; between ``libInit`` and ``libDestroy``."""
        self._library = library = ctypes.CDLL(str(BUILD.library))
        library.pjsua_get_pjsip_endpt.restype = ctypes.c_void_p
        library.pjsip_endpt_get_tpmgr.argtypes = [ctypes.c_void_p]
        library.pjsip_endpt_get_tpmgr.restype = ctypes.c_void_p
        library.pjsip_tpmgr_set_drop_data_cb.argtypes = [ctypes.c_void_p, _OnDropped]
        library.pjsip_tpmgr_send_raw.argtypes = [
            *(ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(_Selector), ctypes.c_void_p),
            *(ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_int),
            *(ctypes.c_void_p, ctypes.c_void_p),
        ]
        library.pjsip_transport_shutdown.argtypes = [ctypes.c_void_p]
        self._manager = library.pjsip_endpt_get_tpmgr(library.pjsua_get_pjsip_endpt())
        self._callback = _OnDropped(self._answer)
        library.pjsip_tpmgr_set_drop_data_cb(self._manager, self._callback)

    def _answer(self, told: "ctypes._Pointer[_Dropped]") -> None:
        dropped = told.contents
        if dropped.status != _OVERFLOW:
            return
        # The size told is the whole message's, of which only a buffer full is there.
        beginning = ctypes.string_at(dropped.data, min(dropped.size, BUILD.max_message_bytes))
        message = beginning.decode("utf-8", "surrogateescape")
        refusal = too_large(message).encode("utf-8", "surrogateescape")
        if not refusal:
            return
        log.warning("a message is too long", bytes_at_most=BUILD.max_message_bytes)
        selector = _Selector(_THIS_TRANSPORT, 0, dropped.transport)
        # A kind that the transport is not of is refused, and nothing is sent.
        for kind in (_TCP, _TLS):
            self._library.pjsip_tpmgr_send_raw(
                *(self._manager, kind, ctypes.byref(selector), None),
                *(refusal, len(refusal), bytes(_ADDRESS_BYTES), _ADDRESS_BYTES, None, None),
            )
        self._library.pjsip_transport_shutdown(dropped.transport)
