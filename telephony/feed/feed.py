"""The signalling feed: the PBX's own events, which complete what SIPREC leaves out.

It runs beside the tap's supervisor. A finished SIPREC call waits ``wait_s`` for its events, is then
joined (``telephony.feed.join``) and handed over; what comes later is counted and lost.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import structlog

from calls.call import Call, Mode
from calls.errors import HandoverError, SanshengError
from telephony.feed.ami import AmiClient
from telephony.feed.asterisk import AsteriskReader
from telephony.feed.event import FeedEvent, read_event
from telephony.feed.file import FollowedFile
from telephony.feed.health import FeedHealth
from telephony.feed.settings import FeedSettings
from telephony.feed.store import FeedStore
from telephony.feed.webhook import Webhook
from telephony.journal import Story, read_journal

log = structlog.get_logger()

_LOOK_S = 0.2
_MANAGER_PATIENCE_S = 30
"""So long without its manager the feed is deaf."""

Read = Callable[[bytes], FeedEvent | None]


class Feed:
    """The sources that the settings name, and the calls that wait for them."""

    def __init__(self, settings: FeedSettings, now_s: Callable[[], float] = time.monotonic) -> None:
        self.settings = settings
        self.store = FeedStore(settings)
        self._now_s = now_s
        self._waiting: dict[str, float] = {}
        self._asterisk = AsteriskReader()
        self._files: list[tuple[FollowedFile, Read]] = []
        if settings.file:
            self._files.append((FollowedFile(Path(settings.file)), read_event))
        if settings.cel_file:
            self._files.append((FollowedFile(Path(settings.cel_file)), AsteriskReader().read_cel))
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._webhook: Webhook | None = None
        self._manager: AmiClient | None = None
        self._heard_manager_s = now_s()

    def start(self) -> None:
        """Read what the files hold already, and listen.

        Errors: TapError when the webhook's port is taken, or a secret is not set.
        """
        for file, _ in self._files:
            if not file.path.exists():
                log.warning("the feed's file is not there yet", path=str(file.path))
        self.look(live=False)
        hook, manager = self.settings.webhook, self.settings.ami
        if hook.port:
            token = hook.secret().password()
            self._webhook = Webhook(hook, token, self._hear_lines)
        if manager.host:
            secret = manager.secret().password()
            self._manager = AmiClient(manager, secret, self._hear_manager)
        self._thread = threading.Thread(target=self._follow, name="feed", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Hear no more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        if self._webhook is not None:
            self._webhook.close()
        if self._manager is not None:
            self._manager.close()
        for file, _ in self._files:
            file.close()

    def look(self, *, live: bool = True) -> None:
        """Take what the followed files have got."""
        for file, read in self._files:
            for line in file.lines():
                if line.strip():
                    self._hear(partial(read, line), live=live)

    def must_wait(self, folder: Path) -> bool:
        """Whether a call that nobody holds any more waits for its events; only SIPREC's do."""
        due = self._waiting.get(folder.name)
        if due is None:
            try:
                story = read_journal(folder)
            except HandoverError:
                return False
            if story.head.mode is not Mode.SIPREC:
                return False
            due = self._waiting[folder.name] = self._now_s() + self.settings.wait_s
        return self._now_s() < due

    @property
    def waiting(self) -> int:
        """Calls that wait."""
        return len(self._waiting)

    def complete(self, call: Call, story: Story) -> Call:
        """A SIPREC call with what the PBX told of it; any other one as it is."""
        if call.mode is not Mode.SIPREC:
            return call
        self._waiting.pop(call.call_id, None)
        return self.store.complete(call, (*story.head.call_ids, call.pbx_call_id))

    def health(self) -> FeedHealth:
        """The counts, and whether it is deaf."""
        health = self.store.health()
        if self._manager is None:
            return health
        if self._manager.connected:
            self._heard_manager_s = self._now_s()
        gone = self._now_s() - self._heard_manager_s > _MANAGER_PATIENCE_S
        return replace(health, manager=self._manager.connected, deaf=health.deaf or gone)

    def _follow(self) -> None:
        while not self._stop.wait(_LOOK_S):
            self.look()

    def _hear_lines(self, lines: list[bytes]) -> int:
        return sum(self._hear(partial(read_event, line)) for line in lines)

    def _hear_manager(self, message: Mapping[str, str]) -> None:
        self._hear(partial(self._asterisk.read_manager, message))

    def _hear(self, read: Callable[[], FeedEvent | None], *, live: bool = True) -> bool:
        """Take one event; whether it was one that can be read."""
        try:
            event = read()
        except SanshengError as error:
            self.store.refuse()
            log.debug("not an event", error=str(error))
            return False
        if event is not None:
            self.store.take(event, live=live)
        return True
