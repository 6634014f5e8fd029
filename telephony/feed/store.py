"""What the PBX has told lately, in bounded memory, and the recorded calls that wait for it.

Sources add events from their own threads; the finisher asks from the supervisor's. Every number
here is a count or a time: what an event holds stays inside.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime

from calls.call import Call
from telephony.feed.event import FeedEvent, PbxCall, tell
from telephony.feed.health import FeedHealth
from telephony.feed.join import Outcome, join, number_key
from telephony.feed.settings import FeedSettings

_HANDED = 1000
"""Calls handed over lately that are remembered, to tell an event that comes too late for them."""

Handed = tuple[Call, tuple[str, ...]]


def _utc_now() -> datetime:
    return datetime.now(UTC)


class FeedStore:
    """The events by call, the waiting recordings, and the counts."""

    def __init__(self, settings: FeedSettings, now: Callable[[], datetime] = _utc_now) -> None:
        self.settings = settings
        self._now = now
        self._lock = threading.Lock()
        self._calls: OrderedDict[str, PbxCall] = OrderedDict()
        """By the PBX's id, the one told of last at the end."""
        self._by_key: dict[str, set[str]] = {}
        """Ids and numbers to the ids above."""
        self._taken: dict[str, str] = {}
        """Calls that were joined, and to which recording: numbers alone do not give one twice."""
        self._handed: OrderedDict[str, Handed] = OrderedDict()
        self._handed_by_key: dict[str, set[str]] = {}
        self._heard: datetime | None = None
        """When the last event came."""
        self._health = FeedHealth()

    def take(self, event: FeedEvent, *, live: bool = True) -> None:
        """Add an event; ``live`` is False for what a file held before the start."""
        with self._lock:
            known = self._calls.pop(event.call_id, None)
            if known is not None and known.is_over_at(event.at):
                self._set_aside(known)
                known = None
            call = tell(known, event)
            self._calls[event.call_id] = call
            self._index(event.call_id, call)
            while len(self._calls) > self.settings.most_calls:
                self._forget(*self._calls.popitem(last=False))
            if live:
                self._heard = self._now()
                self._note(events=self._health.events + 1, deaf_calls=0)
                if self._is_late(call):
                    self._note(late=self._health.late + 1)

    def refuse(self) -> None:
        """Count a line or an event that could not be read."""
        with self._lock:
            self._note(bad=self._health.bad + 1)

    def complete(self, call: Call, ids: Iterable[str]) -> Call:
        """The recorded call with what the PBX told of it; unchanged where that is not clear."""
        wanted = tuple(ids)
        with self._lock:
            joined = join(call, wanted, self._candidates(call, wanted), self.settings)
            counts = {joined.outcome.value: getattr(self._health, joined.outcome.value) + 1}
            heard = self._heard is not None and self._heard >= call.invited_at
            self._note(deaf_calls=0 if heard else self._health.deaf_calls + 1, **counts)
            if joined.apart_ms is not None:
                self._note(clock_apart_ms=joined.apart_ms)
            if joined.outcome is Outcome.JOINED and joined.pbx_call is not None:
                self._taken[joined.pbx_call.call_id] = call.call_id
            if joined.outcome is not Outcome.AMBIGUOUS:
                self._remember(joined.call, wanted)
            return joined.call

    def health(self) -> FeedHealth:
        """The counts at this moment."""
        with self._lock:
            deaf = self._health.deaf_calls >= self.settings.deaf_calls
            heard = None if self._heard is None else self._heard.isoformat()
            return replace(self._health, deaf=deaf, calls=len(self._calls), last_event=heard)

    def _note(self, **changes: int) -> None:
        self._health = replace(self._health, **changes)  # type: ignore[arg-type]

    def _candidates(self, call: Call, ids: tuple[str, ...]) -> list[PbxCall]:
        keys = {key for word in _keys(ids, call.caller) for key in self._by_key.get(word, ())}
        return [self._calls[key] for key in keys if self._may_have(call, ids, self._calls[key])]

    def _may_have(self, call: Call, ids: tuple[str, ...], told: PbxCall) -> bool:
        """Whether a recording may be that call: by numbers, only if no other one is."""
        taken_by = self._taken.get(told.call_id, call.call_id)
        return taken_by == call.call_id or bool(set(ids).intersection(told.ids))

    def _index(self, key: str, call: PbxCall) -> None:
        for word in _keys(call.ids, call.caller):
            self._by_key.setdefault(word, set()).add(key)

    def _set_aside(self, call: PbxCall) -> None:
        """Keep a call whose id is used again under a key of its own."""
        self._unindex(call.call_id, call)
        assert call.ended is not None
        aside = replace(call, call_id=f"{call.call_id} until {call.ended.isoformat()}")
        if (taken_by := self._taken.pop(call.call_id, None)) is not None:
            self._taken[aside.call_id] = taken_by
        self._calls[aside.call_id] = aside
        self._index(aside.call_id, aside)

    def _forget(self, key: str, call: PbxCall) -> None:
        self._unindex(key, call)
        self._taken.pop(key, None)
        self._note(forgotten=self._health.forgotten + 1)

    def _unindex(self, key: str, call: PbxCall) -> None:
        _remove(self._by_key, _keys(call.ids, call.caller), key)

    def _remember(self, call: Call, ids: tuple[str, ...]) -> None:
        self._handed[call.call_id] = (call, ids)
        for word in _keys(ids, call.caller):
            self._handed_by_key.setdefault(word, set()).add(call.call_id)
        if len(self._handed) > _HANDED:
            self._drop_handed(next(iter(self._handed)))

    def _drop_handed(self, key: str) -> None:
        call, ids = self._handed.pop(key)
        _remove(self._handed_by_key, _keys(ids, call.caller), key)

    def _is_late(self, told: PbxCall) -> bool:
        """Whether a call that was handed over would be another one by what is told now.

        A call counts once.
        """
        keys = {
            key
            for word in _keys(told.ids, told.caller)
            for key in self._handed_by_key.get(word, ())
        }
        for key in keys:
            call, ids = self._handed[key]
            if not self._may_have(call, ids, told):
                continue
            if join(call, ids, [told], self.settings).call != call:
                self._drop_handed(key)
                return True
        return False


def _keys(ids: Iterable[str], caller: str) -> list[str]:
    """What a call can be found by: its ids, and its caller's number."""
    number = number_key(caller)
    return [f"id {word}" for word in ids] + ([f"number {number}"] if number else [])


def _remove(index: dict[str, set[str]], words: Iterable[str], key: str) -> None:
    for word in words:
        found = index.get(word, set())
        found.discard(key)
        if not found:
            index.pop(word, None)
