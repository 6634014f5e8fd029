"""What the signalling knows of one call: who, when, how it ended, and where its recording is.

Wall-clock times are aware UTC datetimes. Times inside a call are integer milliseconds from the
start of the recording, and 0 ms is the answer (the agent leg's 200 OK, RFC 3261 13.2.2.4).
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

Utc = Annotated[datetime, Meta(tz=True)]
Ms = Annotated[int, Meta(ge=0)]


class Channel(StrEnum):
    """A side of the call; in a recording the caller is left and the agent right."""

    CALLER = "caller"
    AGENT = "agent"


class Mode(StrEnum):
    """How the call reached Sansheng."""

    BRIDGE = "bridge"
    SIPREC = "siprec"
    PROBE = "probe"
    IMPORT = "import"


class EndedBy(StrEnum):
    """The side that ended the call; ``UNKNOWN`` where the signalling does not say."""

    AGENT = "agent"
    CALLER = "caller"
    NETWORK = "network"
    UNKNOWN = "unknown"


class EndReason(StrEnum):
    """What ended the call."""

    BYE = "bye"
    CANCEL = "cancel"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    REJECTED = "rejected"
    LOST = "lost"


class Signalling(StrEnum):
    """Where the ring and hang-up times come from; ``NONE`` makes the rules on them ``na``."""

    OBSERVED = "observed"
    FEED = "feed"
    NONE = "none"


class EventKind(StrEnum):
    """A moment of a leg, named as in SIP."""

    INVITE = "invite"
    TRYING = "trying"
    RINGING = "ringing"
    PROGRESS = "progress"
    ANSWERED = "answered"
    CONFIRMED = "confirmed"
    MEDIA = "media"
    HOLD = "hold"
    RESUME = "resume"
    REFER = "refer"
    REPLACED = "replaced"
    DTMF = "dtmf"
    CANCEL = "cancel"
    BYE = "bye"
    FAILED = "failed"
    MEDIA_LOST = "media_lost"
    METADATA = "metadata"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class LegEvent:
    """One event of one leg, on the wall clock and on the tap's monotonic clock."""

    at: Utc
    monotonic_ms: float
    """Milliseconds of the tap's monotonic clock; only differences mean anything."""
    leg: Channel
    kind: EventKind
    received: bool = True
    """True when the message came from the leg's peer, False when the tap sent it."""
    code: int | None = None
    """SIP status code, where the event is a response."""
    detail: str = ""
    """A SIP method, reason phrase or stream label; never a number, name or speech."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A stretch in which a side held the call by signalling (re-INVITE, RFC 3264 8.4)."""

    start_ms: Ms
    end_ms: Ms
    by: Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class SideQuality:
    """What the network did to one side's audio, from RTP and RTCP (RFC 3550) and the samples."""

    channel: Channel
    packets: int = 0
    lost: int = 0
    reordered: int = 0
    discarded: int = 0
    """Packets that came too late for the jitter buffer."""
    jitter_ms: float | None = None
    rtt_ms: float | None = None
    codec: str = ""
    mos: float | None = None
    """Estimated mean opinion score 1–4.5 by the E-model (ITU-T G.107)."""
    clipped_share: float | None = None
    silence_share: float | None = None
    level_dbfs: float | None = None
    one_way: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """A file of another system that a recording was made from, as it was when it was read."""

    name: str
    """The file's name there, without its folder."""
    sha256: str
    size: Ms
    """Bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceSpan:
    """A stretch of one of two voices in a mono mix; which of them is the agent is not said."""

    start_ms: Ms
    end_ms: Ms
    voice: Annotated[int, Meta(ge=0, le=1)]
    """0 is the voice that speaks first."""
    sure: bool = True
    """False where the two voices are about equally likely."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One WAV file: left the caller, right the agent, or a single mixed channel."""

    path: str
    channels: tuple[Channel, ...] = (Channel.CALLER, Channel.AGENT)
    """Empty for a mono mix whose sides are not apart."""
    sample_rate: int = 8000
    duration_ms: Ms | None = None
    complete: bool = True
    """False when the tap broke and the file was mended up to the break."""
    sha256: str = ""
    originals: tuple[Original, ...] = ()
    """Of an imported call: the files that it came from, to show that nothing was changed."""
    voices: tuple[VoiceSpan, ...] = ()
    """Of a mono mix: who speaks when, as far as it could be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call as the signalling saw it: the record that the tap and the importers hand over."""

    call_id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,199}$")]
    """Also a folder name, hence the narrow alphabet."""
    mode: Mode
    caller: str
    called: str
    agent: str
    invited_at: Utc
    ringing_at: Utc | None = None
    answered_at: Utc | None = None
    ended_at: Utc
    ended_by: EndedBy = EndedBy.UNKNOWN
    end_reason: EndReason = EndReason.BYE
    holds: tuple[Hold, ...] = ()
    recording: Recording | None = None
    events: tuple[LegEvent, ...] = ()
    quality: tuple[SideQuality, ...] = ()
    signalling: Signalling | None = None
    """Left out by other tools; ``signalling_known`` then judges by mode."""
    transfers: tuple[str, ...] = ()
    """Agents after the first, in order, when the call was transferred."""
    pbx_call_id: str = ""
    """The PBX's own identifier (SIP Call-ID, Asterisk linkedid), to join its records."""
    source: str = ""
    """What made this record: ``tap``, ``probe``, ``asterisk``, ``pcap`` …"""

    @property
    def signalling_known(self) -> bool:
        """Whether ring times and the hang-up side were seen, by the tap or by a feed.

        SIPREC alone carries neither (RFC 7866 says nothing of the communication session's own
        ring or BYE), so it needs ``ringing_at`` from a feed.
        """
        if self.signalling is not None:
            return self.signalling is not Signalling.NONE
        if self.mode is Mode.SIPREC:
            return self.ringing_at is not None
        if self.mode is Mode.IMPORT and self.ringing_at is None:
            return self.answered_at is None or self.answered_at > self.invited_at
        return True

    @property
    def ring_ms(self) -> int | None:
        """Milliseconds from the first 18x at the agent's leg (else its INVITE) to the answer.

        For an unanswered call it runs to the end of the call. None without signalling, and for a
        SIPREC call whose feed told who hung up but not when it rang.
        """
        if not self.signalling_known or (self.mode is Mode.SIPREC and self.ringing_at is None):
            return None
        start = self.ringing_at or self.invited_at
        end = self.answered_at or self.ended_at
        return max(0, round((end - start).total_seconds() * 1000))

    @property
    def duration_ms(self) -> int:
        """Milliseconds from answer to end; 0 for an unanswered call."""
        if self.answered_at is None:
            return 0
        return max(0, round((self.ended_at - self.answered_at).total_seconds() * 1000))
