"""What is kept of a bridged call while it goes on: its journal, each side's file, its live entry.

A journal or a recorder that cannot be written ends no citizen's call: the call goes on, the
operator sees why in the log, and the record shows what is missing.
"""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog

from calls.call import Channel, EventKind, LegEvent, SideQuality
from calls.errors import TapError
from calls.handover import Spool
from telephony.clock import Moment
from telephony.journal import Head, Journal
from telephony.live import LiveCall
from telephony.recorder import SEAL_WAIT_MS, Recorder, is_sealed
from telephony.sides import side_file

log = structlog.get_logger()


class Record:
    """One call's folder in the spool, held until it is closed. Owner thread only."""

    def __init__(self, spool: Spool) -> None:
        self.live: LiveCall | None = None
        self._spool = spool
        self._held = ExitStack()
        self._folder = Path()
        self._head: Head | None = None
        self._journal: Journal | None = None
        self._recorders: dict[Channel, Recorder] = {}
        self._was_recorded = False
        self._seal_until: float | None = None

    @property
    def is_recording(self) -> bool:
        """Whether the sides are being written."""
        return bool(self._recorders)

    def open(self, head: Head, arrived: Moment) -> None:
        """Make the folder and begin the journal.

        Errors: HandoverError or TapError when the disk does not let us.
        """
        self._folder = self._held.enter_context(self._spool.begin_held(head.call_id))
        self._journal = Journal(self._folder, head)
        self._head = head
        self.live = LiveCall(
            call_id=head.call_id, agent=head.agent, state="ringing", since=arrived.at
        )

    def event(
        self,
        leg: Channel,
        kind: EventKind,
        moment: Moment,
        *,
        code: int | None = None,
        detail: str = "",
        received: bool = True,
    ) -> None:
        """Journal an event."""
        if self._journal is None:
            return
        if self.live is not None:
            self.live = self.live.after(kind, moment.at)
        event = LegEvent(
            at=moment.at,
            monotonic_ms=moment.monotonic_ms,
            leg=leg,
            kind=kind,
            code=code,
            detail=detail,
            received=received,
        )
        try:
            self._journal.event(event)
        except TapError as error:
            log.error("not journalled", call_id=self._folder.name, error=str(error))

    def transferred(self, agent: str, moment: Moment) -> None:
        """The call is another agent's from now on."""
        if self._head is None or self._journal is None:
            return
        self._head = replace(self._head, transfers=(*self._head.transfers, agent))
        if self.live is not None:
            self.live = replace(self.live, agent=agent, state="talking", since=moment.at)
        try:
            self._journal.head(self._head)
        except TapError as error:
            log.error("not journalled", call_id=self._folder.name, error=str(error))

    def mute(self, channel: Channel | None) -> None:
        """Show on the live entry whether a side has not been heard, and log the first time."""
        if self.live is None or self.live.mute == (channel is not None):
            return
        self.live = replace(self.live, mute=channel is not None)
        if channel is not None:
            log.warning("no RTP since the answer", call_id=self.live.call_id, leg=channel.value)

    def start(self) -> None:
        """Write both sides from now on."""
        self._was_recorded = True
        try:
            for channel in Channel:
                self._recorders[channel] = Recorder(self._folder / side_file(channel))
        except TapError as error:
            self._recorders.clear()
            log.error("not recorded", call_id=self._folder.name, error=str(error))

    def hear(self, channel: Channel, audio: Any) -> None:
        """Write an audio media on a side."""
        if (recorder := self._recorders.get(channel)) is not None:
            recorder.hear(audio)

    def ignore(self, channel: Channel, audio: Any) -> None:
        """Write it no longer."""
        if (recorder := self._recorders.get(channel)) is not None:
            recorder.ignore(audio)

    def stop(self) -> None:
        """End the sides' files."""
        for recorder in self._recorders.values():
            recorder.close()
        self._recorders.clear()

    def is_sealed(self, now_ms: float) -> bool:
        """Whether the library has ended the files, or has had all the time it gets for it."""
        self._seal_until = self._seal_until or now_ms + SEAL_WAIT_MS
        sides = [self._folder / side_file(channel) for channel in Channel]
        return not self._was_recorded or now_ms >= self._seal_until or is_sealed(sides)

    def close(self, qualities: list[SideQuality], moment: Moment) -> None:
        """Write the last lines and let go of the folder: the call can be finished."""
        if self._journal is not None:
            try:
                for quality in qualities:
                    self._journal.quality(quality)
            except TapError as error:
                log.error("not journalled", call_id=self._folder.name, error=str(error))
            self.event(Channel.CALLER, EventKind.CLOSED, moment, received=False)
            self._journal.close()
        self._held.close()
