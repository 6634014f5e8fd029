"""One leg of a call: a pjsua2 call that only notes what happens to it.

pjsua2 calls back from inside its event loop, where a Python exception would be lost and a wrong
call would deadlock. So a callback reads the clock, notes a fact and returns; ``bridge`` acts on
the facts after the loop has come back.
"""

import contextlib
import functools
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, TypeVar

import structlog

from calls.call import Channel, SideQuality
from telephony.clock import Clock, Moment
from telephony.pjsip import SipLibraryError, call_parameters, pj
from telephony.silence import Signs
from telephony.sip_text import holds, user_of

log = structlog.get_logger()

L = TypeVar("L", bound="Leg")
_PROVISIONAL = range(180, 190)


class FactKind(Enum):
    """What a leg noted."""

    PROGRESS = auto()
    ANSWERED = auto()
    CONFIRMED = auto()
    GIVEN_UP = auto()
    """The library ends the leg by itself: no refresh (RFC 4028), no ACK. GONE follows in 32 s."""
    GONE = auto()
    MEDIA = auto()
    BYE = auto()
    CANCEL = auto()
    HOLD = auto()
    RESUME = auto()
    DTMF = auto()
    UPDATED = auto()
    """A SIPREC client's re-INVITE: other streams, other directions, or new metadata."""
    REFER = auto()
    """The peer asked to be replaced; the call has said yes."""
    REPLACED = auto()
    """Another dialog takes its place (RFC 3891): ``Leg.successor``, whose user is in detail."""
    BROKEN = auto()
    """A callback failed: the leg cannot be trusted any more."""


_FORBIDDEN, _TIMEOUT = 403, 408
_KEYS = frozenset("0123456789*#ABCD")
_JUST_RECEIVED = (pj.PJSIP_TSX_STATE_TRYING, pj.PJSIP_TSX_STATE_COMPLETED)
"""States of a server transaction at its request: a CANCEL is answered by the library at once."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened to a leg, when, and the SIP code that came with it."""

    leg: "Leg"
    kind: FactKind
    moment: Moment
    code: int = 0
    detail: str = ""


def address_of(rdata: Any) -> str:
    """The IP address that a received message came from."""
    return str(rdata.srcAddress).rsplit(":", 1)[0].strip("[]")


def guarded(callback: Callable[[L, Any], None]) -> Callable[[L, Any], None]:
    """A callback whose failure ends the call with a log line instead of vanishing in C code."""

    @functools.wraps(callback)
    def wrapped(leg: L, prm: Any) -> None:
        try:
            callback(leg, prm)
        except Exception as error:  # noqa: BLE001 (nothing may pass through the C library)
            log.error("callback failed", callback=callback.__name__, error=type(error).__name__)
            leg.note(FactKind.BROKEN)

    return wrapped


