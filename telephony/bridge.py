"""A bridged call: the caller's leg and the agent's, what passes between them, and its journal.

The tap is a back-to-back user agent (RFC 7092): what the agent's leg says (180, 183, 200, a
refusal) is said on to the caller's, the two audio streams are joined, and each side goes into its
own file from the agent's 200 OK on.
"""

from contextlib import ExitStack
from pathlib import Path

import structlog

from calls.call import Channel, EventKind, LegEvent
from calls.errors import TapError
from calls.handover import Spool
from telephony.account import Account
from telephony.clock import Clock, Moment
from telephony.journal import Head, Journal
from telephony.leg import Fact, FactKind, Leg
from telephony.live import LiveCall
from telephony.pjsip import SipLibraryError, call_parameters, reason_of
from telephony.recorder import SEAL_WAIT_MS, Recorder, is_sealed
from telephony.settings import Destination, TapSettings
from telephony.sides import side_file

log = structlog.get_logger()

_CLOSE_WAIT_MS = 4000
"""How long a leg that was told to end may take before the call is closed without its word."""
_TAIL_MS = 40
"""How long the recording goes on after a BYE: two frames that were under way when it came."""
_RTP_LOOK_MS = 1000
_OTHER = {Channel.CALLER: Channel.AGENT, Channel.AGENT: Channel.CALLER}
_EVENTS = {
    FactKind.BYE: EventKind.BYE,
    FactKind.CANCEL: EventKind.CANCEL,
    FactKind.HOLD: EventKind.HOLD,
    FactKind.RESUME: EventKind.RESUME,
    FactKind.DTMF: EventKind.DTMF,
}
_RINGING, _TIMEOUT, _UNAVAILABLE, _FAILURE = 180, 408, 480, 500


