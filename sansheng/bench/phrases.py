"""``sansheng bench phrases``: spoken violations found, false accusations, speed of the search."""

import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer()

_PHRASES = 1000
"""Phrases of the speed figure, whatever the size of the site's phrasebook."""
_SPEED_S = 2.0


@app.command(epilog="Examples:  sansheng bench phrases --limit 60")
def phrases(
    corpus: Annotated[
        Path | None,
        typer.Option(help="Folder of spoken test calls made before; none: they are made now."),
    ] = None,
    limit: Annotated[int, typer.Option(help="Calls at most; 0: all.")] = 0,
) -> None:
    """Transcribe, search, check and decide spoken sentences whose truth is known.

    Prints one JSON object: recall, false_fail_rate, review_rate (of harmless sentences),
    utterances_per_s (text search, one core, 1,000 phrases), spoken_violations, spoken_harmless,
    search_ms (CPU for an agent's utterance: text, sound and meaning), check_share.
    """
    speed = _search_speed()
    with tempfile.TemporaryDirectory(prefix="sansheng-bench-") as made:
        figures = _listen(_readings(corpus, Path(made), limit))
    typer.echo(json.dumps({**figures, "utterances_per_s": speed}))


def _readings(corpus: Path | None, made: Path, limit: int) -> Iterator[tuple[Path, str, bool]]:
    """Folder, the speaker, and whether its sentence is a violation, of each spoken call."""
    if corpus is None:
        from voices.corpus import build

        for reading in build(made, limit=limit or None):
            yield made / reading.id, reading.speaker.value, bool(reading.family)
        return
    taken = 0
    for line in (corpus / "index.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if limit and taken >= limit:
            return
        if (corpus / row["id"] / "truth.json").is_file():
            taken += 1
            yield corpus / row["id"], row["speaker"], bool(row["family"])


def _listen(readings: Iterator[tuple[Path, str, bool]]) -> dict[str, Any]:
    from asr.check import check
    from asr.ears import transcribe
    from asr.engine import open_engine
    from calls.call import Channel
    from calls.hit import Kind, Status
    from phrasebook.book import load as load_book
    from phrasebook.search import search
    from phrasebook.verdict import decide
    from sansheng.settings import load

    book, engine, sides = load_book(), open_engine(load().asr), tuple(Channel)
    count = dict.fromkeys(("violations", "found", "failed", "harmless", "accused", "reviewed"), 0)
    hearing = checking = searching = 0.0
    utterances = 0
    for folder, speaker, bad in readings:
        recording = folder / "call.wav"
        started = time.perf_counter()
        transcript = transcribe(engine, folder.name, recording, sides)
        heard = time.perf_counter()
        if not utterances:
            search(book, transcript)  # builds the indexes and loads the meaning
        spent = time.process_time()
        candidates = search(book, transcript)
        searching += time.process_time() - spent
        utterances += sum(u.channel is Channel.AGENT for u in transcript.utterances)
        before = time.perf_counter()
        answers = check(engine, recording, sides, transcript, candidates)
        checking += time.perf_counter() - before
        hearing += heard - started
        hits = [
            hit
            for hit in decide(book, transcript, candidates, answers)
            if hit.candidate.kind is Kind.FORBIDDEN
        ]
        failed = any(hit.status is Status.FAIL for hit in hits)
        bad = bad and speaker == Channel.AGENT
        count["violations" if bad else "harmless"] += 1
        count["failed" if bad else "accused"] += failed
        count["found" if bad else "reviewed"] += bool(hits) and (bad or not failed)
    return {
        "recall": _share(count["found"], count["violations"]),
        "fail_share": _share(count["failed"], count["violations"]),
        "false_fail_rate": _share(count["accused"], count["harmless"]),
        "review_rate": _share(count["reviewed"], count["harmless"]),
        "spoken_violations": count["violations"],
        "spoken_harmless": count["harmless"],
        "search_ms": round(1000 * searching / utterances, 2) if utterances else None,
        "check_share": round(checking / hearing, 4) if hearing else None,
    }


def _search_speed() -> int:
    """Utterances a CPU second through the index of 1,000 phrases, normalising included."""
    from calls.text import normalise
    from phrasebook.book import load as load_book
    from phrasebook.index import PhraseIndex

    known = load_book().phrases
    filled = list(known[:_PHRASES])
    for number in range(_PHRASES - len(filled)):
        first, second = known[number % len(known)], known[(number * 7 + 3) % len(known)]
        text = first.forms[0] + second.forms[0]
        filled.append(replace(first, id=f"X{number}", forms=(text,), misheard=()))
    index = PhraseIndex(filled)
    texts = [p.text for p in known]
    for text in texts:
        index.find(normalise(text).text)
    done, started = 0, time.process_time()
    while (spent := time.process_time() - started) < _SPEED_S:
        for text in texts:
            index.find(normalise(text).text)
        done += len(texts)
    return round(done / spent)


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
