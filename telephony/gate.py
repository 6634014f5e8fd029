"""The gate before the door: what the library would do wrong with an INVITE before it asks anybody.

- A process that holds all the calls it can would answer 486, and the PBX would tell the citizen
  that the agent is busy instead of going round the tap.
- On the wheel, a process would end. For every INVITE the library opens two sockets, and a closed
  one is counted for another half second; the wheel has room for 64 and ends by an assertion when
  they run out: 41 INVITEs in 0.4 s, even from a stranger. Our own build has room for 10,000.

So a module of PJSIP's own kind, asked before the part that opens sockets, answers what is too much
with a stateless 503 (RFC 3261 16.11) and its Retry-After.
"""

import ctypes

from calls.errors import TapError
from telephony.clock import Clock
from telephony.door import Budget
from telephony.pjsip import BUILD, PjStr

INVITES_A_SECOND, INVITES_AT_ONCE = 10, 6
"""Of one process of the wheel: with the agents' legs, 44 sockets in the worst half second."""
_BETWEEN_UA_AND_PJSUA = 63
"""pjsip_module_priority: after the layer that takes what belongs to a call under way (32)."""
_OVERLOADED = 503
_HANDLED, _PASSED_ON = 1, 0

_OnRequest = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)


class _Listed(ctypes.Structure):
    """PJ_DECL_LIST_MEMBER (list.h): what every header begins with, and a list's own end."""

    _fields_ = (("prev", ctypes.c_void_p), ("next", ctypes.c_void_p))


class _Module(ctypes.Structure):
    """pjsip_module (sip_module.h)."""

    _fields_ = (
        ("prev", ctypes.c_void_p),
        ("next", ctypes.c_void_p),
        ("name", PjStr),
        ("id", ctypes.c_int),
        ("priority", ctypes.c_int),
        *((name, ctypes.c_void_p) for name in ("load", "start", "stop", "unload")),
        ("on_rx_request", _OnRequest),
        *((name, ctypes.c_void_p) for name in ("on_rx_response", "on_tx_request")),
        *((name, ctypes.c_void_p) for name in ("on_tx_response", "on_tsx_state")),
    )


class Gate:
    """The module, for as long as the library lives. Owner thread only."""

    def __init__(self, clock: Clock, retry_after_s: int) -> None:
        """Put it up, between ``libInit`` and ``libStart``.

        Errors: TapError when the library does not take it.
        """
        self._library = ctypes.CDLL(str(BUILD.library))
        self._library.pjsua_get_pjsip_endpt.restype = ctypes.c_void_p
        self._library.pjsip_rx_data_get_info.argtypes = [ctypes.c_void_p]
        self._library.pjsip_rx_data_get_info.restype = ctypes.c_char_p
        self._library.pjsip_endpt_register_module.argtypes = [ctypes.c_void_p] * 2
        self._library.pjsua_pool_create.argtypes = [
            ctypes.c_char_p,
            ctypes.c_size_t,
            ctypes.c_size_t,
        ]
        self._library.pjsua_pool_create.restype = ctypes.c_void_p
        self._library.pjsip_generic_string_hdr_create.argtypes = [
            *(ctypes.c_void_p, ctypes.POINTER(PjStr), ctypes.POINTER(PjStr)),
        ]
        self._library.pjsip_generic_string_hdr_create.restype = ctypes.c_void_p
        self._library.pjsip_endpt_respond_stateless.argtypes = [
            *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int),
            *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p),
        ]
        self._endpoint = self._library.pjsua_get_pjsip_endpt()
        self._clock = clock
        self._headers = self._list_of("Retry-After", str(retry_after_s))
        self._budget = Budget(INVITES_A_SECOND, INVITES_AT_ONCE) if BUILD.name == "wheel" else None
        self._module = _Module(
            name=PjStr(b"sansheng-gate", 13),
            id=-1,
            priority=_BETWEEN_UA_AND_PJSUA,
            on_rx_request=_OnRequest(self._ask),
        )
        status = self._library.pjsip_endpt_register_module(
            self._endpoint, ctypes.byref(self._module)
        )
        if status != 0:
            raise TapError(f"the SIP library takes no module (status {status})")

    @property
    def calls(self) -> int:
        """The calls that the library holds, those that have come but were not looked at among them.

        It also holds a leg of a call that is closed, for up to 32 s, when a peer never answered.
        """
        return int(self._library.pjsua_call_get_count())

    def _list_of(self, name: str, value: str) -> _Listed:
        """A list of one header, which lives as long as the library."""
        pool = self._library.pjsua_pool_create(b"sansheng-gate", 512, 512)
        texts = [PjStr(text.encode(), len(text)) for text in (name, value)]
        header = self._library.pjsip_generic_string_hdr_create(pool, *texts)
        end = _Listed(header, header)
        listed = ctypes.cast(header, ctypes.POINTER(_Listed)).contents
        listed.prev = listed.next = ctypes.addressof(end)
        return end

    def _ask(self, request: int) -> int:
        if b" INVITE/" not in self._library.pjsip_rx_data_get_info(request):
            return _PASSED_ON
        if self._has_room():
            return _PASSED_ON
        self._library.pjsip_endpt_respond_stateless(
            *(self._endpoint, request, _OVERLOADED, None),
            *(ctypes.addressof(self._headers), None),
        )
        return _HANDLED

    def _has_room(self) -> bool:
        if self.calls >= BUILD.max_calls:
            return False
        return self._budget is None or self._budget.take("", self._clock.now().monotonic_ms)