class Leg(pj.Call):  # type: ignore[misc]
    """A pjsua2 call on one side of a bridged call. Owner thread only."""

    def __init__(
        self,
        account: Any,
        channel: Channel,
        clock: Clock,
        facts: "deque[Fact]",
        call_index: int = -1,
    ) -> None:
        super().__init__(account, call_index)
        self.channel = channel
        self.alive = True
        self.session: Any = None
        """The call that this leg belongs to, once there is one."""
        self.account = account
        self.peer = ""
        """The IP address that the leg's first message came from."""
        self.sip_call_id = ""
        """Its SIP Call-ID, of a leg that the tap calls."""
        self.follows_redirect = False
        self.successor: Leg | None = None
        self._asker = ""
        self._told_to_end = False
        self._is_calling = False
        self.answered = False
        self.quality: SideQuality | None = None
        self._clock = clock
        self.facts = facts
        self.held = False
        self.both_ways = False
        """Whether the last offer and answer let audio through in both directions."""

    def note(self, kind: FactKind, code: int = 0, detail: str = "") -> None:
        """Queue a fact at this instant."""
        self.facts.append(Fact(self, kind, self._clock.now(), code, detail))

    @guarded
    def onCallState(self, prm: Any) -> None:  # noqa: N802
        """180, 183, 200, the ACK and the end."""
        del prm
        moment = self._clock.now()
        info = self.getInfo()
        code = info.lastStatusCode
        if info.state == pj.PJSIP_INV_STATE_CALLING:
            self.sip_call_id = info.callIdString
        kind = {
            pj.PJSIP_INV_STATE_EARLY: FactKind.PROGRESS,
            pj.PJSIP_INV_STATE_CONNECTING: FactKind.ANSWERED,
            pj.PJSIP_INV_STATE_CONFIRMED: FactKind.CONFIRMED,
            pj.PJSIP_INV_STATE_DISCONNECTED: FactKind.GONE,
        }.get(info.state)
        if kind is FactKind.PROGRESS and code not in _PROVISIONAL:
            return
        if kind is not None:
            self.facts.append(Fact(self, kind, moment, code))
        if kind is FactKind.GONE:
            self._let_go()

    @guarded
    def onCallMediaState(self, prm: Any) -> None:  # noqa: N802
        """The streams were made anew: at the answer, and after every re-INVITE."""
        del prm
        self._learn_directions()
        self.note(FactKind.MEDIA)

    @guarded
    def onCallTsxState(self, prm: Any) -> None:  # noqa: N802
        """A BYE, CANCEL or re-INVITE from the peer, and a BYE that the library sends unasked."""
        transaction = prm.e.body.tsxState
        tsx = transaction.tsx
        if transaction.type != pj.PJSIP_EVENT_RX_MSG:
            ours = tsx.method == "BYE" and tsx.role == pj.PJSIP_ROLE_UAC
            if ours and tsx.state == pj.PJSIP_TSX_STATE_CALLING and not self._told_to_end:
                self.note(FactKind.GIVEN_UP, _TIMEOUT)
            return
        source = address_of(transaction.src.rdata)
        self.peer = self.peer or source
        if tsx.method == "REFER":
            self._asker = source
        if tsx.role != pj.PJSIP_ROLE_UAS or tsx.state not in _JUST_RECEIVED:
            return
        if tsx.method == "BYE":
            self.note(FactKind.BYE)
        elif tsx.method == "CANCEL" and self.getInfo().state != pj.PJSIP_INV_STATE_CONFIRMED:
            self.note(FactKind.CANCEL)
        elif tsx.method == "INVITE" and self.answered:
            held = holds(transaction.src.rdata.wholeMsg)
            if held is not None and held != self.held:
                self.held = held
                self.note(FactKind.HOLD if held else FactKind.RESUME)

    @guarded
    def onCallTransferRequest(self, prm: Any) -> None:  # noqa: N802
        """A REFER from the peer: the call decides at once, for the library calls the target."""
        prm.statusCode = _FORBIDDEN
        if self.session is None or self._asker != self.peer:
            return
        prm.statusCode, leg = self.session.transfer(self, prm.dstUri)
        if leg is not None:
            parameters = call_parameters()
            prm.newCall, prm.opt = leg, parameters.opt
            self.note(FactKind.REFER)

    def onCallRedirected(self, prm: Any) -> int:  # noqa: N802
        """A 3xx: followed only where it is the tap's own, on the way to a transfer's target."""
        del prm
        stop, follow = pj.PJSIP_REDIRECT_STOP, pj.PJSIP_REDIRECT_ACCEPT_REPLACE
        return int(follow if self.follows_redirect else stop)

    @guarded
    def onCallReplaceRequest(self, prm: Any) -> None:  # noqa: N802
        """An INVITE that is to take this leg's place: only from where a call would be let in."""
        prm.statusCode = _FORBIDDEN
        if self.session is not None:
            parameters = call_parameters()
            prm.statusCode, prm.opt = self.session.may_replace(self, prm.rdata), parameters.opt

    @guarded
    def onCallReplaced(self, prm: Any) -> None:  # noqa: N802
        """It has taken this leg's place."""
        leg = Leg(self.account, self.channel, self._clock, self.facts, prm.newCallId)
        leg.session, leg.peer = self.session, self.peer
        leg._learn_directions()
        self.successor = prm.newCall = leg
        self.note(FactKind.REPLACED, detail=user_of(leg.getInfo().remoteUri))

    @guarded
    def onDtmfDigit(self, prm: Any) -> None:  # noqa: N802
        """A key of the peer's telephone (RFC 4733); which, only the other leg's peer is told."""
        self.note(FactKind.DTMF, detail=prm.digit)

    @guarded
    def onStreamDestroyed(self, prm: Any) -> None:  # noqa: N802
        """The last moment at which a stream can be asked how it went."""
        try:
            statistics = self.getStreamStat(prm.streamIdx)
            codec = self.getStreamInfo(prm.streamIdx).codecName
        except SipLibraryError:
            return
        received, buffer = statistics.rtcp.rxStat, statistics.jbuf
        before = self.quality or SideQuality(channel=self.channel)
        self.quality = SideQuality(
            channel=self.channel,
            packets=before.packets + received.pkt,
            lost=before.lost + received.loss,
            reordered=before.reordered + received.reorder,
            discarded=before.discarded + buffer.discard,
            jitter_ms=received.jitterUsec.mean / 1000,
            rtt_ms=statistics.rtcp.rttUsec.mean / 1000 or None,
            codec=codec,
        )

    def audio(self) -> Any | None:
        """The leg's audio in the bridge, or None while it has none."""
        if not self.alive:
            return None
        info = self.getInfo()
        for index in range(len(info.media)):
            media = info.media[index]
            # With both directions closed (inactive) there is a status, but no stream.
            if (
                media.type == pj.PJMEDIA_TYPE_AUDIO
                and media.dir != pj.PJMEDIA_DIR_NONE
                and media.status in (pj.PJSUA_CALL_MEDIA_ACTIVE, pj.PJSUA_CALL_MEDIA_REMOTE_HOLD)
            ):
                return self.getAudioMedia(index)
        return None

    def _learn_directions(self) -> None:
        info = self.getInfo()
        self.both_ways = any(
            info.media[index].dir == pj.PJMEDIA_DIR_ENCODING_DECODING
            for index in range(len(info.media))
        )

    def signs(self) -> Signs:
        """What the present stream has received so far."""
        if not self.alive:
            return Signs()
        try:
            rtcp = self.getStreamStat(0).rtcp
        except SipLibraryError:
            return Signs()
        # What the peer reports on our stream stands with what we sent.
        return Signs(int(rtcp.rxStat.pkt), int(rtcp.txStat.updateCount))

    def ring(self, uri: str, parameters: Any) -> None:
        """Call a peer. Errors: SipLibraryError; the leg is then at its end."""
        self._is_calling = True
        try:
            self.makeCall(uri, parameters)
        except SipLibraryError:
            self.alive = False
            raise
        finally:
            self._is_calling = False
            if not self.alive:
                self._let_go()

    def say(self, code: int, headers: Iterable[tuple[str, str]] = ()) -> None:
        """Answer the peer's INVITE with a status code; a peer that has gone is told nothing."""
        if not self.alive:
            return
        parameters = call_parameters(code)
        for name, value in headers:
            header = pj.SipHeader()
            header.hName, header.hValue = name, value
            parameters.txOption.headers.append(header)
        self.answer(parameters)

    def press(self, key: str) -> None:
        """Send the peer a key (RFC 4733); a leg that has no stream sends none."""
        if self.alive and key in _KEYS:
            with contextlib.suppress(SipLibraryError):
                self.dialDtmf(key)

    def end(self, code: int = 0) -> None:
        """Hang up, cancel or refuse, whatever the leg's state asks for."""
        if not self.alive:
            return
        self._told_to_end = True
        try:
            self.hangup(call_parameters(code))
        except SipLibraryError:
            # The library knows the call no more, and no callback will say so.
            if self.alive:
                self.note(FactKind.GONE, code)
                self._let_go()

    def _let_go(self) -> None:
        """Free pjsua2's object of a call that is over, while the call's number is still its own.

        The library gives the number to a later call, and the object's destructor hangs up whatever
        call has its number then. After this the leg must not be asked anything. While the library
        is placing the call it still writes into the object.
        """
        self.alive = False
        if not self._is_calling and hasattr(self, "this"):
            del self.this
