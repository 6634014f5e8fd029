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
_AGENTS = 200
_TEAMS = 10
_DAYS = 90
_QUIET_DAYS = 3
"""Only the whole calls are of these last days, so that the queue draws whole ones."""
_WHOLE = 60
"""Calls with recording and transcript; the pages of a call are asked of these."""
_THINK_S = 2.0
"""Pause of a person between two pages."""
_PAGES = ("/calls", "/calls?show=fail", "/overview", "/queue", "/search?words=社保")
_RULES = (
    *("three_rings", "greeting", "please_first", "answers_questions", "farewell"),
    *("hangup_consent", "forbidden_phrase", "shirking"),
)
_RECORDING_S = 120


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
    from warehouse.store import Warehouse

    warehouse = Warehouse.open(root / "bench.duckdb")
    try:
        start = datetime.now(UTC) - timedelta(days=_DAYS + _QUIET_DAYS)
        warehouse.write(lambda cursor: _insert(cursor, calls, start))
        for place in range(_WHOLE):
            warehouse.ingest(_whole_call(root / "analysed", place), root / "archive")
        Accounts(warehouse).add(
            "bench",
            "bench",
            frozenset({Role.QA, Role.SUPERVISOR}),
            password=_PASSWORD,
            must_change=False,
        )
    finally:
        warehouse.close()


def _insert(cursor: Any, calls: int, start: datetime) -> None:
    cursor.execute(
        f"INSERT INTO agents SELECT CAST(1000 + range AS TEXT), 'agent ' || range,"
        f" 'team ' || (range % {_TEAMS}) FROM range({_AGENTS})"
    )
    cursor.execute(
        f"""
        INSERT INTO calls
        SELECT 'bench-' || range, 'bridge', CAST(1000 + hash(range) % {_AGENTS} AS TEXT),
               '139' || lpad(CAST(hash(range) % 100000000 AS TEXT), 8, '0'), '12345', began,
               began, CASE WHEN range % 20 = 0 THEN NULL ELSE began + INTERVAL 6 SECOND END,
               began + INTERVAL 3 MINUTE, 'caller', 'bye', ring, ring // 5000 + 1, 180000,
               100 - (range % 40) / 2, CAST(range % 7 = 0 AS INTEGER),
               0, false, NULL, '1', '1', '', '', began
        FROM (SELECT range, $start::TIMESTAMP
                     + to_seconds(CAST(range * {_DAYS * 86_400} // {calls} AS BIGINT)) AS began,
                     CAST(hash(range * 7) % 18000 AS INTEGER) AS ring FROM range({calls}))
        """,
        {"start": start},
    )
    names = ", ".join(f"'{rule}'" for rule in _RULES)
    cursor.execute(
        f"INSERT INTO items SELECT 'bench-' || range, rule,"
        " CASE WHEN hash(range, rule) % 60 = 0 THEN 'fail' ELSE 'pass' END, 5, 5, '守则12', NULL"
        f" FROM range({calls}), (SELECT unnest([{names}]) AS rule)"
    )
    cursor.execute(
        "INSERT INTO utterances SELECT 'bench-' || (range // 10), range % 10,"
        " CASE WHEN range % 2 = 0 THEN 'agent' ELSE 'caller' END, range % 10 * 3000,"
        " range % 10 * 3000 + 2500,"
        " CASE WHEN hash(range) % 500 = 0 THEN '我想问社保卡' ELSE '好的请您稍等我查一下' END"
        f" FROM range({min(calls, 200_000) * 10})"
    )


def _whole_call(root: Path, place: int) -> Path:
    import numpy as np

    from calls import wav
    from calls.call import Call, Channel, Mode, Recording
    from calls.codec import write_record
    from calls.handover import ANALYSIS_FILE, CALL_FILE, RECORDING_FILE, TRANSCRIPT_FILE
    from calls.hit import Status
    from calls.scorecard import Analysis, Item, Scorecard, Versions
    from calls.speech import Transcript, Utterance

    call_id = f"bench-whole-{place:03d}"
    folder = root / call_id
    folder.mkdir(parents=True)
    noise = np.random.default_rng(place).normal(0, 0.05, (_RECORDING_S * 8000, 2))
    wav.write(folder / RECORDING_FILE, noise.astype(np.float32), 8000)
    at = datetime.now(UTC) - timedelta(minutes=place + 5)
    call = Call(
        call_id=call_id,
        mode=Mode.IMPORT,
        caller="13900000000",
        called="12345",
        agent="1001",
        invited_at=at,
        ringing_at=at,
        answered_at=at + timedelta(seconds=5),
        ended_at=at + timedelta(seconds=5 + _RECORDING_S),
        recording=Recording(path=RECORDING_FILE, duration_ms=_RECORDING_S * 1000),
    )
    said = tuple(
        Utterance(
            channel=Channel.AGENT if n % 2 else Channel.CALLER,
            start_ms=n * 3000,
            end_ms=n * 3000 + 2500,
            text="好的，请您稍等，我为您查询一下。",
        )
        for n in range(_RECORDING_S // 3)
    )
    items = tuple(
        Item(rule=rule, status=Status.PASS, earned=5, weight=5, clause="守则12") for rule in _RULES
    )
    card = Scorecard(
        call_id=call_id,
        score=100.0,
        ring_ms=5000,
        rings=2,
        items=items,
        versions=Versions(rules="1", phrasebook="1"),
    )
    write_record(folder / CALL_FILE, call)
    write_record(
        folder / TRANSCRIPT_FILE,
        Transcript(call_id=call_id, duration_ms=_RECORDING_S * 1000, utterances=said),
    )
    write_record(folder / ANALYSIS_FILE, Analysis(scorecard=card))
    return folder


if __name__ == "__main__":
    app()