class Bridge:
    """One call under way between two legs. Owner thread only."""

    legs_needed = 2

    def __init__(self, caller: Leg, clock: Clock, settings: TapSettings, spool: Spool) -> None:
        self.legs: dict[Channel, Leg] = {Channel.CALLER: caller}
        self.done = False
        self.live: LiveCall | None = None
        self._clock = clock
        self._settings = settings
        self._spool = spool
        self._held = ExitStack()
        self._journal: Journal | None = None
        self._folder = Path()
        self._recorders: dict[Channel, Recorder] = {}
        self._answered = False
        self._ended = False
        self._close_at: float | None = None
        self._stop_at: float | None = None
        self._seal_until: float | None = None
        self._ring_until = clock.now().monotonic_ms + settings.ring_timeout_s * 1000
        self._rtp = dict.fromkeys(Channel, (0, 0.0))
        self._rtp_look_at = 0.0

    def start(
        self, head: Head, destination: Destination, arrived: Moment, account: Account
    ) -> None:
        """Open the journal and ring the agent's leg.

        Errors: TapError when the journal or the agent's leg cannot be begun; the call is closed.
        """
        self._folder = self._held.enter_context(self._spool.begin_held(head.call_id))
        self._journal = Journal(self._folder, head)
        self.live = LiveCall(
            call_id=head.call_id, agent=head.agent, state="ringing", since=arrived.at
        )
        self._event(Channel.CALLER, EventKind.INVITE, arrived)
        agent = Leg(account, Channel.AGENT, self._clock, self.legs[Channel.CALLER].facts)
        agent.session = self
        self.legs[Channel.AGENT] = agent
        parameters = call_parameters()
        if head.caller:
            account.say_who_calls(head.caller, self._settings.host, parameters.txOption)
        self._event(Channel.AGENT, EventKind.INVITE, self._clock.now(), received=False)
        try:
            agent.makeCall(destination.uri.replace("{called}", head.called), parameters)
        except SipLibraryError as error:
            agent.alive = False
            self._event(Channel.AGENT, EventKind.FAILED, self._clock.now(), code=_FAILURE)
            self._end(Channel.CALLER, _UNAVAILABLE)
            raise TapError(
                f"cannot ring the agent's leg ({reason_of(error)})",
                remedy="check destinations in sansheng.toml",
            ) from error

    def handle(self, fact: Fact) -> None:
        """Act on what a leg noted."""
        leg, other = fact.leg.channel, _OTHER[fact.leg.channel]
        match fact.kind:
            case FactKind.PROGRESS if leg is Channel.AGENT:
                kind = EventKind.RINGING if fact.code == _RINGING else EventKind.PROGRESS
                self._event(leg, kind, fact.moment, code=fact.code)
                self._say(fact.code)
            case FactKind.ANSWERED if leg is Channel.AGENT and not self._answered:
                self._answer(fact)
            case FactKind.CONFIRMED:
                self.legs[leg].answered = True
                self._event(leg, EventKind.CONFIRMED, fact.moment)
            case FactKind.MEDIA:
                self._connect()
            case FactKind.BYE | FactKind.CANCEL:
                self._stop_at = fact.moment.monotonic_ms + _TAIL_MS
                self._event(leg, _EVENTS[fact.kind], fact.moment)
                self._ended = True
            case FactKind.HOLD | FactKind.RESUME | FactKind.DTMF:
                self._event(leg, _EVENTS[fact.kind], fact.moment)
            case FactKind.GONE:
                self._gone(fact, other)
            case FactKind.BROKEN:
                self.end(_FAILURE)

    def tick(self, now_ms: float) -> None:
        """Give up on what takes too long: ringing, a dead stream, a leg that does not end."""
        if self.done:
            return
        if self._stop_at is not None and now_ms >= self._stop_at:
            self._stop_recording()
        if self._close_at is not None:
            if now_ms >= self._close_at:
                self._close()
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
        for channel in self.legs:
            self._end(channel, 0 if self._answered else code)

    def _answer(self, fact: Fact) -> None:
        self._answered = True
        try:
            for channel in Channel:
                self._recorders[channel] = Recorder(self._folder / side_file(channel))
        except TapError as error:
            # The citizen's call goes on without a recording; the operator sees why.
            self._recorders.clear()
            log.error("not recorded", call_id=self._folder.name, error=str(error))
        self._event(Channel.AGENT, EventKind.ANSWERED, fact.moment, code=200)
        self._say(200)
        self._connect()

    def _say(self, code: int) -> None:
        caller = self.legs[Channel.CALLER]
        if not caller.alive:
            return
        try:
            caller.say(code)
        except SipLibraryError as error:
            log.error("caller's leg does not take an answer", code=code, error=reason_of(error))

    def _connect(self) -> None:
        """Join the two streams and the recorders: every re-INVITE makes the streams anew."""
        audio = {channel: leg.audio() for channel, leg in self.legs.items()}
        for channel, source in audio.items():
            if source is None:
                continue
            if (sink := audio.get(_OTHER[channel])) is not None:
                source.startTransmit(sink)
            if (recorder := self._recorders.get(channel)) is not None:
                recorder.hear(source)

    def _gone(self, fact: Fact, other: Channel) -> None:
        leg = fact.leg.channel
        if not self._ended:
            self._fail(leg, fact.code, fact.moment)
        code = fact.code if leg is Channel.AGENT and fact.code >= 400 else 0
        self._end(other, code if not self._answered else 0)
        if not any(each.alive for each in self.legs.values()):
            if self._stop_at is None or not self._recorders:
                self._close()
            else:
                self._close_at = self._stop_at
        elif self._close_at is None:
            self._close_at = fact.moment.monotonic_ms + _CLOSE_WAIT_MS

    def _fail(self, leg: Channel, code: int, moment: Moment | None = None) -> None:
        self._event(leg, EventKind.FAILED, moment or self._clock.now(), code=code)
        self._stop_recording()
        self._ended = True

    def _end(self, channel: Channel, code: int = 0) -> None:
        if (leg := self.legs.get(channel)) is not None:
            leg.end(code)
        if not any(each.alive for each in self.legs.values()):
            self._close_at = self._close_at or self._clock.now().monotonic_ms

    def _watch_rtp(self, now_ms: float) -> None:
        """A leg that sent RTP and has stopped for good is lost, unless somebody holds the call."""
        for channel, leg in self.legs.items():
            packets, since = self._rtp[channel]
            current = leg.packets()
            if current != packets or leg.held or self.legs[_OTHER[channel]].held:
                self._rtp[channel] = (current, now_ms)
            elif packets and now_ms - since >= self._settings.media_lost_s * 1000:
                self._event(channel, EventKind.MEDIA_LOST, self._clock.now())
                self._stop_recording()
                self._ended = True
                for each in self.legs:
                    self._end(each)
                return

    def _stop_recording(self) -> None:
        for recorder in self._recorders.values():
            recorder.close()
        self._recorders.clear()

    def _event(
        self,
        leg: Channel,
        kind: EventKind,
        moment: Moment,
        *,
        code: int | None = None,
        received: bool = True,
    ) -> None:
        """Journal an event; a journal that cannot be written does not end the citizen's call."""
        if self._journal is None:
            return
        if self.live is not None:
            self.live = self.live.after(kind, moment.at)
        try:
            self._journal.event(
                LegEvent(
                    at=moment.at,
                    monotonic_ms=moment.monotonic_ms,
                    leg=leg,
                    kind=kind,
                    code=code,
                    received=received,
                )
            )
        except TapError as error:
            log.error("not journalled", call_id=self._folder.name, error=str(error))

    def _close(self) -> None:
        if self.done:
            return
        self._stop_recording()
        now_ms = self._clock.now().monotonic_ms
        self._seal_until = self._seal_until or now_ms + SEAL_WAIT_MS
        sides = [self._folder / side_file(channel) for channel in Channel]
        if self._answered and now_ms < self._seal_until and not is_sealed(sides):
            self._close_at = now_ms
            return
        self.done = True
        if self._journal is not None:
            for leg in self.legs.values():
                if leg.quality is not None and self._answered:
                    try:
                        self._journal.quality(leg.quality)
                    except TapError as error:
                        log.error("not journalled", call_id=self._folder.name, error=str(error))
            self._event(Channel.CALLER, EventKind.CLOSED, self._clock.now(), received=False)
            self._journal.close()
        self._held.close()
