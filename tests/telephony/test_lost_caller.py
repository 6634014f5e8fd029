"""A caller's leg that the library has let go of without a word, at the moment of the answer.

Seen with hundreds of set-ups a second on a busy machine and not to be had at will from a peer, so
the two legs here are stand-ins; the bridge, its journal and the clock are real.
"""

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from calls.call import Channel, EndReason, EventKind, Mode
from calls.handover import Spool, Stage

pytestmark = pytest.mark.sip


@dataclass
class Standing:
    """A leg that answers nothing, or hangs up when told."""

    channel: Channel
    deaf: bool = False
    alive: bool = True
    held: bool = False
    answered: bool = False
    quality: None = None
    facts: deque[Any] = field(default_factory=deque)
    said: list[int] = field(default_factory=list)
    told_to_end: bool = False

    def say(self, code: int) -> None:
        from telephony.pjsip import pj

        if self.deaf and code >= 200:
            raise pj.Error(171140, "answer", "INVITE session already terminated", "", 0)
        self.said.append(code)

    def audio(self) -> None:
        return None

    def end(self, code: int = 0) -> None:
        from telephony.clock import Clock
        from telephony.leg import Fact, FactKind, Leg

        self.told_to_end = True
        if self.deaf:
            # What a leg does that the library knows no more.
            self.alive = False
            self.facts.append(Fact(cast(Leg, self), FactKind.GONE, Clock().now(), code))


def test_the_agent_is_let_go_and_the_call_is_closed(tmp_path: Path) -> None:
    from telephony.bridge import Bridge
    from telephony.clock import Clock
    from telephony.journal import Head, read_journal
    from telephony.leg import Fact, FactKind, Leg
    from telephony.settings import TapSettings
    from telephony.story import call_of

    clock, spool = Clock(), Spool(tmp_path)
    caller, agent = Standing(Channel.CALLER, deaf=True), Standing(Channel.AGENT)
    bridge = Bridge(cast(Leg, caller), clock, TapSettings(), spool, cast(Any, None))
    bridge.legs[Channel.AGENT] = cast(Leg, agent)
    head = Head(
        call_id="call-1",
        mode=Mode.BRIDGE,
        caller="1",
        called="2",
        agent="1001",
        invited_at=datetime.now(UTC),
    )
    bridge._record.open(head, clock.now())
    bridge._record.event(Channel.AGENT, EventKind.INVITE, clock.now(), received=False)
    bridge._record.start = lambda: None  # type: ignore[method-assign]
    bridge.handle(Fact(cast(Leg, agent), FactKind.ANSWERED, clock.now(), 200))
    [gone] = caller.facts
    bridge.handle(gone)
    assert agent.told_to_end
    assert not bridge.done
    agent.alive = False
    bridge.handle(Fact(cast(Leg, agent), FactKind.GONE, clock.now(), 200))
    assert bridge.done
    story = read_journal(spool.folder(Stage.LIVE, "call-1"))
    assert [e.kind for e in story.events if e.leg is Channel.CALLER] == [
        EventKind.FAILED,
        EventKind.CLOSED,
    ]
    assert call_of(story, None).end_reason is EndReason.LOST
