"""A SIPREC recording session (RFC 7866): the PBX sends both voices of a call as labelled streams.

The tap only listens, so nothing that it does can hurt the call. Each stream goes into a file of its
own; whose voice it is comes from the metadata by the operator's rule, as late as the hand-over.
What SIPREC does not say (when it rang, who hung up) stays unknown unless a signalling feed says it.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import structlog

from calls.call import Channel, EventKind, LegEvent, Mode, SideQuality
from calls.codec import write_bytes
from calls.errors import HandoverError, TapError
from calls.handover import Spool
from telephony.clock import Clock, Moment
from telephony.journal import Head, Journal, StreamFile
from telephony.leg import Fact, FactKind
from telephony.live import LiveCall
from telephony.pjsip import SipLibraryError, call_parameters, reason_of
from telephony.recorder import SEAL_WAIT_MS, Recorder, is_sealed
from telephony.siprec.leg import SiprecLeg, has_constant_buffer
from telephony.siprec.message import MediaLine
from telephony.siprec.metadata import Metadata, merge, read_metadata
from telephony.siprec.settings import SiprecSettings
from telephony.siprec.sides import UNKNOWN_SIDE, Sides, assign_sides

log = structlog.get_logger()

_CLOSE_WAIT_MS = 4000
_RTP_LOOK_MS = 1000
_NOT_ACCEPTABLE, _FAILURE = 488, 500
_OTHER = {Channel.CALLER: Channel.AGENT, Channel.AGENT: Channel.CALLER}


def metadata_file(number: int) -> str:
    """The name under which the metadata of the nth INVITE is kept whole, from 1 on."""
    return f"metadata-{number}.xml"


class SiprecSession:
    """One session under way. Owner thread only."""

    legs_needed = 1

    def __init__(
        self, leg: SiprecLeg, clock: Clock, settings: SiprecSettings, spool: Spool
    ) -> None:
        self.done = False
        self.live: LiveCall | None = None
        self._leg = leg
        self._clock = clock
        self._settings = settings
        self._spool = spool
        self._depth_ms = settings.jitter_buffer_ms if has_constant_buffer() else 0
        self._held = ExitStack()
        self._folder = Path()
        self._journal: Journal | None = None
        self._head: Head | None = None
        self._metadata = Metadata()
        self._told = 0
        self._sides = Sides()
        self._recorders: dict[str, Recorder] = {}
        self._streams: dict[str, StreamFile] = {}
        self._paused: set[str] = set()
        self._started_ms: float | None = None
        self._ended = False
        self._close_at: float | None = None
        self._seal_until: float | None = None
        self._rtp = (0, 0.0)
        self._rtp_look_at = 0.0

    def start(self, call_id: str, pbx_call_id: str, arrived: Moment) -> None:
        """Open the journal, keep the metadata, and answer.

        Errors: TapError or HandoverError when the journal cannot be begun.
        """
        self._folder = self._held.enter_context(self._spool.begin_held(call_id))
        self._head = Head(
            call_id=call_id,
            mode=Mode.SIPREC,
            caller="",
            called="",
            agent="",
            invited_at=arrived.at,
            pbx_call_id=pbx_call_id,
        )
        self._journal = Journal(self._folder, self._head)
        self.live = LiveCall(call_id=call_id, agent="", state="talking", since=arrived.at)
        self._event(EventKind.INVITE, arrived)
        if not 0 < len(self._wanted()) <= self._settings.max_streams:
            log.warning("session refused", streams=len(self._wanted()))
            self.end(_NOT_ACCEPTABLE)
            return
        self._leg.jitter_buffer_ms = self._depth_ms
        self._leg.most_streams = self._settings.max_streams
        self._learn()
        try:
            self._leg.answer(call_parameters(200, audio_count=len(self._leg.lines)))
        except SipLibraryError as error:
            log.error("session not answered", reason=reason_of(error))
            self.end(_NOT_ACCEPTABLE)

    def handle(self, fact: Fact) -> None:
        """Act on what the leg noted. A hold is read from the offer's lines, not from the leg."""
        match fact.kind:
            case FactKind.ANSWERED:
                self._begin(fact)
            case FactKind.CONFIRMED:
                self._event(EventKind.CONFIRMED, fact.moment)
            case FactKind.MEDIA:
                self._connect(fact.moment)
            case FactKind.UPDATED:
                self._update(fact)
            case FactKind.BYE | FactKind.CANCEL:
                self._ended = True
                kind = EventKind.BYE if fact.kind is FactKind.BYE else EventKind.CANCEL
                self._event(kind, fact.moment)
            case FactKind.GONE | FactKind.GIVEN_UP:
                if not self._ended:
                    self._fail(fact.code, fact.moment)
                # The jitter buffer still holds what was said just before the BYE.
                self._close_at = fact.moment.monotonic_ms + self._depth_ms
            case FactKind.BROKEN:
                self.end(_FAILURE)
            case _:
                pass

    def tick(self, now_ms: float) -> None:
        """Close when the end is over; give up on a client that is gone without a word."""
        if self.done:
            return
        if self._close_at is not None:
            if now_ms >= self._close_at:
                self._close()
        elif self._started_ms is not None and now_ms >= self._rtp_look_at:
            self._rtp_look_at = now_ms + _RTP_LOOK_MS
            packets = self._leg.packets()
            if packets != self._rtp[0]:
                self._rtp = (packets, now_ms)
            elif now_ms - max(self._rtp[1], self._started_ms) >= self._settings.media_lost_s * 1000:
                self._event(EventKind.MEDIA_LOST, self._clock.now())
                self._ended = True
                self.end(0)

    def end(self, code: int) -> None:
        """End the session from the tap's side."""
        if not self._ended:
            self._fail(code, self._clock.now())
        self._leg.end(0 if self._started_ms is not None else code)
        if self._close_at is None:
            wait = _CLOSE_WAIT_MS if self._leg.alive else 0
            self._close_at = self._clock.now().monotonic_ms + wait

    def _begin(self, fact: Fact) -> None:
        if self._started_ms is None:
            self._started_ms = fact.moment.monotonic_ms
            self._event(EventKind.ANSWERED, fact.moment, leg=Channel.AGENT, code=200)
            self._connect(fact.moment)

    def _connect(self, moment: Moment) -> None:
        """Have every stream recorded: each re-INVITE makes the streams anew."""
        if self._started_ms is None:
            return
        streams = self._leg.streams()
        fresh = [line.label for line in self._wanted() if line.label not in self._recorders]
        for label in fresh:
            try:
                self._record(label, moment)
            except TapError as error:
                log.error("stream not recorded", call_id=self._folder.name, error=str(error))
        for label, audio in streams.items():
            if (recorder := self._recorders.get(label)) is not None:
                recorder.hear(audio)
        if fresh:
            self._note_streams()

    def _record(self, label: str, moment: Moment) -> None:
        assert self._started_ms is not None
        file = f"stream-{len(self._streams) + 1}.wav"
        self._recorders[label] = Recorder(self._folder / file)
        self._streams[label] = StreamFile(
            file=file,
            label=label,
            side=None,
            start_ms=round(moment.monotonic_ms - self._started_ms) if self._streams else 0,
            lag_ms=self._depth_ms,
        )

    def _update(self, fact: Fact) -> None:
        """A re-INVITE: new metadata, and streams that were paused or go on (RFC 7866 7.1.1.1)."""
        self._learn()
        self._note_streams()
        paused = {line.label for line in self._wanted() if line.direction == "inactive"}
        for label in sorted(paused ^ self._paused):
            kind = EventKind.HOLD if label in paused else EventKind.RESUME
            # The held side's stream falls silent, so the other one holds; with all of them paused
            # nobody can say.
            side = self._sides.by_label.get(label)
            alone = len(paused | self._paused) < len(self._wanted())
            if side is not None and alone:
                self._event(kind, fact.moment, leg=_OTHER[side])
            else:
                self._event(kind, fact.moment, detail=UNKNOWN_SIDE)
        self._paused = paused

    def _wanted(self) -> list[MediaLine]:
        return [line for line in self._leg.lines if line.wanted]

    def _learn(self) -> None:
        """Take the metadata of the last INVITE in: keep it whole, and say whose streams are."""
        raw = self._leg.request.metadata
        if raw is not None:
            self._told += 1
            try:
                write_bytes(self._folder / metadata_file(self._told), raw)
                update = read_metadata(raw)
                self._metadata = merge(self._metadata, update)
                self._event(EventKind.METADATA, self._clock.now())
            except (TapError, HandoverError) as error:
                log.warning("metadata not read", call_id=self._folder.name, error=error.message)
        labels = [line.label for line in self._wanted()]
        self._sides = assign_sides(self._metadata, [*self._streams, *labels], self._settings)
        if self._head is None or self._journal is None:
            return
        agents = self._sides.agents
        head = replace(
            self._head,
            caller=self._sides.caller,
            agent=agents[0] if agents else "",
            called=self._head.called or (agents[0] if agents else ""),
            transfers=agents[1:],
            call_ids=tuple(dict.fromkeys((*self._metadata.call_ids, *self._header_ids()))),
        )
        if head != self._head:
            self._head = head
            self._write(lambda journal: journal.head(head))

    def _header_ids(self) -> list[str]:
        """The call's ids in the headers that the operator named."""
        values = (self._leg.request.headers.get(n.lower(), "") for n in self._settings.id_headers)
        return [word for value in values if (word := value.split(";")[0].strip())]

    def _note_streams(self) -> None:
        streams = tuple(
            replace(stream, side=self._sides.by_label.get(label))
            for label, stream in self._streams.items()
        )
        self._write(lambda journal: journal.streams(streams))

    def _fail(self, code: int, moment: Moment) -> None:
        self._event(EventKind.FAILED, moment, code=code)
        self._ended = True

    def _event(
        self,
        kind: EventKind,
        moment: Moment,
        *,
        leg: Channel = Channel.CALLER,
        code: int | None = None,
        detail: str = "",
    ) -> None:
        self._write(
            lambda journal: journal.event(
                LegEvent(
                    at=moment.at,
                    monotonic_ms=moment.monotonic_ms,
                    leg=leg,
                    kind=kind,
                    code=code,
                    detail=detail,
                    received=kind not in (EventKind.ANSWERED, EventKind.CLOSED),
                )
            )
        )

    def _write(self, act: Callable[[Journal], None]) -> None:
        """Write to the journal; one that cannot be written ends no recording."""
        if self._journal is None:
            return
        try:
            act(self._journal)
        except TapError as error:
            log.error("not journalled", call_id=self._folder.name, error=str(error))

    def _close(self) -> None:
        for recorder in self._recorders.values():
            recorder.close()
        self._recorders.clear()
        now_ms = self._clock.now().monotonic_ms
        self._seal_until = self._seal_until or now_ms + SEAL_WAIT_MS
        files = [self._folder / stream.file for stream in self._streams.values()]
        if now_ms < self._seal_until and not is_sealed(files):
            self._close_at = now_ms
            return
        self.done = True
        for label, quality in self._leg.qualities.items():
            side = self._sides.by_label.get(label)
            if side is not None:
                self._write(partial(_tell_quality, replace(quality, channel=side)))
        self._event(EventKind.CLOSED, self._clock.now())
        if self._journal is not None:
            self._journal.close()
        self._held.close()


def _tell_quality(quality: SideQuality, journal: Journal) -> None:
    journal.quality(quality)
