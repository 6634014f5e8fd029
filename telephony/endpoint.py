"""The SIP endpoint of one tap process: library, transports, account, and the loop that owns them.

One thread owns pjsua2 (``threadCnt = 0``, ``mainThreadOnly``): it runs the library's events and
then acts on what they noted. The conference bridge's clock and the RTP sockets have threads of
their own inside the library.
"""

import gc
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import structlog

from calls.call import Channel, Mode
from calls.errors import HandoverError, TapError
from calls.handover import Spool
from telephony.bridge import Bridge
from telephony.clock import Clock, Moment
from telephony.door import Door
from telephony.journal import Head
from telephony.leg import Fact, Leg
from telephony.live import LiveCall
from telephony.pjsip import BUILD, SipLibraryError, allow_siprec, pj, reason_of
from telephony.settings import TapSettings
from telephony.sip_text import call_id_of, called_number, user_of
from telephony.siprec import SiprecSession
from telephony.siprec_leg import SiprecLeg, configure, read_text

log = structlog.get_logger()

CODECS = {"PCMA/8000/1": 255, "PCMU/8000/1": 254, "G722/16000/1": 253}
"""Codecs on offer with their priority: A-law is what a Chinese trunk speaks."""
_STEP_MS = 10
_FORBIDDEN, _UNAVAILABLE, _MOVED, _OVERLOADED = 403, 480, 302, 503


class Session(Protocol):
    """A call under way, whatever brought it: a bridged call or a SIPREC session."""

    done: bool
    live: LiveCall | None
    """What the live board shows of it; None before its journal is open."""
    legs_needed: int
    """How many calls of the library it takes."""

    def handle(self, fact: Fact) -> None:
        """Act on what a leg noted."""

    def tick(self, now_ms: float) -> None:
        """Give up on what takes too long."""

    def end(self, code: int) -> None:
        """End it from the tap's side."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """An INVITE that came in: its leg, when, from where, and the whole message."""

    leg: Leg
    moment: Moment
    source: str
    """The peer's IP address."""
    message: str


