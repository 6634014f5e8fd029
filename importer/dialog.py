"""The messages of one SIP call to its times, its end and its media (RFC 3261, RFC 3264)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from calls.call import (
    Call,
    Channel,
    EndedBy,
    EndReason,
    EventKind,
    Hold,
    LegEvent,
    Mode,
    Signalling,
)
from importer.capture import Address
from importer.sip import SipMessage

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HELD = ("sendonly", "inactive")
_CHALLENGES = (401, 407)
_BUSY, _NO_ANSWER, _CANCELLED = (486, 600), (408, 480), 487


@dataclass(slots=True)
class Dialog:
    """What one Call-ID went through, in microseconds since the epoch."""

    invite: SipMessage
    ringing_us: int | None = None
    answered_us: int | None = None
    ended_us: int | None = None
    ended_by: EndedBy = EndedBy.UNKNOWN
    end_reason: EndReason = EndReason.LOST
    last_us: int = 0
    cancelled: bool = False
    holds: list[tuple[int, int, Channel]] = field(default_factory=list)
    held: dict[Channel, int] = field(default_factory=dict)
    receives: dict[Address, Channel] = field(default_factory=dict)
    """Where each side wants to receive."""
    formats: dict[Address, dict[int, str]] = field(default_factory=dict)
    encrypted: bool = False
    events: list[tuple[int, Channel, EventKind, int | None]] = field(default_factory=list)


def read_dialog(messages: Iterable[SipMessage]) -> Dialog | None:
    """The dialog of one Call-ID's messages, or None when its INVITE was not seen.

    Calls under way when the capture began have no INVITE: their ring is not known, so they
    are not calls to us.
    """
    ordered = sorted(messages, key=lambda message: message.at_us)
    first = next((m for m in ordered if m.method == "INVITE" and m.code is None), None)
    if first is None:
        return None
    dialog = Dialog(first)
    for message in ordered:
        _take(dialog, message)
    dialog.last_us = ordered[-1].at_us
    return dialog


def _take(dialog: Dialog, message: SipMessage) -> None:
    own = message.from_tag == dialog.invite.from_tag
    if message.code is None:
        side = Channel.CALLER if own else Channel.AGENT
    else:
        side = Channel.AGENT if own else Channel.CALLER
    if message.media and message.method in ("INVITE", "ACK", "PRACK", "UPDATE"):
        _media(dialog, message, side)
    first_transaction = own and message.method == "INVITE" and dialog.ended_us is None
    code = message.code
    if code is None:
        _request(dialog, message, side)
    elif first_transaction and dialog.answered_us is None:
        _response(dialog, message.at_us, code)


def _request(dialog: Dialog, message: SipMessage, side: Channel) -> None:
    at = message.at_us
    if message.method == "INVITE" and at == dialog.invite.at_us:
        dialog.events.append((at, Channel.CALLER, EventKind.INVITE, None))
    elif message.method == "CANCEL" and dialog.answered_us is None:
        dialog.cancelled = True
        dialog.ended_us = dialog.ended_us or at
        dialog.ended_by, dialog.end_reason = EndedBy.CALLER, EndReason.CANCEL
        dialog.events.append((at, Channel.CALLER, EventKind.CANCEL, None))
    elif message.method == "BYE" and dialog.ended_us is None and dialog.answered_us is not None:
        dialog.ended_us = at
        dialog.ended_by = EndedBy(side.value)
        dialog.end_reason = EndReason.BYE
        dialog.events.append((at, side, EventKind.BYE, None))


def _response(dialog: Dialog, at: int, code: int) -> None:
    if 180 <= code < 190:
        if dialog.ringing_us is None:
            dialog.ringing_us = at
            kind = EventKind.RINGING if code == 180 else EventKind.PROGRESS
            dialog.events.append((at, Channel.AGENT, kind, code))
    elif 200 <= code < 300:
        dialog.answered_us, dialog.ended_us = at, None
        dialog.ended_by, dialog.end_reason = EndedBy.UNKNOWN, EndReason.LOST
        dialog.events.append((at, Channel.AGENT, EventKind.ANSWERED, code))
    elif code >= 400 and code not in _CHALLENGES:
        dialog.ended_us = at
        dialog.events.append((at, Channel.AGENT, EventKind.FAILED, code))
        if code in _BUSY:
            dialog.ended_by, dialog.end_reason = EndedBy.AGENT, EndReason.BUSY
        elif code in _NO_ANSWER:
            dialog.ended_by, dialog.end_reason = EndedBy.NETWORK, EndReason.NO_ANSWER
        elif code == _CANCELLED:
            dialog.ended_by, dialog.end_reason = EndedBy.CALLER, EndReason.CANCEL
        else:
            dialog.ended_by, dialog.end_reason = EndedBy.AGENT, EndReason.REJECTED


def _media(dialog: Dialog, message: SipMessage, side: Channel) -> None:
    for media in message.media:
        dialog.receives[media.address] = side
        dialog.formats.setdefault(media.address, {}).update(media.formats)
        dialog.encrypted = dialog.encrypted or media.encrypted
    if dialog.answered_us is None or message.code is not None:
        return
    if any(media.direction in _HELD for media in message.media):
        dialog.held.setdefault(side, message.at_us)
    elif side in dialog.held:
        dialog.holds.append((dialog.held.pop(side), message.at_us, side))


def to_call(dialog: Dialog, call_id: str, name: str) -> Call:
    """The call record without its recording."""
    end_us = dialog.ended_us or dialog.last_us
    start_us = dialog.answered_us
    holds: tuple[Hold, ...] = ()
    if start_us is not None:
        open_holds = [(begin, end_us, side) for side, begin in dialog.held.items()]
        holds = tuple(
            Hold(
                start_ms=(begin - start_us) // 1000,
                end_ms=max(begin, min(end, end_us)) // 1000 - start_us // 1000,
                by=side,
            )
            for begin, end, side in sorted(dialog.holds + open_holds)
        )
    events = tuple(
        LegEvent(
            at=moment(at),
            monotonic_ms=(at - dialog.invite.at_us) / 1000,
            leg=leg,
            kind=kind,
            code=code,
        )
        for at, leg, kind, code in dialog.events
    )
    return Call(
        call_id=call_id,
        mode=Mode.IMPORT,
        caller=dialog.invite.user("from"),
        called=dialog.invite.user("to"),
        agent=dialog.invite.user("to"),
        invited_at=moment(dialog.invite.at_us),
        ringing_at=None if dialog.ringing_us is None else moment(dialog.ringing_us),
        answered_at=None if start_us is None else moment(start_us),
        ended_at=moment(end_us),
        ended_by=dialog.ended_by,
        end_reason=dialog.end_reason,
        holds=holds,
        events=events,
        signalling=Signalling.OBSERVED,
        pbx_call_id=dialog.invite.call_id,
        source=name,
    )


def moment(at_us: int) -> datetime:
    """Microseconds since the epoch as aware UTC."""
    return _EPOCH + timedelta(microseconds=at_us)
