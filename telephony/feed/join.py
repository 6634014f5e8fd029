"""Joining a recorded SIPREC call to what the PBX told: ring times, who hung up, holds.

A plain function. Nothing is guessed: without exactly one call of the PBX that fits, or where what
it tells contradicts itself, the recorded call stays as it was, and the rules on it are ``na``.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from calls.call import Call, Channel, EndedBy, EndReason, Hold, Signalling
from telephony.feed.event import PbxCall, PbxHold, PbxLeg
from telephony.feed.settings import FeedSettings

_SHORT_NUMBER = 7
"""From so many digits on, a number may carry a prefix (+86, 0) on one of the two sides."""


class Outcome(StrEnum):
    """What came of a join."""

    JOINED = "joined"
    AMBIGUOUS = "ambiguous"
    """More than one call of the PBX fits."""
    UNMATCHED = "unmatched"


@dataclass(frozen=True, slots=True)
class Joined:
    """The call after the join, and where it came from."""

    call: Call
    outcome: Outcome
    pbx_call: PbxCall | None = None
    apart_ms: int | None = None
    """For a call known by its id, how far the PBX's answer is before the recording's start."""


def join(call: Call, ids: Iterable[str], told: Iterable[PbxCall], settings: FeedSettings) -> Joined:
    """Complete a recorded call.

    ``ids`` are the identifiers that its session carried. A call of the PBX fits when it shares an
    id and one of its moments is where the recording's start or end is (ids are used again); or
    when caller and called (or agent) are the same and its answer is the recording's start, and no
    end of it is known that is not the recording's. An id counts more than numbers. The ring is
    taken only from a leg whose answer is the recording's start, and is measured on the PBX's clock
    alone; who hung up only from ends that agree with each other at the recording's end.
    """
    offset = timedelta(milliseconds=settings.clock_offset_ms)
    window = timedelta(seconds=settings.window_s)
    wanted = {word for word in ids if word}
    shifted = [_shift(each, offset) for each in told]
    same = [each for each in shifted if wanted.intersection(each.ids)]
    fits = [each for each in same if _answered(call, each, window) or _ends(call, each, window)]
    if not fits:
        fits = [each for each in shifted if _is_by_numbers(call, each, window)]
    apart_ms = _apart_ms(call, same)
    if len(fits) != 1:
        outcome = Outcome.AMBIGUOUS if fits else Outcome.UNMATCHED
        return Joined(call, outcome, apart_ms=apart_ms)
    completed = _complete(call, fits[0], window)
    if completed.signalling is not Signalling.FEED:
        return Joined(call, Outcome.UNMATCHED, fits[0], apart_ms)
    return Joined(completed, Outcome.JOINED, fits[0], apart_ms)


def same_number(one: str, other: str) -> bool:
    """Whether two spellings are one number: +8613900000000, 013900000000, 13900000000."""
    short, long = sorted((_digits(one), _digits(other)), key=len)
    if len(short) < _SHORT_NUMBER:
        return bool(short) and short == long
    return long.endswith(short) and len(long) - len(short) <= len("0086")


def number_key(number: str) -> str:
    """What two spellings of one number have in common; empty for a word without digits."""
    return _digits(number)[-_SHORT_NUMBER:]


def _digits(number: str) -> str:
    return "".join(c for c in number if c.isascii() and c.isdecimal())


def _shift(call: PbxCall, offset: timedelta) -> PbxCall:
    """The same call on our clock."""
    if not offset:
        return call

    def ours(at: datetime | None) -> datetime | None:
        return None if at is None else at + offset

    return replace(
        call,
        legs=tuple(
            replace(
                leg,
                invited=ours(leg.invited),
                ringing=ours(leg.ringing),
                answered=ours(leg.answered),
            )
            for leg in call.legs
        ),
        ends=tuple((at + offset, by) for at, by in call.ends),
        ended=ours(call.ended),
        holds=tuple(replace(hold, at=hold.at + offset) for hold in call.holds),
    )


def _answered(call: Call, told: PbxCall, window: timedelta) -> list[PbxLeg]:
    """The legs whose answer is the recording's start."""
    start = call.answered_at
    if start is None:
        return []
    return [
        leg for leg in told.legs if leg.answered is not None and abs(leg.answered - start) <= window
    ]


def _ends(call: Call, told: PbxCall, window: timedelta) -> list[tuple[datetime, EndedBy]]:
    """The ends that are the recording's end."""
    return [(at, by) for at, by in told.ends if abs(at - call.ended_at) <= window]


def _is_by_numbers(call: Call, told: PbxCall, window: timedelta) -> bool:
    legs = _answered(call, told, window)
    if not legs or (told.ends and not _ends(call, told, window)):
        return False
    theirs = {told.called, *(leg.agent for leg in legs)}
    ours = {call.called, call.agent}
    return same_number(call.caller, told.caller) and any(
        same_number(one, other) for one in ours for other in theirs
    )


def _apart_ms(call: Call, same: list[PbxCall]) -> int | None:
    answers = [leg.answered for each in same for leg in each.legs if leg.answered is not None]
    start = call.answered_at
    if start is None or len(answers) != 1:
        return None
    return round((start - answers[0]) / timedelta(milliseconds=1))


def _complete(call: Call, told: PbxCall, window: timedelta) -> Call:
    legs = _answered(call, told, window)
    known = replace(call, caller=call.caller or told.caller, called=told.called or call.called)
    if len(legs) == 1:
        known = _with_ring(known, legs[0], told.holds)
    sides = {by for _, by in _ends(call, told, window)} - {EndedBy.UNKNOWN}
    if len(sides) == 1 and call.end_reason is EndReason.BYE:
        known = replace(known, ended_by=sides.pop(), signalling=Signalling.FEED)
    return replace(known, pbx_call_id=told.ids[0])


def _with_ring(call: Call, leg: PbxLeg, holds: tuple[PbxHold, ...]) -> Call:
    """The call with the leg's times, put where its answer is the recording's 0 ms.

    A PBX that does not tell when a telephone rang tells when it was invited (Asterisk's CEL).
    """
    start, answered = call.answered_at, leg.answered
    assert start is not None
    assert answered is not None
    call = replace(call, agent=call.agent or leg.agent)
    began = leg.ringing or leg.invited
    if began is not None and began <= answered:
        lag = start - answered
        first = min(began, leg.invited or began)
        call = replace(
            call, invited_at=first + lag, ringing_at=began + lag, signalling=Signalling.FEED
        )
    return call if call.holds else replace(call, holds=_holds(call, holds, answered))


def _holds(call: Call, told: tuple[PbxHold, ...], answered: datetime) -> tuple[Hold, ...]:
    """Holds in the recording's time; one that is not ended runs to the end of the call."""
    end_ms = call.duration_ms
    holds: list[Hold] = []
    since: dict[Channel, int] = {}
    for each in sorted(told, key=lambda hold: hold.at):
        ms = max(0, round((each.at - answered).total_seconds() * 1000))
        if each.held and ms < end_ms:
            since.setdefault(each.by, ms)
        elif not each.held and each.by in since:
            start = since.pop(each.by)
            holds.append(Hold(start_ms=start, end_ms=min(ms, end_ms), by=each.by))
    holds += [Hold(start_ms=ms, end_ms=end_ms, by=by) for by, ms in since.items()]
    return tuple(sorted(holds, key=lambda hold: hold.start_ms))
