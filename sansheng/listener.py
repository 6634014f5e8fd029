"""Listening in: calls under way are heard while a worker has no ended one to do.

What is heard lies as a draft in the call's live folder and goes with it: at the end little is left
to hear, and the scorecard is there seconds after hanging up. A critical phrase is told at once. The
tap is not touched: its files are only read.
"""

import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import structlog

from asr.draft import Draft, shifted
from asr.ears import overhear
from calls import wav
from calls.call import Channel, Ms, Utc
from calls.codec import read_record, write_record
from calls.errors import EngineError, HandoverError, RecordingError
from calls.handover import DRAFT_FILE, Spool, Stage
from calls.hit import Hit, Severity, Status
from calls.speech import Transcript
from sansheng.pipeline import Pipeline
from telephony.journal import read_journal
from telephony.sides import so_far, whose

log = structlog.get_logger()

_LOCK = ".listening"
_CONTEXT_MS = 30_000
"""How much of a call is read again before what is new: voice activity needs the line's noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """A critical phrase heard in a call under way: a first word, no evidence."""

    family: str
    severity: Severity
    status: Status
    at_ms: Ms
    heard_at: Utc


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveDraft:
    """What a live folder holds of what was heard so far."""

    agent: str
    whose: dict[str, str]
    """Whose voice each file carries; with another answer the draft is worth nothing."""
    draft: Draft = field(default_factory=Draft)
    warned: tuple[Warned, ...] = ()


@dataclass
class Listener:
    """One worker's ear on the calls under way."""

    spool: Spool
    look_s: float = 5.0
    """How often one call is looked at."""
    _due: dict[str, float] = field(default_factory=dict)
    """When each call is looked at next, on the monotonic clock."""

    def listen(self, pipeline: Pipeline) -> bool:
        """Look at the call that was not looked at for longest; False when none is due."""
        now = time.monotonic()
        folders = {folder.name: folder for folder in self.spool.waiting(Stage.LIVE)}
        self._due = {name: self._due.get(name, now + self.look_s) for name in folders}
        at, name = min(((at, name) for name, at in self._due.items()), default=(now + 1, ""))
        if at > now:
            return False
        self._due[name] = now + self.look_s
        with self.spool.claim(folders[name], _LOCK) as mine:
            if mine:
                try:
                    _listen_in(pipeline, folders[name])
                except EngineError as error:
                    # It is heard after its end, when a failure is counted and told.
                    self._due[name] = math.inf
                    log.error("cannot listen in", call_id=name, error=error.message)
        return True


def read_draft(folder: Path) -> Draft | None:
    """What was heard of an ended call while it went on; None where that is of no use."""
    try:
        live = read_record(folder / DRAFT_FILE, LiveDraft)
        return live.draft if live.whose == whose(folder) else None
    except HandoverError:
        return None


def _listen_in(pipeline: Pipeline, folder: Path) -> None:
    """Hear what one call has said since."""
    try:
        live = _so_far(folder)
        known = live.draft.heard
        start_ms = max(0, live.draft.settled_ms - _CONTEXT_MS)
        with _memory_file() as tail:
            if not so_far(folder, tail, start_ms):
                return
            heard = overhear(
                pipeline.engine,
                live.draft,
                tail,
                tuple(Channel),
                start_ms=start_ms,
                hotwords=pipeline.hotwords,
            )
            fresh = [h.span for h in heard.heard if h not in known]
            if not fresh:
                if heard is not live.draft:
                    write_record(folder / DRAFT_FILE, replace(live, draft=heard))
                return
            part = Transcript(
                call_id=folder.name,
                duration_ms=wav.inspect(tail).duration_ms,
                utterances=tuple(
                    shifted(said, -start_ms)
                    for said in heard.utterances
                    if said.start_ms >= start_ms
                ),
            )
            since_ms = min(span.start_ms for span in fresh) - start_ms
            hits = pipeline.warn(part, since_ms, tail)
        warned = tuple(_warned(hit, start_ms) for hit in hits)
        write_record(
            folder / DRAFT_FILE, replace(live, draft=heard, warned=(*live.warned, *warned))
        )
    except (HandoverError, RecordingError):
        # The call has ended and its folder moved on, or its first words are not on the disk yet.
        return
    log.info("listened in", call_id=folder.name, spans=len(fresh), warned=len(warned))


def _warned(hit: Hit, start_ms: int) -> Warned:
    return Warned(
        family=hit.candidate.family,
        severity=hit.candidate.severity,
        status=hit.status,
        at_ms=hit.candidate.start_ms + start_ms,
        heard_at=datetime.now(UTC),
    )


def _so_far(folder: Path) -> LiveDraft:
    sides = whose(folder)
    new = LiveDraft(agent=read_journal(folder).head.agent, whose=sides)
    if not (folder / DRAFT_FILE).is_file():
        return new
    live = read_record(folder / DRAFT_FILE, LiveDraft)
    return live if live.whose == sides else replace(new, warned=live.warned)


@contextmanager
def _memory_file() -> Iterator[Path]:
    """A file that only this process sees, and that no kill leaves behind."""
    handle = os.memfd_create("tail")
    try:
        yield Path(f"/proc/self/fd/{handle}")
    finally:
        os.close(handle)


@dataclass
class Warnings:
    """The service's look at what its workers were warned of."""

    spool: Spool
    _seen: dict[str, int] = field(default_factory=dict)
    """When each call's draft was last written, as last looked at (ns)."""

    def fresh(self) -> Iterator[tuple[str, str, Warned]]:
        """Call, agent and warning of every draft that was written since the last look."""
        written: dict[str, int] = {}
        for folder in self.spool.waiting(Stage.LIVE):
            path = folder / DRAFT_FILE
            try:
                written[folder.name] = path.stat().st_mtime_ns
                if written[folder.name] != self._seen.get(folder.name):
                    live = read_record(path, LiveDraft)
                    yield from ((folder.name, live.agent, warned) for warned in live.warned)
            except (FileNotFoundError, HandoverError):
                continue
        self._seen = written