class Account(pj.Account):  # type: ignore[misc]
    """The account that takes every INVITE. It only queues them."""

    def __init__(self, clock: Clock, facts: deque[Fact], arrivals: deque[Arrival]) -> None:
        super().__init__()
        self._clock, self._facts, self._arrivals = clock, facts, arrivals

    def onIncomingCall(self, prm: Any) -> None:  # noqa: N802
        """Note the INVITE and take hold of its call."""
        moment = self._clock.now()
        try:
            request = read_text(prm.rdata.wholeMsg)
            if request.is_siprec:
                leg: Leg = SiprecLeg(self, self._clock, self._facts, prm.callId, request)
            else:
                leg = Leg(self, Channel.CALLER, self._clock, self._facts, prm.callId)
            source = prm.rdata.srcAddress.rsplit(":", 1)[0].strip("[]")
            self._arrivals.append(Arrival(leg, moment, source, prm.rdata.wholeMsg))
        except Exception as error:  # noqa: BLE001 (nothing may pass through the C library)
            log.error("an INVITE could not be taken", error=type(error).__name__)


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
        self.refused = 0
        self._door = Door(settings.allowed_peers, settings.calls_a_second)
        self.port = settings.port + index
        self._account: Account | None = None
        self._library = pj.Endpoint()
        try:
            self._start(index)
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
                self.draining = True
                deadline = deadline or now_ms + self.settings.drain_s * 1000
                if not self.sessions:
                    return
                if now_ms > deadline:
                    log.warning("drain is over, calls are cut", calls=len(self.sessions))
                    for session in self.sessions:
                        session.end(_OVERLOADED)
                    deadline = float("inf")

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
        if any(session.done for session in self.sessions):
            self.sessions = [session for session in self.sessions if not session.done]

    def close(self) -> None:
        """Free everything on this thread, then the library (pjproject #4353)."""
        self.sessions.clear()
        self.facts.clear()
        self.arrivals.clear()
        if self._account is not None:
            self._account.shutdown()
            self._account = None
        gc.collect()
        self._library.libDestroy()

    def _guard(self, act: Callable[[], None], blamed: "Session | Leg") -> None:
        """Act, and end what is to blame for a failure instead of the process."""
        try:
            act()
        except Exception as error:  # noqa: BLE001 (a process carries many citizens' calls)
            log.error("call in trouble", error=type(error).__name__, reason=reason_of(error))
            try:
                blamed.end(_UNAVAILABLE)
            except Exception as second:  # noqa: BLE001
                log.error("call cannot be ended", error=type(second).__name__)

    def _take(self, arrival: Arrival) -> None:
        """Let an INVITE in, send it elsewhere, or refuse it."""
        self.last_sip = arrival.moment
        called = called_number(arrival.message)
        if not self._door.allows(arrival.source):
            self.refused += 1
            self._refuse(arrival.leg, _FORBIDDEN)
        elif not self._door.admits(arrival.source, arrival.moment.monotonic_ms):
            self.refused += 1
            arrival.leg.say(_OVERLOADED, retry_after_s=self.settings.retry_after_s)
        elif self.draining or self._legs() + self._needed(arrival) > self.capacity:
            self.refused += 1
            if self.settings.bypass:
                arrival.leg.say(_MOVED, contact=self.settings.bypass.replace("{called}", called))
            else:
                arrival.leg.say(_OVERLOADED, retry_after_s=self.settings.retry_after_s)
        elif isinstance(arrival.leg, SiprecLeg):
            self._record(arrival, arrival.leg)
        else:
            self._bridge(arrival, called)

    def _record(self, arrival: Arrival, leg: SiprecLeg) -> None:
        if not self.settings.siprec.enabled:
            self.refused += 1
            self._refuse(leg, _FORBIDDEN)
            return
        session = SiprecSession(leg, self.clock, self.settings.siprec, self.spool)
        leg.session = session
        self.sessions.append(session)
        try:
            session.start(new_call_id(arrival.moment), call_id_of(arrival.message), arrival.moment)
        except (TapError, HandoverError) as error:
            log.error("session not taken", error=str(error))
            session.end(_OVERLOADED)

    def _bridge(self, arrival: Arrival, called: str) -> None:
        destination = self.settings.destinations.get(called, self.settings.default_destination)
        session = Bridge(arrival.leg, self.clock, self.settings, self.spool)
        arrival.leg.session = session
        self.sessions.append(session)
        head = Head(
            call_id=new_call_id(arrival.moment),
            mode=Mode.BRIDGE,
            caller=user_of(arrival.leg.getInfo().remoteUri),
            called=called,
            agent=destination.agent or called,
            invited_at=arrival.moment.at,
            pbx_call_id=call_id_of(arrival.message),
        )
        try:
            session.start(head, destination, arrival.moment, self._account)
        except (TapError, HandoverError) as error:
            log.error("call not taken", error=str(error))
            session.end(_OVERLOADED)

    def _refuse(self, leg: Leg, code: int) -> None:
        log.warning("refused an INVITE", code=code)
        leg.end(code)

    def _needed(self, arrival: Arrival) -> int:
        kind = SiprecSession if isinstance(arrival.leg, SiprecLeg) else Bridge
        return kind.legs_needed

    def _legs(self) -> int:
        return sum(session.legs_needed for session in self.sessions)

    def _start(self, index: int) -> None:
        settings = self.settings
        self._library.libCreate()
        config = pj.EpConfig()
        config.logConfig.level = config.logConfig.consoleLevel = 0
        config.uaConfig.threadCnt = 0
        config.uaConfig.mainThreadOnly = True
        config.uaConfig.maxCalls = BUILD.max_calls
        config.uaConfig.userAgent = "Sansheng"
        media = config.medConfig
        media.clockRate = media.sndClockRate = 8000
        media.channelCount = 1
        media.ecTailLen = 0
        media.noVad = True
        media.sndAutoCloseTime = -1
        if settings.jitter_buffer_ms:
            media.jbInit = media.jbMinPre = settings.jitter_buffer_ms
        self._library.libInit(config)
        allow_siprec()
        for kind in (pj.PJSIP_TRANSPORT_UDP, pj.PJSIP_TRANSPORT_TCP):
            transport = pj.TransportConfig()
            transport.port = self.port
            transport.boundAddress = settings.host
            transport.publicAddress = settings.public_address
            self._library.transportCreate(kind, transport)
        self._library.libStart()
        self._library.audDevManager().setNullDev()
        codecs = self._library.codecEnum2()
        for position in range(len(codecs)):
            name = codecs[position].codecId
            self._library.codecSetPriority(name, CODECS.get(name, 0))
        account = pj.AccountConfig()
        account.idUri = f"sip:sansheng@{settings.public_address or settings.host}:{self.port}"
        account.callConfig.timerSessExpiresSec = settings.session_expires_s
        rtp = account.mediaConfig.transportConfig
        rtp.port = settings.rtp_port + index * settings.rtp_ports
        rtp.portRange = settings.rtp_ports
        rtp.boundAddress = settings.host
        rtp.publicAddress = settings.public_address
        if settings.siprec.enabled:
            configure(account)
        self._account = Account(self.clock, self.facts, self.arrivals)
        self._account.create(account)


def new_call_id(moment: Moment) -> str:
    """A call's id: the UTC second of its INVITE and 32 random bits."""
    return f"{moment.at:%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"
