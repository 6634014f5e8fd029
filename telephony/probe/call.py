"""One probe call: ``python -m telephony.probe.call``, started by ``telephony.probe.round``.

Its orders come as one JSON line on stdin; it tells each turn, and at the end the call's record, as
a JSON line on stdout. The end of stdin hangs up and files what there is.
"""

import gc
import select
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import structlog

from calls.call import Channel, EventKind, Mode
from calls.errors import SanshengError, TapError
from calls.handover import Spool, Stage
from telephony.clock import Clock, Moment
from telephony.journal import Head, read_journal
from telephony.leg import Fact, FactKind, Leg
from telephony.library import (
    listen_for_media,
    open_library,
    start_library,
    transport_config,
)
from telephony.pjsip import SipLibraryError, call_parameters, pj, reason_of
from telephony.probe.settings import ProbeSettings
from telephony.probe.turns import Turn, Turns
from telephony.record import Record
from telephony.story import call_of
from telephony.talk import Talk

_STEP_MS = 5
_LOUD = 2
"""Signal level (0–255, of full scale) from which the other side is heard: some −42 dBFS."""
_TAIL_MS = 40
_GONE_WAIT_MS = 4000
_RINGING, _FAILURE = 180, 500
_CODECS = {"PCMA/8000/1": 255, "PCMU/8000/1": 254}


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """What to call, as whom, and what to say."""

    settings: dict[str, Any]
    spool: str
    call_id: str
    target: str
    called: str
    agent: str
    question: str = ""
    """WAV at 8 kHz; empty: say nothing."""
    goodbye: str = ""
    password: str = ""


class Player(pj.AudioMediaPlayer):  # type: ignore[misc]
    """Plays a WAV once."""

    ended = False

    def onEof2(self) -> None:  # noqa: N802
        """Note the end."""
        self.ended = True


