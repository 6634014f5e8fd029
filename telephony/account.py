"""The accounts of a tap process: the one that takes every INVITE, and those that it registers as.

An account only queues what comes in; ``endpoint`` acts on it after the library's loop has come
back.
"""

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import structlog

from calls.call import Channel
from telephony.clock import Clock, Moment
from telephony.identity_settings import RegistrationSettings
from telephony.leg import Fact, Leg, address_of
from telephony.library import listen_for_media
from telephony.pjsip import BUILD, SipLibraryError, encrypt_media, pj
from telephony.settings import TapSettings
from telephony.sip_text import called_number, dialled_number, user_of
from telephony.siprec.leg import SiprecLeg, configure, read_text

log = structlog.get_logger()

_PATIENCE_MS = 5000
"""How long a registrar may take to answer before the registration counts as lost."""
_NO_ANSWER = 408


@dataclass(frozen=True, slots=True)
class Arrival:
    """An INVITE that came in: by which account, its leg, from whom, when, and the whole message."""

    account: "Account"
    leg: Leg
    caller: str
    moment: Moment
    message: str

    @property
    def is_cut(self) -> bool:
        """Whether it came by UDP and was longer than the library's buffer.

        What is left may look whole: an INVITE without its offer, or without half its metadata.
        """
        return len(self.message.encode("utf-8", "surrogateescape")) >= BUILD.max_message_bytes

    @property
    def called(self) -> str:
        """The number dialled."""
        return self.account.number_dialled(self.message)


class Account(pj.Account):  # type: ignore[misc]
    """The account of the trunk side: whatever is addressed to no other account."""

    address = ""
    """The address that it is registered as; empty for the trunk's account."""

    def __init__(self, clock: Clock, facts: deque[Fact], arrivals: deque[Arrival]) -> None:
        super().__init__()
        self._clock, self._facts, self._arrivals = clock, facts, arrivals

    def number_dialled(self, invite: str) -> str:
        """The number that an INVITE is for."""
        return called_number(invite)

    def say_who_calls(self, caller: str, host: str, option: Any) -> None:
        """Tell the agent's leg the caller's number."""
        option.localUri = f"<sip:{caller}@{host}>"

    def onIncomingCall(self, prm: Any) -> None:  # noqa: N802
        """Note the INVITE and take hold of its call."""
        moment = self._clock.now()
        try:
            request = read_text(prm.rdata.wholeMsg)
            if request.is_siprec:
                leg: Leg = SiprecLeg(self, self._clock, self._facts, prm.callId, request)
            else:
                leg = Leg(self, Channel.CALLER, self._clock, self._facts, prm.callId)
            leg.peer = address_of(prm.rdata)
            caller = user_of(leg.getInfo().remoteUri)
            self._arrivals.append(Arrival(self, leg, caller, moment, prm.rdata.wholeMsg))
        except Exception as error:  # noqa: BLE001 (nothing may pass through the C library)
            log.error("an INVITE could not be taken", error=type(error).__name__)


class RegistrationState(StrEnum):
    """How a registration stands."""

    ELSEWHERE = "elsewhere"
    """Another process holds it; this one only has its password, for outgoing legs."""
    TRYING = "trying"
    REGISTERED = "registered"
    LOST = "lost"
    """No answer, a server's failure, or not refreshed in time."""
    REFUSED = "refused"
    LEFT = "left"
    """Taken back by the tap itself, which is stopping."""


_NOT_HEARD = frozenset({RegistrationState.LOST, RegistrationState.REFUSED})


