"""Transfers that a peer asks the tap for: REFER (RFC 3515), attended with Replaces (RFC 3891).

The library answers the REFER, calls the target and tells the transferor how that goes (NOTIFY with
a sipfrag body); what is decided here is whether the target may be called at all, and where a number
rings. A REFER must not make the tap call whomever a peer likes.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from telephony.clock import Clock
from telephony.door import Door
from telephony.leg import Leg
from telephony.settings import Destination, TapSettings
from telephony.sip_text import call_id_of, user_of

BLIND, ATTENDED = "blind", "attended"
"""Details of a REFER's event."""
_TARGET = re.compile(
    r"^<?(?P<uri>sips?:(?P<user>[^@;>\s?]+)@(?P<host>\[[^\]]+\]|[^:;>?\s]+)(?::(?P<port>\d+))?)"
    r"(?P<rest>[^>\s]*)>?$",
    re.IGNORECASE,
)
_REPLACES = re.compile(r"[?&]replaces=", re.IGNORECASE)
_SIP_PORT = 5060
_OK, _BAD_REQUEST, _FORBIDDEN, _BUSY_HERE, _DECLINE = 200, 400, 403, 486, 603


@dataclass(frozen=True, slots=True)
class Aim:
    """Where a transfer goes."""

    number: str
    agent: str
    """Whose the call is from then on."""
    redirect: str
    """Where the tap sends a call to its own address on to; empty when the target is another's."""
    kind: str


@dataclass(slots=True)
class Transfer:
    """A transfer under way: who asked for it, and the leg that is to take its place."""

    old: Leg
    new: Leg
    aim: Aim
    ring_until_ms: float


class Exchange:
    """Says what a transfer may reach; the endpoint gives it to every bridged call."""

    def __init__(
        self,
        settings: TapSettings,
        port: int,
        door: Door,
        clock: Clock,
        room: Callable[[], int],
        is_ours: Callable[[str], bool],
    ) -> None:
        """``room`` says how many legs of the library are left, ``is_ours`` whether a SIP Call-ID is
        that of a transfer's new leg.
        """
        self._settings = settings
        self._is_ours = is_ours
        self._own = {(host, port) for host in (settings.host, settings.public_address)}
        self._door, self._clock, self._room = door, clock, room
        places = (settings.default_destination, *settings.destinations.values())
        self._hosts = {m["host"] for place in places if (m := _TARGET.match(place.uri))}

    def aim(self, refer_to: str) -> Aim | int:
        """Where a Refer-To leads, or the status code that refuses it."""
        found = _TARGET.match(refer_to.strip())
        number = user_of(refer_to)
        if self._settings.transfers == "refuse":
            return _DECLINE
        if found is None or not number:
            return _BAD_REQUEST
        host, port = found["host"], int(found["port"] or _SIP_PORT)
        attended = bool(_REPLACES.search(found["rest"]))
        redirect = ""
        if (host, port) in self._own:
            if not attended:
                redirect = self._place(number).uri
        elif host not in self._hosts and not self._door.allows(host.strip("[]")):
            return _FORBIDDEN
        if self._room() < (2 if (host, port) in self._own else 1):
            return _BUSY_HERE
        return Aim(
            number=number,
            agent=self.agent_of(number),
            redirect=redirect.replace("{called}", number),
            kind=ATTENDED if attended else BLIND,
        )

    def agent_of(self, number: str) -> str:
        """Whose the calls to a number are."""
        return self._place(number).agent or number

    def _place(self, number: str) -> Destination:
        return self._settings.destinations.get(number, self._settings.default_destination)

    def admit(self, source: str, message: str) -> int:
        """The status code for an INVITE with Replaces: the door lets it in like any other, or not.

        The tap's own, on the way of an attended transfer to a call that it carries itself, is one
        that it has let in already.
        """
        if self._settings.transfers == "refuse":
            return _DECLINE
        if source in {host for host, _ in self._own} and self._is_ours(call_id_of(message)):
            return _OK
        refusal = self._door.refusal(source, message, self._clock.now().monotonic_ms)
        return refusal.code if refusal else _OK
