"""A bridged call: the caller's leg and the agent's, what passes between them, and its journal.

The tap is a back-to-back user agent (RFC 7092): what the agent's leg says (180, 183, 200, a
refusal) is said on to the caller's, the two audio streams are joined, and each side goes into its
own file from the agent's 200 OK on.
"""

from typing import Any

import structlog

from calls.call import Channel, EventKind
from calls.errors import TapError
from calls.handover import Spool
from telephony.account import Account
from telephony.clock import Clock, Moment
from telephony.journal import Head
from telephony.leg import Fact, FactKind, Leg, address_of
from telephony.live import LiveCall
from telephony.pjsip import SipLibraryError, call_parameters, reason_of
from telephony.record import Record
from telephony.settings import Destination, TapSettings
from telephony.silence import Silence
from telephony.story import TRANSFER
from telephony.transfer import ATTENDED, Exchange, Transfer

log = structlog.get_logger()

_CLOSE_WAIT_MS = 4000
"""How long a leg that was told to end may take before the call is closed without its word."""
_TAIL_MS = 40
"""How long the recording goes on after a BYE: two frames that were under way when it came."""
_RTP_LOOK_MS = 1000
NEVER_HEARD = "never heard"
"""Detail of a leg that is lost without ever having sent anything."""
_OTHER = {Channel.CALLER: Channel.AGENT, Channel.AGENT: Channel.CALLER}
_EVENTS = {
    FactKind.BYE: EventKind.BYE,
    FactKind.CANCEL: EventKind.CANCEL,
    FactKind.HOLD: EventKind.HOLD,
    FactKind.RESUME: EventKind.RESUME,
    FactKind.DTMF: EventKind.DTMF,
}
_RINGING, _OK, _ACCEPTED = 180, 200, 202
_FORBIDDEN, _TIMEOUT, _UNAVAILABLE, _REQUEST_PENDING, _FAILURE = 403, 408, 480, 491, 500