class ProbeCall:
    """The library, one leg, and its record. Owner thread only."""

    def __init__(self, orders: Orders, talk: Talk) -> None:
        self._orders = orders
        self._talk = talk
        self._settings = ProbeSettings.model_validate(orders.settings)
        self._clock = Clock()
        self._facts: deque[Fact] = deque()
        self._spool = Spool(Path(orders.spool))
        self._record = Record(self._spool)
        self._turns = Turns(self._settings, bool(orders.question), bool(orders.goodbye))
        self._player: Player | None = None
        self._account: Any = None
        self._leg: Leg | None = None
        self._ended = self._answered = False
        self._stop_at: float | None = None
        self._ring_until = self._gone_by = float("inf")
        self._library = open_library()
        try:
            self._start()
        except SipLibraryError as error:
            self._library.libDestroy()
            raise TapError(
                f"cannot call from {self._settings.host}:{self._settings.port}"
                f" ({reason_of(error)})",
                remedy="change [telephony.probe] host or port",
            ) from error

    def run(self, stop: Callable[[], bool]) -> None:
        """Place the call and follow it to its end."""
        arrived = self._clock.now()
        self._record.open(self._head(arrived), arrived)
        self._event(EventKind.INVITE, arrived, leg=Channel.CALLER)
        self._event(EventKind.INVITE, self._clock.now(), received=False)
        self._ring_until = arrived.monotonic_ms + self._settings.ring_s * 1000
        self._leg = leg = Leg(self._account, Channel.AGENT, self._clock, self._facts)
        try:
            leg.ring(self._orders.target, call_parameters())
        except SipLibraryError:
            self._end(EventKind.FAILED, code=_FAILURE)
        while not self._is_over():
            self._library.libHandleEvents(_STEP_MS)
            while self._facts:
                self._handle(self._facts.popleft())
            self._tick(self._clock.now().monotonic_ms)
            if stop():
                self._hang_up()
        folder = self._spool.folder(Stage.LIVE, self._orders.call_id)
        self._talk.say({"call": msgspec.to_builtins(call_of(read_journal(folder), None))})
        heard = [leg.quality] if self._answered and leg.quality is not None else []
        self._record.close(heard, self._clock.now())

    def close(self) -> None:
        """Free everything on this thread, then the library."""
        self._player = None
        self._leg = None
        self._facts.clear()
        if self._account is not None:
            self._account.shutdown()
        self._account = None
        gc.collect()
        self._library.libDestroy()

    def _head(self, arrived: Moment) -> Head:
        orders = self._orders
        return Head(
            call_id=orders.call_id,
            mode=Mode.PROBE,
            caller=self._settings.number,
            called=orders.called,
            agent=orders.agent or orders.called,
            invited_at=arrived.at,
            source="probe",
        )

    def _handle(self, fact: Fact) -> None:
        match fact.kind:
            case FactKind.PROGRESS:
                kind = EventKind.RINGING if fact.code == _RINGING else EventKind.PROGRESS
                self._event(kind, fact.moment, code=fact.code)
                self._talk.say({"event": "ringing"})
            case FactKind.ANSWERED if not self._answered:
                self._answered = True
                self._record.start()
                self._event(EventKind.ANSWERED, fact.moment, code=fact.code)
                self._talk.say({"event": "answered"})
                self._connect()
            case FactKind.CONFIRMED:
                fact.leg.answered = True
                self._event(EventKind.CONFIRMED, fact.moment)
            case FactKind.MEDIA:
                self._connect()
            case FactKind.HOLD | FactKind.RESUME:
                kind = EventKind.HOLD if fact.kind is FactKind.HOLD else EventKind.RESUME
                self._event(kind, fact.moment)
            case FactKind.BYE:
                self._end(EventKind.BYE, fact.moment)
            case FactKind.GONE if not self._ended:
                self._end(EventKind.FAILED, fact.moment, code=fact.code)
            case FactKind.BROKEN:
                self._hang_up()
            case _:
                pass

    def _tick(self, now_ms: float) -> None:
        if self._stop_at is not None and now_ms >= self._stop_at:
            self._record.stop()
        if self._ended:
            return
        if not self._answered:
            if now_ms >= self._ring_until:
                self._hang_up()
            return
        audio = self._audio()
        if audio is None:
            return
        before = self._turns.turn
        played = self._player is None or self._player.ended
        # What the stream transmits into the conference bridge, that is what the other side says.
        turn = self._turns.step(now_ms, hears=audio.getTxLevel() >= _LOUD, played=played)
        if turn is not before:
            self._talk.say({"event": turn.value})
            self._take(turn)

    def _take(self, turn: Turn) -> None:
        match turn:
            case Turn.ASKING:
                self._play(self._orders.question)
            case Turn.PARTING:
                self._play(self._orders.goodbye)
            case Turn.DONE:
                self._hang_up()
            case _:
                pass

    def _play(self, path: str) -> None:
        self._player = Player()
        self._player.createPlayer(path, pj.PJMEDIA_FILE_NO_LOOP)
        self._record.hear(Channel.CALLER, self._player)
        self._connect()

    def _connect(self) -> None:
        """Join the streams, the player and the recorders: each re-INVITE makes the streams anew."""
        audio = self._audio()
        if audio is None or not self._answered:
            return
        self._record.hear(Channel.AGENT, audio)
        if self._player is not None:
            self._player.startTransmit(audio)

    def _audio(self) -> Any | None:
        return self._leg.audio() if self._leg is not None else None

    def _hang_up(self) -> None:
        """End the call as the citizen that we are."""
        if not self._ended:
            self._end(EventKind.BYE if self._answered else EventKind.CANCEL, by=Channel.CALLER)
            assert self._leg is not None
            self._leg.end()

    def _end(
        self,
        kind: EventKind,
        moment: Moment | None = None,
        *,
        by: Channel = Channel.AGENT,
        code: int | None = None,
    ) -> None:
        now = moment or self._clock.now()
        self._event(kind, now, leg=by, code=code)
        self._ended = True
        self._stop_at = now.monotonic_ms + _TAIL_MS
        self._gone_by = now.monotonic_ms + _GONE_WAIT_MS

    def _is_over(self) -> bool:
        if not self._ended or self._stop_at is None:
            return False
        now_ms = self._clock.now().monotonic_ms
        gone = (self._leg is None or not self._leg.alive) or now_ms >= self._gone_by
        return gone and now_ms >= self._stop_at and self._is_kept(now_ms)

    def _is_kept(self, now_ms: float) -> bool:
        self._record.stop()
        return self._record.is_sealed(now_ms)

    def _event(
        self,
        kind: EventKind,
        moment: Moment,
        *,
        leg: Channel = Channel.AGENT,
        code: int | None = None,
        received: bool = True,
    ) -> None:
        self._record.event(leg, kind, moment, code=code, received=received)

    def _start(self) -> None:
        settings = self._settings
        transport = transport_config(settings.host, settings.port, settings.public_address)
        for kind in (pj.PJSIP_TRANSPORT_UDP, pj.PJSIP_TRANSPORT_TCP):
            self._library.transportCreate(kind, transport)
        start_library(self._library, _CODECS)
        account = pj.AccountConfig()
        host = settings.public_address or settings.host
        account.idUri = f"sip:{settings.number}@{host}:{settings.port}"
        if self._orders.password:
            user = settings.user or settings.number
            account.sipConfig.authCreds.append(
                pj.AuthCredInfo("digest", "*", user, 0, self._orders.password)
            )
        listen_for_media(account, settings.host, settings.rtp_port, 40, settings.public_address)
        self._account = pj.Account()
        self._account.create(account)


def main() -> int:
    """Place one call by the orders on stdin."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    orders = msgspec.json.decode(sys.stdin.buffer.readline(), type=Orders)
    talk = Talk()
    try:
        call = ProbeCall(orders, talk)
        call.run(_is_stdin_over)
        call.close()
    except SanshengError as error:
        talk.say({"failed": error.message, "remedy": error.remedy})
        return 1
    return 0


def _is_stdin_over() -> bool:
    """Whether whoever gave the orders has closed them, or is gone: nothing else comes there."""
    return bool(select.select([sys.stdin], [], [], 0)[0])


if __name__ == "__main__":
    sys.exit(main())
