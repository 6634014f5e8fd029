"""What a PBX tells of its calls, whatever it tells it by: events, and the calls they add up to.

Plain records and functions. An event is a moment of one call under the PBX's own id; the times are
the PBX's clock. ``tell`` adds an event to what is known, in any order of arrival.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from calls.call import Channel, EndedBy, Utc
from calls.errors import TapError

Word = Annotated[str, Meta(max_length=256)]

_YEARS = range(2000, 2100)
_MOST_LEGS, _MOST_ENDS, _MOST_HOLDS, _MOST_IDS = 64, 64, 256, 32
"""What is kept of one call; a queue rings many agents, but not for ever."""
_REUSE = timedelta(seconds=10)
"""So long after a call's end an event under the same id is another call's."""


class FeedKind(StrEnum):
    """A moment of a call; ``KNOWN`` only tells identifiers or numbers."""

    INVITED = "invited"
    RINGING = "ringing"
    ANSWERED = "answered"
    HOLD = "hold"
    RESUME = "resume"
    ENDED = "ended"
    KNOWN = "known"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedEvent:
    """One event; as JSON, one line of the file or of the webhook's body, with these keys."""

    call_id: Annotated[str, Meta(min_length=1, max_length=256)]
    """The PBX's id of the call: the same in all of its events."""
    at: Utc
    event: FeedKind
    leg: Word = ""
    """The PBX's id of the agent's leg, where more than one agent may be rung."""
    ids: Annotated[tuple[Word, ...], Meta(max_length=16)] = ()
    """Further ids of the call, such as the SIP Call-IDs of its legs."""
    caller: Word = ""
    called: Word = ""
    agent: Word = ""
    by: EndedBy = EndedBy.UNKNOWN
    """Of ``ended``, who hung up; of ``hold`` and ``resume``, whose it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PbxLeg:
    """An agent's leg: when it was invited, rang and answered, on the PBX's clock."""

    id: str = ""
    agent: str = ""
    invited: datetime | None = None
    ringing: datetime | None = None
    answered: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PbxHold:
    """A hold or its end."""

    at: datetime
    held: bool
    by: Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class PbxCall:
    """One call as far as the PBX has told it."""

    call_id: str
    ids: tuple[str, ...] = ()
    """Its own id first."""
    caller: str = ""
    called: str = ""
    legs: tuple[PbxLeg, ...] = ()
    ends: tuple[tuple[datetime, EndedBy], ...] = ()
    """When a leg or the whole call ended, and by whom."""
    ended: datetime | None = None
    """When the whole call ended."""
    holds: tuple[PbxHold, ...] = ()

    def is_over_at(self, at: datetime) -> bool:
        """Whether an event of this time, under this call's id, is another call's."""
        return self.ended is not None and at > self.ended + _REUSE


def read_event(line: bytes) -> FeedEvent:
    """Read a JSON line.

    Errors: TapError when it is no event; the message holds nothing of the line.
    """
    try:
        event = msgspec.json.decode(line, type=FeedEvent)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise TapError(
            "a line of the feed is no event", remedy="docs/telephony.md has its keys"
        ) from error
    if event.at.year not in _YEARS:
        raise TapError("an event of the feed has an impossible time", remedy="set the PBX's clock")
    return event


def tell(known: PbxCall | None, event: FeedEvent) -> PbxCall:
    """What is known after an event; of two tellings of one moment the earlier time holds."""
    call = known or PbxCall(call_id=event.call_id, ids=(event.call_id,))
    fresh = tuple(dict.fromkeys(word for word in (*call.ids, *event.ids) if word))
    call = replace(
        call,
        ids=fresh[:_MOST_IDS],
        caller=call.caller or event.caller,
        called=call.called or event.called,
    )
    match event.event:
        case FeedKind.ENDED:
            call = replace(call, ends=(*call.ends, (event.at, event.by))[-_MOST_ENDS:])
            if not event.leg:
                call = replace(call, ended=max(call.ended or event.at, event.at))
        case FeedKind.HOLD | FeedKind.RESUME if event.by in (EndedBy.AGENT, EndedBy.CALLER):
            hold = PbxHold(
                at=event.at, held=event.event is FeedKind.HOLD, by=Channel(event.by.value)
            )
            call = replace(call, holds=(*call.holds, hold)[:_MOST_HOLDS])
        case FeedKind.INVITED | FeedKind.RINGING | FeedKind.ANSWERED:
            call = replace(call, legs=_legs(call.legs, event))
        case _ if event.agent:
            call = replace(call, legs=_legs(call.legs, event))
    return call


def _legs(legs: tuple[PbxLeg, ...], event: FeedEvent) -> tuple[PbxLeg, ...]:
    leg = next((each for each in legs if each.id == event.leg), PbxLeg(id=event.leg))
    leg = replace(leg, agent=leg.agent or event.agent)
    match event.event:
        case FeedKind.INVITED:
            leg = replace(leg, invited=min(leg.invited or event.at, event.at))
        case FeedKind.RINGING:
            leg = replace(leg, ringing=min(leg.ringing or event.at, event.at))
        case FeedKind.ANSWERED:
            leg = replace(leg, answered=min(leg.answered or event.at, event.at))
    others = [each for each in legs if each.id != event.leg]
    return (*others, leg)[-_MOST_LEGS:]
