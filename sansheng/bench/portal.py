"""``sansheng bench portal``: pages and audio under many people, on a warehouse of many calls."""

import json
import multiprocessing
import random
import statistics
import tempfile
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from calls.errors import SanshengError

app = typer.Typer()

_PASSWORD = "Fifty-people-2026"
_DAYS = 90
_QUIET_DAYS = 3
"""Only the whole calls are of these last days, so that the queue draws whole ones."""
_WHOLE = 60
"""Calls with recording and transcript; the pages of a call are asked of these."""
_THINK_S = 2.0
"""Pause of a person between two pages."""
_PAGES = ("/calls", "/calls?show=fail", "/overview", "/queue", "/search?words=社保")


@dataclass
class Times:
    """What the people measured, in milliseconds."""

    pages: list[float] = field(default_factory=list)
    audio: list[float] = field(default_factory=list)
    by_page: dict[str, list[float]] = field(default_factory=dict)
    refused: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, path: str, ms: float, ok: bool) -> None:
        """Keep one page's time."""
        with self.lock:
            self.refused += not ok
            self.pages.append(ms)
            self.by_page.setdefault(path.split("?")[0], []).append(ms)

    def note_audio(self, ms: float, ok: bool) -> None:
        """Keep one first byte's time."""
        with self.lock:
            self.refused += not ok
            self.audio.append(ms)


@app.command(epilog="Example:  sansheng bench portal --calls 1000000 --people 50")
def portal(
    calls: Annotated[int, typer.Option(help="Calls in the warehouse.", min=100)] = 100_000,
    people: Annotated[int, typer.Option(help="People at once.", min=1, max=500)] = 50,
    seconds: Annotated[int, typer.Option(help="How long they work.", min=5, max=600)] = 30,
) -> None:
    """People who open a page every two seconds and listen to calls: p95 of both."""
    with tempfile.TemporaryDirectory(prefix="sansheng-bench-") as name:
        root = Path(name)
        typer.echo(f"filling a warehouse with {calls:,} calls", err=True)
        _fill(root, calls)
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        server = context.Process(target=_serve, args=(str(root), theirs), daemon=True)
        server.start()
        try:
            url = ours.recv()
            typer.echo(f"{people} people for {seconds} s", err=True)
            times = _work(url, people, seconds)
            first_kb = _first_page_kb(url)
        finally:
            ours.send("stop")
            server.join(20)
            if server.is_alive():
                server.kill()
    for path, found in sorted(times.by_page.items()):
        typer.echo(f"{path:<12} n={len(found):<5} p95={_p95(found):.0f} ms", err=True)
    figures = {
        "people": people,
        "calls": calls,
        "page_p95_ms": _p95(times.pages),
        "page_p50_ms": round(statistics.median(times.pages), 1),
        "audio_first_byte_p95_ms": _p95(times.audio),
        "first_page_kb": first_kb,
        "pages": len(times.pages),
        "think_s": _THINK_S,
        "refused": times.refused,
    }
    typer.echo(json.dumps(figures))


def _p95(values: list[float]) -> float:
    return round(statistics.quantiles(values, n=20)[-1], 1) if len(values) > 1 else values[0]


def _serve(root: str, pipe: Any) -> None:
    """The server's own process, as the service runs it."""
    from portal.app import create_app
    from portal.server import PortalServer
    from portal.settings import PortalSettings
    from warehouse.store import Warehouse

    warehouse = Warehouse.open(Path(root) / "bench.duckdb")
    settings = PortalSettings(port=0)
    server = PortalServer(create_app(warehouse, settings), settings)
    pipe.send(server.start())
    pipe.recv()
    server.stop()
    warehouse.close()


def _work(url: str, people: int, seconds: int) -> Times:
    times = Times()
    end = time.monotonic() + seconds
    crowd = [
        threading.Thread(target=_person, args=(url, place, end, times)) for place in range(people)
    ]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    if not times.pages or not times.audio:
        raise SanshengError("the people saw no page", remedy="give them more --seconds")
    return times


def _person(url: str, place: int, end: float, times: Times) -> None:
    import httpx

    draw = random.Random(place)
    with httpx.Client(base_url=url, timeout=60) as client:
        _sign_in(client)
        time.sleep(draw.random() * _THINK_S)
        while time.monotonic() < end:
            whole = f"/calls/bench-whole-{draw.randrange(_WHOLE):03d}"
            path = draw.choice((*_PAGES, whole, whole, whole))
            start = time.perf_counter()
            ok = client.get(path).status_code == httpx.codes.OK
            shown = "/calls/ID" if path == whole else path
            times.note(shown, (time.perf_counter() - start) * 1000, ok)
            if path == whole:
                start = time.perf_counter()
                headers = {"Range": f"bytes={draw.randrange(1000, 100_000)}-"}
                with client.stream("GET", f"{whole}/audio", headers=headers) as answer:
                    next(answer.iter_raw())
                    ms = (time.perf_counter() - start) * 1000
                times.note_audio(ms, answer.status_code == httpx.codes.PARTIAL_CONTENT)
            time.sleep(_THINK_S * (0.5 + draw.random()))


def _sign_in(client: Any) -> None:
    page = client.get("/login").text
    door = page.split('name="door" value="')[1].split('"')[0]
    form = {"user_id": "bench", "password": _PASSWORD, "door": door}
    client.post("/login", data=form)


def _first_page_kb(url: str) -> float:
    """What a browser loads for its first page after sign-in, compressed as it travels."""
    import httpx

    with httpx.Client(base_url=url, timeout=60) as client:
        _sign_in(client)
        total = 0
        for path in (
            "/queue",
            *("/static/portal.css", "/static/portal.js", "/static/call.js", "/static/queue.js"),
            "/static/vendor/htmx.min.js",
            *("/static/vendor/wavesurfer.min.js", "/static/vendor/wavesurfer-regions.min.js"),
            *("/static/vendor/icons.svg", "/static/icon.svg"),
        ):
            with client.stream("GET", path) as answer:
                total += sum(len(part) for part in answer.iter_raw())
    return round(total / 1000, 1)


def _fill(root: Path, calls: int) -> None:
    """Synthetic calls of three months for two hundred agents, and some whole ones."""
    from portal.access import Role
    from portal.accounts import Accounts
    from sansheng.bench.synthetic import insert_calls, whole_call
    from warehouse.store import Warehouse

    warehouse = Warehouse.open(root / "bench.duckdb")
    try:
        start = datetime.now(UTC) - timedelta(days=_DAYS + _QUIET_DAYS)
        warehouse.write(lambda cursor: insert_calls(cursor, calls, start, _DAYS, findings=False))
        for place in range(_WHOLE):
            warehouse.ingest(whole_call(root / "analysed", place), root / "archive")
        Accounts(warehouse).add(
            "bench",
            "bench",
            frozenset({Role.QA, Role.SUPERVISOR}),
            password=_PASSWORD,
            must_change=False,
        )
    finally:
        warehouse.close()
