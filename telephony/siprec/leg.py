"""The leg of a SIPREC session: one SIP call of several audio streams that only come in.

Like every leg it only notes facts; what it does beyond that is to shape the SDP answer, which has
to be done inside the library's callback: each line ``recvonly`` with the offer's label mirrored
(RFC 7866 7.1.1 and 8.1), in the number of lines that the offer has.
"""

import re
from collections import deque
from dataclasses import replace
from typing import Any

import structlog

from calls.call import Channel, SideQuality
from telephony.clock import Clock
from telephony.leg import Fact, FactKind, Leg, guarded
from telephony.pjsip import SipLibraryError, pj
from telephony.siprec.message import MediaLine, Message, media_lines, read_message

log = structlog.get_logger()

_TOKEN = re.compile(r"[A-Za-z0-9._+-]{1,64}")
"""A label that may be repeated into our SDP (RFC 4566 token, less the odd characters)."""
_RECORDS_SESSIONS = "+sip.srs"
"""The feature tag of a recording server (RFC 7866 8.2)."""


def read_text(message: str) -> Message:
    """A SIP message as pjsua2 hands it over, taken apart."""
    return read_message(message.encode("utf-8", "surrogateescape"))


def offered_lines(request: Message) -> tuple[MediaLine, ...]:
    """An offer's lines, each with a label of its own.

    One without, or with another line's, gets a label that no metadata names: its side is unknown.
    """
    seen: set[str] = set()
    lines: list[MediaLine] = []
    for index, line in enumerate(media_lines(request.sdp)):
        own = line.label if line.label and line.label not in seen else f"#{index}"
        seen.add(own)
        lines.append(replace(line, label=own))
    return tuple(lines)


def configure(account: Any) -> None:
    """Have an account say that it records sessions, and let SIPREC offers in."""
    account.sipConfig.contactParams = f";{_RECORDS_SESSIONS}"
    if hasattr(pj, "PJSUA_SIP_SIPREC_OPTIONAL"):
        account.callConfig.siprecUse = pj.PJSUA_SIP_SIPREC_OPTIONAL


def has_constant_buffer() -> bool:
    """Whether this build's jitter buffer can be told to keep its depth: the wheel's cannot."""
    return hasattr(pj, "PJMEDIA_JB_DISCARD_NONE")


def shape_answer(sdp: str, offer: tuple[MediaLine, ...]) -> str:
    """Our SDP with every audio line receiving only and carrying the offer's label."""
    lines: list[str] = []
    index = -1
    for line in sdp.splitlines():
        if line.startswith("m="):
            index += 1
        if line in ("a=sendrecv", "a=sendonly", "a=recvonly") and index >= 0:
            line = "a=recvonly"
        if line.startswith("a=label:"):
            continue
        lines.append(line)
        if line.startswith("m=audio") and index < len(offer):
            label = offer[index].label
            if _TOKEN.fullmatch(label):
                lines.append(f"a=label:{label}")
    # Attributes may not stand before a line's c= and b= (RFC 4566 5): move the labels behind them.
    return "\r\n".join(_sorted_sections(lines)) + "\r\n"


def _sorted_sections(lines: list[str]) -> list[str]:
    ordered: list[str] = []
    attributes: list[str] = []
    for line in lines:
        if line.startswith("m="):
            ordered += attributes
            attributes = []
        (attributes if line.startswith("a=") else ordered).append(line)
    return ordered + attributes


class SiprecLeg(Leg):
    """A recording client's call. Owner thread only."""

    def __init__(
        self,
        account: Any,
        clock: Clock,
        facts: "deque[Fact]",
        call_index: int,
        request: Message,
    ) -> None:
        super().__init__(account, Channel.CALLER, clock, facts, call_index)
        self.request = request
        """The INVITE, or the last re-INVITE."""
        self.lines = offered_lines(request)
        """The offer's lines, by the index that pjsua2 gives a stream."""
        self.jitter_buffer_ms = 0
        self.most_streams = 1
        self.qualities: dict[str, SideQuality] = {}
        """By label."""

    @guarded
    def onCallSdpCreated(self, prm: Any) -> None:  # noqa: N802
        """Shape our answer. The wheel hands long SDP over as nothing: then it stays as it is."""
        sdp = prm.sdp.wholeSdp
        if sdp:
            prm.sdp.wholeSdp = shape_answer(sdp, self.lines)

    @guarded
    def onCallRxReinvite(self, prm: Any) -> None:  # noqa: N802
        """Take the new offer's lines; without them the library would answer the old number."""
        request = read_text(prm.rdata.wholeMsg)
        offered = offered_lines(request)
        if offered:
            self.lines = offered
        prm.opt.audioCount = self.most_streams
        prm.opt.videoCount = 0
        if hasattr(prm.opt, "textCount"):
            prm.opt.textCount = 0
        self.request = request
        self.note(FactKind.UPDATED)

    @guarded
    def onStreamPreCreate(self, prm: Any) -> None:  # noqa: N802
        """Give the stream a deep jitter buffer of constant depth.

        The library's own would throw frames away to get shallow again, which a listener wants and
        a recording does not.
        """
        if self.jitter_buffer_ms:
            info = prm.streamInfo
            info.jbInit = info.jbMinPre = info.jbMaxPre = self.jitter_buffer_ms
            info.jbDiscardAlgo = pj.PJMEDIA_JB_DISCARD_NONE

    @guarded
    def onStreamDestroyed(self, prm: Any) -> None:  # noqa: N802
        """Add up how the stream went, under its label."""
        before = self.quality
        self.quality = None
        super().onStreamDestroyed(prm)
        fresh, self.quality = self.quality, before
        if fresh is None:
            return
        if prm.streamIdx >= len(self.lines):
            return
        label = self.lines[prm.streamIdx].label
        known = self.qualities.get(label)
        if known is not None:
            fresh = replace(
                fresh,
                packets=fresh.packets + known.packets,
                lost=fresh.lost + known.lost,
                reordered=fresh.reordered + known.reordered,
                discarded=fresh.discarded + known.discarded,
            )
        self.qualities[label] = fresh

    def streams(self) -> dict[str, Any]:
        """The audio media that come in now, by label."""
        if not self.alive:
            return {}
        found: dict[str, Any] = {}
        info = self.getInfo()
        for index in range(min(len(info.media), len(self.lines))):
            media = info.media[index]
            # A recording client only sends, which the library calls a remote hold: see ``dir``.
            if media.type == pj.PJMEDIA_TYPE_AUDIO and media.dir & pj.PJMEDIA_DIR_DECODING:
                found[self.lines[index].label] = self.getAudioMedia(index)
        return found

    def packets(self) -> int:
        """RTP packets received so far in the present streams together."""
        total = 0
        for index in range(len(self.lines) if self.alive else 0):
            try:
                total += int(self.getStreamStat(index).rtcp.rxStat.pkt)
            except SipLibraryError:
                continue
        return total
