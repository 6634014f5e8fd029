"""From a journal to a call record: what rang when, who answered, who ended it, and why.

Plain functions over the events, so that a call that a kill broke is closed by the very code that
closes every other one. Nothing is guessed: what the events do not show stays unknown.
"""

from datetime import datetime

from calls.call import (
    Call,
    Channel,
    EndedBy,
    EndReason,
    EventKind,
    Hold,
    LegEvent,
    Mode,
    Recording,
    Signalling,
)
from telephony.journal import Story
from telephony.siprec.sides import UNKNOWN_SIDE

TRANSFER = "transfer"
"""Detail of an event of a transfer's leg that does not end the call itself."""
_BUSY = frozenset({486, 600})
_DECLINED = frozenset({401, 403, 603, 607})
_NOBODY = frozenset({408, 480, 487})
"""Request Timeout, Temporarily Unavailable, Request Terminated: it rang and nobody came."""
_FROM_CHANNEL = {Channel.AGENT: EndedBy.AGENT, Channel.CALLER: EndedBy.CALLER}


def call_of(story: Story, recording: Recording | None) -> Call:
    """The call record of a journal; ``recording`` where audio was kept."""
    head, events = story.head, story.events
    answered = _first(events, EventKind.ANSWERED, Channel.AGENT)
    invited = _first(events, EventKind.INVITE, Channel.AGENT)
    ringing = next(
        (
            e.at
            for e in events
            if e.leg is Channel.AGENT and e.kind in (EventKind.RINGING, EventKind.PROGRESS)
        ),
        None,
    )
    ended_by, reason, ended_at = _ending(events, answered is not None)
    if reason is EndReason.CANCEL:
        # The caller gave up before the agent's answer got through: nobody talked.
        answered = None
    if head.mode is Mode.SIPREC and reason is EndReason.BYE:
        # The recording client's own BYE: it does not say which side of the call hung up.
        ended_by = EndedBy.UNKNOWN
    end = ended_at or (events[-1].at if events else head.invited_at)
    return Call(
        call_id=head.call_id,
        mode=head.mode,
        caller=head.caller,
        called=head.called,
        agent=head.agent,
        invited_at=invited or head.invited_at,
        ringing_at=ringing,
        answered_at=answered,
        ended_at=end,
        ended_by=ended_by,
        end_reason=reason,
        holds=_holds(events, answered, end),
        recording=recording,
        events=events,
        quality=story.quality,
        signalling=Signalling.NONE if head.mode is Mode.SIPREC else Signalling.OBSERVED,
        transfers=head.transfers,
        pbx_call_id=head.pbx_call_id,
        source=head.source,
    )


def is_closed(story: Story) -> bool:
    """Whether the tap itself closed the call; if not, a kill broke it."""
    return any(event.kind is EventKind.CLOSED for event in story.events)


def _first(events: tuple[LegEvent, ...], kind: EventKind, leg: Channel) -> datetime | None:
    return next((e.at for e in events if e.kind is kind and e.leg is leg), None)


def _ending(
    events: tuple[LegEvent, ...], answered: bool
) -> tuple[EndedBy, EndReason, datetime | None]:
    """Who ended the call, why and when, by the first event that ends one."""
    for event in events:
        if event.detail == TRANSFER:
            continue
        if event.kind is EventKind.BYE and event.received:
            return _FROM_CHANNEL[event.leg], EndReason.BYE, event.at
        if event.kind is EventKind.CANCEL and event.received:
            return EndedBy.CALLER, EndReason.CANCEL, event.at
        if event.kind is EventKind.MEDIA_LOST:
            return EndedBy.NETWORK, EndReason.LOST, event.at
        if event.kind is EventKind.FAILED:
            if answered:
                return EndedBy.NETWORK, EndReason.LOST, event.at
            return *_refusal(event), event.at
    return EndedBy.NETWORK, EndReason.LOST, None


def _refusal(event: LegEvent) -> tuple[EndedBy, EndReason]:
    code = event.code or 0
    if event.leg is Channel.CALLER:
        return EndedBy.CALLER, EndReason.CANCEL
    if code in _BUSY:
        return EndedBy.AGENT, EndReason.BUSY
    if code in _DECLINED:
        return EndedBy.AGENT, EndReason.REJECTED
    if code in _NOBODY:
        return EndedBy.NETWORK, EndReason.NO_ANSWER
    return EndedBy.NETWORK, EndReason.REJECTED


def _holds(
    events: tuple[LegEvent, ...], answered: datetime | None, end: datetime
) -> tuple[Hold, ...]:
    """Holds as stretches of the recording; one that was never resumed runs to the end."""
    if answered is None:
        return ()

    def ms(moment: datetime) -> int:
        return max(0, round((moment - answered).total_seconds() * 1000))

    holds: list[Hold] = []
    since: dict[Channel, datetime] = {}
    for event in events:
        if event.detail == UNKNOWN_SIDE:
            continue
        if event.kind is EventKind.HOLD:
            since.setdefault(event.leg, event.at)
        elif event.kind is EventKind.RESUME and event.leg in since:
            holds.append(Hold(start_ms=ms(since.pop(event.leg)), end_ms=ms(event.at), by=event.leg))
    holds += [Hold(start_ms=ms(at), end_ms=ms(end), by=leg) for leg, at in since.items()]
    return tuple(sorted(holds, key=lambda hold: hold.start_ms))
