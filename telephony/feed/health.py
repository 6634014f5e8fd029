"""How the signalling feed does: counts and times only, for the health page and Prometheus."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric


@dataclass(frozen=True, slots=True)
class FeedHealth:
    """What the signalling feed has heard, and what came of it, since the service began."""

    events: int = 0
    bad: int = 0
    """Lines and events that could not be read."""
    joined: int = 0
    """SIPREC calls completed from the feed."""
    unmatched: int = 0
    """SIPREC calls that no call of the PBX fits."""
    ambiguous: int = 0
    """SIPREC calls that more than one call of the PBX fits."""
    late: int = 0
    """SIPREC calls whose events came after the hand-over and are lost to them."""
    forgotten: int = 0
    """Calls of the PBX dropped to keep the memory bounded."""
    calls: int = 0
    """Calls of the PBX in memory."""
    deaf_calls: int = 0
    """SIPREC calls in a row in whose time no event was heard."""
    clock_apart_ms: int | None = None
    """How far the PBX's answer was before the recording's start, of the last call known by id."""
    last_event: str | None = None
    """When the last event was heard, ISO-8601."""
    manager: bool | None = None
    """Whether Asterisk's manager is connected; None where none is set."""
    deaf: bool = False
    """Whether calls come and no events do, or the manager stays unconnected."""


def feed_metrics(feed: FeedHealth) -> Iterator[Metric]:
    """The same for Prometheus."""
    for name, text, value in (
        ("events", "Events heard.", feed.events),
        ("bad_lines", "Lines that are no event.", feed.bad),
        ("calls_joined", "SIPREC calls completed.", feed.joined),
        ("calls_unmatched", "SIPREC calls that no call of the PBX fits.", feed.unmatched),
        ("calls_ambiguous", "SIPREC calls that several calls of the PBX fit.", feed.ambiguous),
        ("calls_late", "SIPREC calls whose events came after the hand-over.", feed.late),
        ("calls_forgotten", "Calls of the PBX dropped to bound the memory.", feed.forgotten),
    ):
        yield CounterMetricFamily(f"sansheng_feed_{name}", text, value=value)
    yield GaugeMetricFamily("sansheng_feed_deaf", "Calls come and no events do.", value=feed.deaf)
    if feed.last_event is not None:
        heard = datetime.fromisoformat(feed.last_event).timestamp()
        text = "When the last event was heard (Unix)."
        yield GaugeMetricFamily("sansheng_feed_last_event_seconds", text, value=heard)
    if feed.clock_apart_ms is not None:
        text = "The PBX's answer before the recording's start."
        apart = feed.clock_apart_ms / 1000
        yield GaugeMetricFamily("sansheng_feed_clock_apart_seconds", text, value=apart)