class Bridge:
    """One call under way between two legs. Owner thread only."""

    def __init__(
        self,
        caller: Leg,
        clock: Clock,
        settings: TapSettings,
        spool: Spool,
        exchange: Exchange,
    ) -> None:
        self.legs: dict[Channel, Leg] = {Channel.CALLER: caller}
        self.moving: Transfer | None = None
        """The transfer under way."""
        self._former: list[Leg] = []
        """Legs that another has taken the place of."""
        self._exchange = exchange
        self.done = False
        self._clock = clock
        self._settings = settings
        self._record = Record(spool)
        self._answered = False
        self._ended = False
        self._close_at: float | None = None
        self._stop_at: float | None = None
        self._ring_until = clock.now().monotonic_ms + settings.ring_timeout_s * 1000
        self._silence = Silence(settings.media_lost_s, settings.media_never_s)
        self._rtp_look_at = 0.0

    @property
    def live(self) -> LiveCall | None:
        """What the live board shows of it; None before its journal is open."""
        return self._record.live

    @property
    def legs_needed(self) -> int:
        """Two, and those of a transfer: its new leg, and the way through the tap's own address."""
        if self.moving is None:
            return 2
        return 4 if self.moving.aim.redirect else 3

    def start(
        self, head: Head, destination: Destination, arrived: Moment, account: Account
    ) -> None:
        """Open the journal and ring the agent's leg, unless the caller has given up already.

        Errors: TapError when the journal or the agent's leg cannot be begun; the caller has not
        been told.
        """
        self._record.open(head, arrived)
        self._record.event(Channel.CALLER, EventKind.INVITE, arrived)
        if not self.legs[Channel.CALLER].alive:
            return
        agent = Leg(account, Channel.AGENT, self._clock, self.legs[Channel.CALLER].facts)
        agent.session = self
        self.legs[Channel.AGENT] = agent
        parameters = call_parameters()
        if head.caller:
            account.say_who_calls(head.caller, self._settings.host, parameters.txOption)
        self._record.event(Channel.AGENT, EventKind.INVITE, self._clock.now(), received=False)
        try:
            agent.ring(destination.uri.replace("{called}", head.called), parameters)
        except SipLibraryError as error:
            self._record.event(Channel.AGENT, EventKind.FAILED, self._clock.now(), code=_FAILURE)
            self._ended = True
            raise TapError(
                f"cannot ring the agent's leg ({reason_of(error)})",
                remedy="check destinations, rtp_ports and the calls at once in sansheng.toml",
            ) from error

    def handle(self, fact: Fact) -> None:
        """Act on what a leg noted."""
        if self.done:
            return
        leg, other = fact.leg.channel, _OTHER[fact.leg.channel]
        if self.legs.get(leg) is not fact.leg:
            self._handle_aside(fact)
            return
        match fact.kind:
            case FactKind.PROGRESS if leg is Channel.AGENT:
                kind = EventKind.RINGING if fact.code == _RINGING else EventKind.PROGRESS
                self._record.event(leg, kind, fact.moment, code=fact.code)
                self._say(fact.code)
            case FactKind.ANSWERED if leg is Channel.AGENT and not self._answered:
                self._answer(fact)
            case FactKind.CONFIRMED:
                self.legs[leg].answered = True
                self._record.event(leg, EventKind.CONFIRMED, fact.moment)
                for former in self._former:
                    former.end()
            case FactKind.MEDIA:
                self._connect()
            case FactKind.REFER if self.moving is not None:
                self._record.event(leg, EventKind.REFER, fact.moment, detail=self.moving.aim.kind)
            case FactKind.REPLACED if fact.leg.successor is not None:
                self._record.event(leg, EventKind.REFER, fact.moment, detail=ATTENDED)
                agent = self._exchange.agent_of(fact.detail)
                self._replace(fact.leg, fact.leg.successor, fact.moment, agent)
            case FactKind.BYE if self.moving is not None and self.moving.old is fact.leg:
                self._record.event(leg, EventKind.BYE, fact.moment, detail=TRANSFER)
            case FactKind.GONE if self.moving is not None and self.moving.old is fact.leg:
                pass
            case FactKind.BYE | FactKind.CANCEL:
                self._stop_at = fact.moment.monotonic_ms + _TAIL_MS
                self._record.event(leg, _EVENTS[fact.kind], fact.moment)
                self._ended = True
                if fact.kind is FactKind.CANCEL and self._answered:
                    # It crossed our 200 and has no effect (RFC 3261 9.2), but nobody will talk.
                    for each in self.legs:
                        self._end(each)
            case FactKind.HOLD | FactKind.RESUME | FactKind.DTMF:
                self._record.event(leg, _EVENTS[fact.kind], fact.moment)
                if fact.kind is FactKind.DTMF and other in self.legs:
                    self.legs[other].press(fact.detail)
            case FactKind.GONE | FactKind.GIVEN_UP:
                self._gone(fact, other)
            case FactKind.BROKEN:
                self.end(_FAILURE)

    def tick(self, now_ms: float) -> None:
        """Give up on what takes too long: ringing, a dead stream, a leg that does not end."""
        if self.done:
            return
        if self._stop_at is not None and now_ms >= self._stop_at:
            self._record.stop()
        if self._close_at is not None:
            if now_ms >= self._close_at:
                self._close()
        elif self.moving is not None and now_ms >= self.moving.ring_until_ms:
            self.moving.new.end()
        elif not self._answered and now_ms >= self._ring_until and not self._ended:
            self._fail(Channel.AGENT, _TIMEOUT)
            self._end(Channel.AGENT)
            self._end(Channel.CALLER, _UNAVAILABLE)
        elif self._answered and not self._ended and now_ms >= self._rtp_look_at:
            self._rtp_look_at = now_ms + _RTP_LOOK_MS
            self._watch_rtp(now_ms)

    def end(self, code: int) -> None:
        """End the call from the tap's side, for want of anything better."""
        if not self._ended:
            self._fail(Channel.CALLER, code)
        if self.moving is not None:
            self.moving.new.end()
        for channel in self.legs:
            self._end(channel, 0 if self._answered else code)

    def transfer(self, leg: Leg, refer_to: str) -> tuple[int, Leg | None]:
        """Decide on a REFER of one of the call's legs, from inside the library's callback.

        Returns the status code, and below 300 the leg that the library is to call the target by.
        """
        if self.moving is not None or not self._answered or self._ended or self.done:
            return _REQUEST_PENDING, None
        if self.legs[leg.channel] is not leg:
            return _REQUEST_PENDING, None
        aim = self._exchange.aim(refer_to)
        if isinstance(aim, int):
            log.warning("refused a REFER", code=aim)
            return aim, None
        new = Leg(leg.account, leg.channel, self._clock, leg.facts)
        new.session, new.follows_redirect = self, bool(aim.redirect)
        ring_until = self._clock.now().monotonic_ms + self._settings.ring_timeout_s * 1000
        self.moving = Transfer(leg, new, aim, ring_until)
        return _ACCEPTED, new

    def may_replace(self, leg: Leg, rdata: Any) -> int:
        """The status code for an INVITE that is to take a leg's place: 200, or a refusal."""
        if self.legs.get(leg.channel) is not leg or self._ended or not self._answered:
            return _FORBIDDEN
        return self._exchange.admit(address_of(rdata), rdata.wholeMsg)

    def _handle_aside(self, fact: Fact) -> None:
        """Act on what a leg noted that is not, or no longer, one of the call's two."""
        moving = self.moving
        if moving is None or fact.leg is not moving.new:
            return
        channel = fact.leg.channel
        match fact.kind:
            case FactKind.PROGRESS:
                self._record.event(
                    channel, EventKind.RINGING, fact.moment, code=fact.code, detail=TRANSFER
                )
            case FactKind.ANSWERED if not self._ended:
                self.moving = None
                self._replace(moving.old, moving.new, fact.moment, moving.aim.agent)
            case FactKind.GONE | FactKind.BROKEN:
                self.moving = None
                self._record.event(
                    channel, EventKind.FAILED, fact.moment, code=fact.code, detail=TRANSFER
                )
                moving.new.end()
                if not moving.old.alive:
                    gone = Fact(moving.old, FactKind.GONE, fact.moment, fact.code)
                    self._gone(gone, _OTHER[channel])

    def _replace(self, old: Leg, new: Leg, moment: Moment, agent: str) -> None:
        """Have one leg take another's place: heard, heard by, and recorded on its side."""
        channel = new.channel
        if (audio := old.audio()) is not None:
            if (sink := self.legs[_OTHER[channel]].audio()) is not None:
                audio.stopTransmit(sink)
                sink.stopTransmit(audio)
            self._record.ignore(channel, audio)
        if old.held:
            self._record.event(channel, EventKind.RESUME, moment, received=False)
        self._former.append(old)
        self.legs[channel] = new
        self._silence.begin(channel, moment.monotonic_ms)
        self._record.event(channel, EventKind.REPLACED, moment, code=_OK)
        if channel is Channel.AGENT:
            self._record.transferred(agent, moment)
        self._connect()

    def _answer(self, fact: Fact) -> None:
        self._answered = True
        if not self._ended:
            self._record.start()
        self._record.event(Channel.AGENT, EventKind.ANSWERED, fact.moment, code=_OK)
        if self._ended:
            return
        for channel in Channel:
            self._silence.begin(channel, fact.moment.monotonic_ms)
        self._say(_OK)
        self._connect()

    def _say(self, code: int) -> None:
        caller = self.legs[Channel.CALLER]
        try:
            caller.say(code)
        except SipLibraryError as error:
            log.error("caller's leg does not take an answer", code=code, error=reason_of(error))
            if code >= _OK:
                caller.end(_FAILURE)

    def _connect(self) -> None:
        """Join the two streams and the recorders: every re-INVITE makes the streams anew."""
        audio = {channel: leg.audio() for channel, leg in self.legs.items()}
        for channel, source in audio.items():
            if source is None:
                continue
            if (sink := audio.get(_OTHER[channel])) is not None:
                source.startTransmit(sink)
            self._record.hear(channel, source)

    def _gone(self, fact: Fact, other: Channel) -> None:
        leg = fact.leg.channel
        if not self._ended:
            self._fail(leg, fact.code, fact.moment)
        if self.moving is not None:
            self.moving.new.end()
        code = fact.code if leg is Channel.AGENT and fact.code >= 400 else 0
        self._end(other, code if not self._answered else 0)
        if not any(each.alive for each in self.legs.values()):
            if self._stop_at is None or not self._record.is_recording:
                self._close()
            else:
                self._close_at = self._stop_at
        elif self._close_at is None:
            self._close_at = fact.moment.monotonic_ms + _CLOSE_WAIT_MS

    def _fail(self, leg: Channel, code: int, moment: Moment | None = None) -> None:
        self._record.event(leg, EventKind.FAILED, moment or self._clock.now(), code=code)
        self._record.stop()
        self._ended = True

    def _end(self, channel: Channel, code: int = 0) -> None:
        if (leg := self.legs.get(channel)) is not None:
            leg.end(code)
        if not any(each.alive for each in self.legs.values()):
            self._close_at = self._close_at or self._clock.now().monotonic_ms

    def _watch_rtp(self, now_ms: float) -> None:
        """End a call of which a leg is lost; tell of one in which a side is never heard."""
        is_open = all(leg.both_ways and not leg.held for leg in self.legs.values())
        signs = {channel: leg.signs() for channel, leg in self.legs.items()}
        lost = self._silence.look(signs, now_ms, open_=is_open)
        mute = self._silence.mute(now_ms)
        self._record.mute(mute)
        if lost is None:
            return
        detail = NEVER_HEARD if self._silence.never(lost) else ""
        self._record.event(lost, EventKind.MEDIA_LOST, self._clock.now(), detail=detail)
        self._record.stop()
        self._ended = True
        for channel in self.legs:
            self._end(channel)

    def _close(self) -> None:
        if self.done:
            return
        self._record.stop()
        now = self._clock.now()
        if not self._record.is_sealed(now.monotonic_ms):
            self._close_at = now.monotonic_ms
            return
        self.done = True
        for former in self._former:
            former.end()
        legs = (*self._former, *self.legs.values()) if self._answered else ()
        self._record.close([leg.quality for leg in legs if leg.quality is not None], now)
