"""Answers kept for a short while, so that fifty dashboards ask the warehouse once."""

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")
_MOST = 256
"""Answers kept; beyond it all are dropped, since each is cheap to make again."""


@dataclass
class Memo(Generic[T]):
    """Keeps each key's answer for ``seconds`` of a monotonic clock; one maker at a time a key."""

    seconds: float
    clock: Callable[[], float]
    _kept: dict[Hashable, tuple[float, T]] = field(default_factory=dict)
    _locks: dict[Hashable, threading.Lock] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The kept answer, or a new one; others that ask for the same wait for it."""
        with self._guard:
            if len(self._kept) > _MOST:
                self._kept.clear()
                self._locks.clear()
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            found = self._kept.get(key)
            if found is not None and self.clock() - found[0] < self.seconds:
                return found[1]
            answer = make()
            self._kept[key] = (self.clock(), answer)
            return answer
