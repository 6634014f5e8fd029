"""The SIP endpoint of one tap process: library, transports, account, and the loop that owns them.

One thread owns pjsua2 (``threadCnt = 0``, ``mainThreadOnly``): it runs the library's events and
then acts on what they noted. The conference bridge's clock and the RTP sockets have threads of
their own inside the library.
"""

import gc
import secrets
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import structlog

from calls.call import Mode
from calls.errors import HandoverError, TapError
from calls.handover import Spool
from telephony.account import (
    Account,
    Arrival,
    Registration,
    account_config,
    registration_config,
)
from telephony.bridge import Bridge
from telephony.clock import Clock, Moment
from telephony.digest import Guard
from telephony.door import Door, Refusal
from telephony.gate import Gate
from telephony.journal import Head
from telephony.leg import Fact, FactKind, Leg
from telephony.library import deepen_inbox, open_library, start_library, transport_config
from telephony.live import LiveCall
from telephony.overlong import Overlong
from telephony.pjsip import BUILD, SipLibraryError, allow_siprec, offer_tls, pj, reason_of
from telephony.security import check_security
from telephony.settings import Destination, TapSettings
from telephony.sip_text import call_id_of
from telephony.siprec.leg import SiprecLeg
from telephony.siprec.session import SiprecSession
from telephony.transfer import Exchange, Transfer

log = structlog.get_logger()

_STEP_MS = 10
_MOVED, _UNAUTHORIZED, _FORBIDDEN, _OVERLOADED = 302, 401, 403, 503
_TOO_LARGE = 513


class Session(Protocol):
    """A call under way, whatever brought it: a bridged call or a SIPREC session."""

    done: bool

    @property
    def live(self) -> LiveCall | None:
        """What the live board shows of it; None before its journal is open."""

    @property
    def legs_needed(self) -> int:
        """How many calls of the library it takes."""

    def handle(self, fact: Fact) -> None:
        """Act on what a leg noted."""

    def tick(self, now_ms: float) -> None:
        """Give up on what takes too long."""

    def end(self, code: int) -> None:
        """End it from the tap's side."""


