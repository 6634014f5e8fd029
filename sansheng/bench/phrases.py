"""``sansheng bench phrases``: spoken violations found, false accusations, speed of the search."""

import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from calls.call import Channel
from calls.errors import SettingsError

if TYPE_CHECKING:
    from rich.console import Console

    from phrasebook.book import Phrasebook
    from sansheng.bench.hearing import Heard
    from sansheng.bench.outcomes import Outcome

app = typer.Typer()

_PHRASES = 1000
"""Phrases of the speed figure, whatever the size of the site's phrasebook."""
_SPEED_S = 2.0
_ALL = "nothing"


@app.command(
    epilog="Examples:  sansheng bench phrases --limit 60    |    "
    "sansheng bench phrases --corpus corpus --cache heard"
)
def phrases(
    corpus: Annotated[
        Path | None,
        typer.Option(help="Folder of spoken test calls made before; none: they are made now."),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(help="Folder that keeps what was heard, so that no call is heard twice."),
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="Calls at most; 0: all.")] = 0,
) -> None:
    """Transcribe, read again, search, check and decide spoken sentences whose truth is known.

    Prints one JSON object: recall, false_fail_rate, review_rate (of harmless sentences), the same
    without each part of the search (without), at other thresholds (curve) and by voice, speed, SNR
    and level (by); utterances_per_s (text search, one core, 1,000 phrases), search_ms (CPU for an
    agent's utterance), check_share and again_share (CPU of the audio check and of second readings,
    beside the transcription's). Tables for people go to the error stream.
    """
    from rich.console import Console

    from phrasebook.book import load
    from sansheng.bench.hearing import hear
    from sansheng.bench.outcomes import LEFT_OUT, as_it_is, bands, curves, judge

    speed, book = _search_speed(), load()
    with tempfile.TemporaryDirectory(prefix="sansheng-bench-") as made:
        spoken = corpus or _make(Path(made), limit)
        heard = list(hear(book, spoken, cache or Path(made) / "heard", limit=limit))
    if not heard:
        raise SettingsError(f"{spoken} holds no call", remedy="make some: sansheng voices corpus")
    parts = {_ALL: judge(book, heard, as_it_is)}
    parts |= {name: judge(book, heard, view) for name, view in LEFT_OUT.items()}
    by_threshold, by_band = curves(book, heard), bands(book, heard)
    console = Console(stderr=True, highlight=False)
    _print(console, "left out", parts)
    for name, values in (by_threshold | by_band).items():
        _print(console, name, values)
    whole = parts[_ALL].figures()
    figures = {
        **{k: whole[k] for k in ("recall", "fail_share", "false_fail_rate", "review_rate")},
        "spoken_violations": whole["violations"],
        "spoken_harmless": whole["harmless"],
        "search_ms": _search_ms(book, heard),
        "check_share": _share_of_hearing(heard, [h.kept.check_s for h in heard]),
        "again_share": _share_of_hearing(heard, [h.kept.again_s for h in heard]),
        "utterances_per_s": speed,
        "without": {name: parts[name].figures() for name in LEFT_OUT},
        "curve": _plain(by_threshold),
        "by": _plain(by_band),
    }
    typer.echo(json.dumps(figures, ensure_ascii=False))


def _make(folder: Path, limit: int) -> Path:
    from voices.corpus import build

    for _ in build(folder, limit=limit or None):
        pass
    return folder


def _print(console: "Console", title: str, rows: "Mapping[Any, Outcome]") -> None:
    """A table of outcomes: violations (bad) found and failed, harmless calls accused or in review.

    ``≤`` is the share accused that chance still allows (95 %).
    """
    from rich import box
    from rich.table import Table

    from scoring.calibration import share

    table = Table(box=box.SIMPLE, pad_edge=False)
    titles = ("bad", "found", "failed", "fine", "accused", "≤", "review")
    for column in (title, *titles):
        table.add_column(column, no_wrap=True)
    for name, o in rows.items():
        table.add_row(
            str(name),
            str(o.violations),
            _shown(o.found, o.violations),
            _shown(o.failed, o.violations),
            str(o.harmless),
            _shown(o.accused, o.harmless),
            f"{share(o.accused, o.harmless).high:.3f}",
            _shown(o.reviewed, o.harmless),
        )
    console.print(table)


def _shown(part: int, whole: int) -> str:
    return f"{part / whole:.3f}" if whole else "none"


def _plain(split: "Mapping[str, Mapping[Any, Outcome]]") -> dict[str, Any]:
    return {
        kind: {str(name): outcome.figures() for name, outcome in rows.items()}
        for kind, rows in split.items()
    }


def _search_ms(book: "Phrasebook", calls: "Sequence[Heard]") -> float | None:
    """CPU milliseconds of the search, with meaning, for one of the agent's utterances."""
    from phrasebook.search import search

    search(book, calls[0].kept.transcript)  # builds the indexes and loads the meaning
    spent = time.process_time()
    for heard in calls:
        search(book, heard.kept.transcript)
    spent = time.process_time() - spent
    utterances = sum(len(heard.kept.transcript.of(Channel.AGENT)) for heard in calls)
    return round(1000 * spent / utterances, 2) if utterances else None


def _share_of_hearing(calls: "Sequence[Heard]", spent: "Sequence[float]") -> float | None:
    """Processor time beside that of the transcription, as when the calls were heard."""
    hearing = sum(heard.kept.transcribe_s for heard in calls)
    return round(sum(spent) / hearing, 4) if hearing else None


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
