"""The tap's health on loopback HTTP: ``/health`` as JSON, ``/metrics`` for Prometheus.

An administrator is to know that the tap is deaf before anyone else does. Counts and times only:
no number, name or speech.
"""

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from calls.errors import TapError
from calls.handover import Spool, Stage
from telephony.feed.health import FeedHealth, feed_metrics

_LOW_DISK = 2**30
"""Free bytes under which the tap is not well: some 17 hours of A-law, both sides."""
_OK, _NOT_FOUND, _UNAVAILABLE = 200, 404, 503


@dataclass(frozen=True, slots=True)
class RegistrationHealth:
    """How a registration with a PBX stands."""

    name: str
    """Its address, user@host."""
    state: str
    """``trying``, ``registered``, ``lost``, ``refused``, or ``left`` at a stop."""
    code: int
    """The registrar's last status code; 408 where it did not answer."""
    since: str
    """When the state began, ISO-8601."""

    @property
    def well(self) -> bool:
        """Whether the PBX's calls come in by it, as far as is known."""
        return self.state not in ("lost", "refused")


@dataclass(frozen=True, slots=True)
class ChildHealth:
    """What one tap process last said of itself."""

    port: int
    running: bool
    ready: bool = False
    """Whether it listens."""
    calls: int = 0
    mute: int = 0
    """Those of them in which a side has sent no RTP since the answer (``media_lost_s``)."""
    draining: bool = False
    refused: int = 0
    """INVITEs turned away since the process began: strangers, overload, drain."""
    restarts: int = 0
    """Deaths in a row, as the back-off counts them."""
    last_sip: str | None = None
    """When it last heard SIP, ISO-8601."""
    last_call: str | None = None
    """When a peer that is let in last had a call for it, ISO-8601."""
    deaf: bool = False
    """Whether that is too long ago (``deaf_s``)."""
    registrations: tuple[RegistrationHealth, ...] = ()
    """Those that this process holds."""

    @property
    def hears(self) -> bool:
        """Whether it listens, and calls come in as they should."""
        return self.running and self.ready and not self.deaf


@dataclass(frozen=True, slots=True)
class TapHealth:
    """The whole tap: its processes, its spool and its disk."""

    children: tuple[ChildHealth, ...]
    spool: dict[str, int]
    """Calls a stage."""
    disk_free_bytes: int
    feed: FeedHealth | None = None
    """None where no feed is set."""

    @property
    def well(self) -> bool:
        """Whether all hears and is registered, the feed is not deaf, and the disk has room."""
        listening = all(child.hears for child in self.children)
        registered = all(r.well for child in self.children for r in child.registrations)
        hears = self.feed is None or not self.feed.deaf
        return listening and registered and hears and self.disk_free_bytes >= _LOW_DISK


def is_deaf(last_call: str | None, up_s: float, now: datetime, deaf_s: int) -> bool:
    """Whether a line has had no call for too long; one that had none counts from its start.

    ``last_call`` is ISO-8601, ``up_s`` the seconds since the process began, ``deaf_s`` the limit
    (0: none).
    """
    quiet_s = (
        up_s if last_call is None else (now - datetime.fromisoformat(last_call)).total_seconds()
    )
    return 0 < deaf_s < quiet_s


def look(children: list[ChildHealth], spool: Spool, feed: FeedHealth | None = None) -> TapHealth:
    """The state at this moment."""
    return TapHealth(
        tuple(children),
        {stage.value: len(spool.waiting(stage)) for stage in Stage},
        shutil.disk_usage(spool.root).free,
        feed,
    )


class _Collector:
    """Prometheus' view of the state at the time of the scrape."""

    def __init__(self, state: Callable[[], TapHealth]) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        """The gauges."""
        state = self._state()
        for name, text, value in (
            ("up", "Whether the process listens.", lambda c: float(c.running and c.ready)),
            ("calls", "Calls under way.", lambda c: c.calls),
            ("mute_calls", "Those in which a side was never heard.", lambda c: c.mute),
            ("refused", "INVITEs turned away since the process began.", lambda c: c.refused),
            ("restarts", "Deaths in a row.", lambda c: c.restarts),
            ("deaf", "Whether no call has come for too long.", lambda c: float(c.deaf)),
        ):
            gauge = GaugeMetricFamily(f"sansheng_tap_{name}", text, labels=["port"])
            for child in state.children:
                gauge.add_metric([str(child.port)], value(child))
            yield gauge
        registered = GaugeMetricFamily(
            "sansheng_tap_registered",
            "Whether the PBX has the tap registered.",
            labels=["registration"],
        )
        for registration in (r for child in state.children for r in child.registrations):
            registered.add_metric([registration.name], float(registration.state == "registered"))
        yield registered
        spool = GaugeMetricFamily("sansheng_spool_calls", "Calls in a stage.", labels=["stage"])
        for stage, depth in state.spool.items():
            spool.add_metric([stage], depth)
        yield spool
        yield GaugeMetricFamily(
            "sansheng_disk_free_bytes", "Space left for recordings.", value=state.disk_free_bytes
        )
        if state.feed is not None:
            yield from feed_metrics(state.feed)


class HealthServer:
    """Serves both pages on 127.0.0.1 until closed."""

    def __init__(self, port: int, state: Callable[[], TapHealth]) -> None:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Collector(state))

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/health":
                    now = state()
                    body = json.dumps({"well": now.well, **asdict(now)}).encode()
                    self._reply(_OK if now.well else _UNAVAILABLE, "application/json", body)
                elif self.path == "/metrics":
                    self._reply(_OK, "text/plain; version=0.0.4", generate_latest(registry))
                else:
                    self._reply(_NOT_FOUND, "text/plain", b"/health or /metrics\n")

            def _reply(self, code: int, kind: str, body: bytes) -> None:
                self.send_response(code)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: object) -> None:
                """Scrapes are not logged."""

        try:
            self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        except OSError as error:
            raise TapError(
                f"cannot serve health on 127.0.0.1:{port} ({error.strerror})",
                remedy="change [telephony] health_port, or 0 for none",
            ) from error
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