class Endpoint:
    """The library, started; ``run`` until told to stop. Owner thread only."""

    def __init__(self, settings: TapSettings, spool: Spool, index: int = 0) -> None:
        self.settings = settings
        self.spool = spool
        self.clock = Clock()
        self.facts: deque[Fact] = deque()
        self.arrivals: deque[Arrival] = deque()
        self.sessions: list[Session] = []
        self.draining = False
        self.last_sip: Moment | None = None
        self.last_call: Moment | None = None
        """When a peer that is let in last had a call for us, whatever came of it."""
        self.refused = 0
        self.registrations: list[Registration] = []
        self._door = _door(settings)
        self.port = settings.port + index
        self._exchange = Exchange(
            settings,
            self.port,
            self._door,
            self.clock,
            room=self._room,
            is_ours=lambda call_id: self._transfer_of(call_id) is not None,
        )
        self._trunk: Account | None = None
        check_security(settings.tls, BUILD)
        passwords = [registration.password() for registration in settings.registrations]
        self._library = open_library(
            max_calls=BUILD.max_calls, jitter_buffer_ms=settings.jitter_buffer_ms
        )
        try:
            self._start(index, passwords)
        except SipLibraryError as error:
            self._library.libDestroy()
            raise TapError(
                f"cannot listen for SIP on {settings.host}:{self.port} ({reason_of(error)})",
                remedy="`ss -lunp` shows who has the port; change [telephony] port or host",
            ) from error

    @property
    def capacity(self) -> int:
        """Legs that the library holds at once; a bridged call takes two."""
        wanted = 2 * self.settings.calls_a_child
        return min(BUILD.max_calls, wanted) if wanted else BUILD.max_calls

    def run(self, stop: Callable[[], bool], each_step: Callable[[], None]) -> None:
        """Handle events until ``stop`` says so and the last call is over, or the drain is."""
        deadline: float | None = None
        while True:
            self._library.libHandleEvents(_STEP_MS)
            now_ms = self.clock.now().monotonic_ms
            self.step(now_ms)
            each_step()
            if stop():
                self._drain()
                deadline = deadline or now_ms + self.settings.drain_s * 1000
                if not self.sessions:
                    return
                if now_ms > deadline:
                    log.warning("drain is over, calls are cut", calls=len(self.sessions))
                    for session in self.sessions:
                        session.end(_OVERLOADED)
                    deadline = float("inf")

    def _drain(self) -> None:
        if not self.draining:
            self.draining = True
            for registration in self.registrations:
                registration.leave()

    def step(self, now_ms: float) -> None:
        """Act on everything that was noted, then on the clock.

        What goes wrong with one call ends that call and no other.
        """
        while self.arrivals:
            arrival = self.arrivals.popleft()
            self._guard(partial(self._take, arrival), arrival.leg)
        while self.facts:
            fact = self.facts.popleft()
            self.last_sip = fact.moment
            session = fact.leg.session
            if session is not None:
                self._guard(partial(session.handle, fact), session)
        for each in self.sessions:
            self._guard(partial(each.tick, now_ms), each)
        for registration in self.registrations:
            registration.tick(now_ms)
        if any(session.done for session in self.sessions):
            self.sessions = [session for session in self.sessions if not session.done]

    def close(self) -> None:
        """Free everything on this thread, then the library (pjproject #4353)."""
        self.sessions.clear()
        self.facts.clear()
        self.arrivals.clear()
        for account in (*self.registrations, self._trunk):
            if account is not None:
                account.shutdown()
        self.registrations.clear()
        self._trunk = None
        gc.collect()
        self._library.libDestroy()

    def _guard(self, act: Callable[[], None], blamed: "Session | Leg") -> None:
        """Act, and end what is to blame for a failure instead of the process."""
        try:
            act()
        except Exception as error:  # noqa: BLE001 (a process carries many citizens' calls)
            log.error("call in trouble", error=type(error).__name__, reason=reason_of(error))
            try:
                blamed.end(_OVERLOADED)
            except Exception as second:  # noqa: BLE001
                log.error("call cannot be ended", error=type(second).__name__)

    def _take(self, arrival: Arrival) -> None:
        """Let an INVITE in, send it elsewhere, or refuse it."""
        self.last_sip = arrival.moment
        if not arrival.leg.alive and not self._was_given_up(arrival.leg):
            # The library has refused it by itself: 422, a broken offer.
            log.info("an INVITE was over before it was looked at")
            return
        if (ours := self._transfer_of(call_id_of(arrival.message))) is not None:
            arrival.leg.say(_MOVED, (("Contact", f"<{ours.aim.redirect}>"),))
            return
        refusal = self._door.refusal(arrival.leg.peer, arrival.message, arrival.moment.monotonic_ms)
        if refusal is not None:
            self._refuse(arrival.leg, refusal)
            return
        self.last_call = arrival.moment
        if arrival.is_cut:
            self._refuse(arrival.leg, Refusal(_TOO_LARGE))
        elif self.draining or self._needed(arrival) > self._room(arrived=1):
            self._turn_away(arrival)
        elif isinstance(arrival.leg, SiprecLeg):
            self._record(arrival, arrival.leg)
        else:
            self._bridge(arrival)

    def _record(self, arrival: Arrival, leg: SiprecLeg) -> None:
        if not self.settings.siprec.enabled:
            self._refuse(leg, Refusal(_FORBIDDEN))
            return
        session = SiprecSession(leg, self.clock, self.settings.siprec, self.spool)
        leg.session = session
        self.sessions.append(session)
        try:
            session.start(new_call_id(arrival.moment), call_id_of(arrival.message), arrival.moment)
        except (TapError, HandoverError) as error:
            log.error("session not taken", error=str(error))
            session.end(_OVERLOADED)

    def _bridge(self, arrival: Arrival) -> None:
        called = arrival.called
        destination = self.settings.destinations.get(called, self.settings.default_destination)
        session = Bridge(arrival.leg, self.clock, self.settings, self.spool, self._exchange)
        arrival.leg.session = session
        self.sessions.append(session)
        head = Head(
            call_id=new_call_id(arrival.moment),
            mode=Mode.BRIDGE,
            caller=arrival.caller,
            called=called,
            agent=destination.agent or called,
            invited_at=arrival.moment.at,
            pbx_call_id=call_id_of(arrival.message),
        )
        try:
            session.start(
                head, destination, arrival.moment, self._account_for(arrival, destination)
            )
        except (TapError, HandoverError) as error:
            log.error("call not taken", error=str(error))
            self._turn_away(arrival)
            session.end(_OVERLOADED)

    def _was_given_up(self, leg: Leg) -> bool:
        """Whether a citizen's CANCEL has come with the INVITE: a call, though nobody is rung."""
        gone = any(fact.leg is leg and fact.kind is FactKind.CANCEL for fact in self.facts)
        return gone and not isinstance(leg, SiprecLeg)

    def _transfer_of(self, call_id: str) -> Transfer | None:
        """The transfer whose new leg has this SIP Call-ID."""
        moving = (s.moving for s in self.sessions if isinstance(s, Bridge) and s.moving)
        return next((each for each in moving if each.new.sip_call_id == call_id), None)

    def _account_for(self, arrival: Arrival, destination: Destination) -> Account:
        """The account that the agent's leg goes out by."""
        named = (r for r in self.registrations if r.address == destination.registration)
        return next(named, arrival.account)

    def _refuse(self, leg: Leg, refusal: Refusal) -> None:
        if refusal.code != _UNAUTHORIZED:
            self.refused += 1
            log.warning("refused an INVITE", code=refusal.code)
        leg.say(refusal.code, refusal.headers)

    def _turn_away(self, arrival: Arrival) -> None:
        """Have the PBX send a call round the tap: a recorder must not cost it."""
        if self.settings.bypass:
            contact = self.settings.bypass.replace("{called}", arrival.called)
            self._refuse(arrival.leg, Refusal(_MOVED, (("Contact", f"<{contact}>"),)))
        else:
            self._refuse(arrival.leg, self._door.overload)

    def _needed(self, arrival: Arrival) -> int:
        return 1 if isinstance(arrival.leg, SiprecLeg) else 2

    def _legs(self) -> int:
        return sum(session.legs_needed for session in self.sessions)

    def _room(self, arrived: int = 0) -> int:
        """Legs that are left, to us and in the library, which has given ``arrived`` already."""
        return min(self.capacity - self._legs(), BUILD.max_calls - self._gate.calls + arrived)

    def _start(self, index: int, passwords: list[str]) -> None:
        settings = self.settings
        allow_siprec()
        self._overlong = Overlong()
        self._gate = Gate(self.clock, settings.retry_after_s)
        for kind in (pj.PJSIP_TRANSPORT_UDP, pj.PJSIP_TRANSPORT_TCP):
            self._library.transportCreate(kind, self._transport(self.port))
        deepen_inbox(settings.host, self.port)
        if (tls := settings.tls).port:
            transport = self._transport(tls.port + index)
            offer_tls(
                transport,
                tls.certificate,
                tls.key,
                tls.ca,
                client_too=tls.require_client_certificate,
            )
            self._library.transportCreate(pj.PJSIP_TRANSPORT_TLS, transport)
        start_library(self._library)
        self._trunk = Account(self.clock, self.facts, self.arrivals)
        self._trunk.create(account_config(settings, self.port, index), True)
        for number, (registration, password) in enumerate(
            zip(settings.registrations, passwords, strict=True)
        ):
            holds = number % settings.children == index
            account = Registration(registration, self.clock, self.facts, self.arrivals, holds=holds)
            base = account_config(settings, self.port, index)
            account.create(registration_config(base, registration, password, holds=holds))
            self.registrations.append(account)

    def _transport(self, port: int) -> Any:
        return transport_config(self.settings.host, port, self.settings.public_address)


def _door(settings: TapSettings) -> Door:
    digest = settings.digest
    guard = None
    if digest.users:
        passwords = {user.user: user.password() for user in digest.users}
        guard = Guard(passwords, digest.realm, digest.algorithms, digest.nonce_s)
    return Door(
        settings.allowed_peers,
        settings.calls_a_second,
        guard,
        digest.peers_by,
        settings.retry_after_s,
    )


def new_call_id(moment: Moment) -> str:
    """A call's id: the UTC second of its INVITE and 32 random bits."""
    return f"{moment.at:%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"