class Registration(Account):
    """An account that is registered with a PBX, kept so, and watched.

    The library refreshes what is registered; everything else (what was lost, what was refused) is
    tried again from here, for a password that was wrong may be put right at the PBX.
    """

    def __init__(
        self,
        settings: RegistrationSettings,
        clock: Clock,
        facts: deque[Fact],
        arrivals: deque[Arrival],
        *,
        holds: bool,
    ) -> None:
        super().__init__(clock, facts, arrivals)
        self.settings = settings
        self.address = settings.address
        self.state = RegistrationState.TRYING if holds else RegistrationState.ELSEWHERE
        self.code = 0
        self.since = clock.now()
        self._news: deque[tuple[int, float, Moment]] = deque()
        self._good_until_ms = self.since.monotonic_ms + _PATIENCE_MS
        self._retry_at_ms = 0.0

    @property
    def is_ours(self) -> bool:
        """Whether this process holds it."""
        return self.state is not RegistrationState.ELSEWHERE

    def number_dialled(self, invite: str) -> str:
        """The number dialled, from To where a trunk has it there."""
        return dialled_number(invite) if self.settings.number_in == "to" else called_number(invite)

    def say_who_calls(self, caller: str, host: str, option: Any) -> None:
        """Tell the caller's number beside our own address (RFC 3325): From is what we log in as."""
        header = pj.SipHeader()
        header.hName, header.hValue = "P-Asserted-Identity", f"<sip:{caller}@{host}>"
        option.headers.append(header)

    def onRegState(self, prm: Any) -> None:  # noqa: N802
        """Note what the registrar said."""
        self._news.append((int(prm.code), float(prm.expiration), self._clock.now()))

    def tick(self, now_ms: float) -> None:
        """Take the registrar's answers in, notice silence, and try again."""
        if not self.is_ours or self.state is RegistrationState.LEFT:
            return
        while self._news:
            self._hear(*self._news.popleft())
        if self.state not in _NOT_HEARD and now_ms > self._good_until_ms:
            self._become(RegistrationState.LOST, _NO_ANSWER, self._clock.now())
        if self.state in _NOT_HEARD and now_ms >= self._retry_at_ms:
            self._retry_at_ms = now_ms + self.settings.retry_s * 1000
            self._send(registered=True)

    def leave(self) -> None:
        """Take the registration back, so that the PBX sends no more calls here."""
        if self.is_ours:
            self.state, self.since = RegistrationState.LEFT, self._clock.now()
            self._send(registered=False)

    def _hear(self, code: int, expires_s: float, moment: Moment) -> None:
        if 200 <= code < 300 and expires_s > 0:
            self._good_until_ms = moment.monotonic_ms + expires_s * 1000
            self._become(RegistrationState.REGISTERED, code, moment)
        elif 400 <= code < 500 and code != _NO_ANSWER:
            self._become(RegistrationState.REFUSED, code, moment)
        else:
            self._become(RegistrationState.LOST, code or _NO_ANSWER, moment)

    def _become(self, state: RegistrationState, code: int, moment: Moment) -> None:
        if (state, code) == (self.state, self.code):
            return
        self.state, self.code, self.since = state, code, moment
        if state in _NOT_HEARD:
            self._retry_at_ms = moment.monotonic_ms + self.settings.retry_s * 1000
            log.error(f"registration {state}", registration=self.address, code=code)
        else:
            log.info(f"registration {state}", registration=self.address)

    def _send(self, *, registered: bool) -> None:
        try:
            self.setRegistration(registered)
        except SipLibraryError:
            # A REGISTER is still under way: its answer will come, or its end will.
            return


def account_config(settings: TapSettings, port: int, index: int) -> Any:
    """What every account of process ``index`` has in common: media, timers, SIPREC."""
    config = pj.AccountConfig()
    config.idUri = f"sip:sansheng@{settings.public_address or settings.host}:{port}"
    config.callConfig.timerSessExpiresSec = settings.session_expires_s
    first = settings.rtp_port + index * settings.rtp_ports
    listen_for_media(config, settings.host, first, settings.rtp_ports, settings.public_address)
    if settings.siprec.enabled:
        configure(config)
    encrypt_media(config, settings.tls.srtp)
    return config


def registration_config(
    base: Any, settings: RegistrationSettings, password: str, *, holds: bool
) -> Any:
    """An account's configuration with a PBX's address, password and, if it holds it, registrar."""
    base.idUri = f"sip:{settings.address}"
    base.sipConfig.authCreds.append(
        pj.AuthCredInfo("digest", settings.realm, settings.auth_user or settings.user, 0, password)
    )
    if holds:
        base.regConfig.registrarUri = settings.registrar
        base.regConfig.timeoutSec = settings.expires_s
        base.regConfig.retryIntervalSec = 0
        base.natConfig.contactRewriteUse = 0
    return base
