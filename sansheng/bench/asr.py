"""``sansheng bench asr``: speed, errors and memory of the ears, beside the stock pipelines."""

import json
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from calls.call import Channel

if TYPE_CHECKING:
    from asr.engine import Engine
    from calls.wav import Samples

app = typer.Typer()

_SIDES = (Channel.CALLER, Channel.AGENT)
_RATE = 8000


@dataclass(frozen=True, slots=True)
class Work:
    """A recording and what is said in it."""

    recording: Path
    duration_s: float
    truth: dict[Channel, str]
    """Normalised text of each side, in order."""


@app.command(
    epilog="Examples:  sansheng bench asr --minutes 30    |    sansheng bench asr --speech D"
)
def asr(
    minutes: Annotated[
        float, typer.Option(min=0.5, help="Length of the call made of many short turns.")
    ] = 5.0,
    corpus: Annotated[
        Path | None,
        typer.Option(help="Folder of calls with their truth (`sansheng voices`) in its place."),
    ] = None,
    speech: Annotated[
        Path | None,
        typer.Option(help="Folder of utterances with manifest.jsonl instead of the demo's."),
    ] = None,
    noise: Annotated[float, typer.Option(help="Of the line, in dBFS.")] = -62.0,
    seed: Annotated[int, typer.Option(help="Of the order of the turns.")] = 1,
    words: Annotated[
        bool, typer.Option(help="The peers tell the words' times too, as ours always do.")
    ] = False,
    alone: Annotated[
        bool, typer.Option(help="Ours only, as for the memory of an hour's call.")
    ] = False,
) -> None:
    """Transcribe the same calls with ours, stock faster-whisper and its batched pipeline.

    Same model, beam and threads; both sides of every call apart. Ours tell the words' times and the
    language as well: --words asks the peers for the times. rtf is seconds of work a second
    of call; peak_rss_mb is of ours, which runs first.
    """
    from rich.console import Console

    from asr.engine import open_engine
    from sansheng.settings import load

    console = Console(stderr=True, highlight=False)
    settings = load().asr
    with tempfile.TemporaryDirectory(prefix="sansheng-bench-") as folder:
        if corpus:
            work = list(_corpus(corpus))
        else:
            work = [_make(Path(folder), minutes * 60, seed, speech, noise)]
        total = sum(each.duration_s for each in work)
        console.print(f"{len(work)} call(s), {total / 60:.1f} min; ours …")
        ours = _measure(work, partial(_ours, open_engine(settings)))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        figures = {"rtf": ours.rtf, "cer": ours.cer, "missing": ours.missing}
        if not alone:
            stock, batched = _peers(settings, words)
            console.print("stock faster-whisper …")
            figures |= _beside(ours, _measure(work, stock), "stock")
            console.print("its batched pipeline …")
            figures |= _beside(ours, _measure(work, batched), "batched")
    figures |= {"peak_rss_mb": round(peak), "audio_s": round(total, 1)}
    typer.echo(json.dumps(figures))


@dataclass(frozen=True, slots=True)
class Measured:
    """What one way of hearing cost and gave."""

    rtf: float
    """Seconds of work a second of call."""
    processor: float
    """Processor seconds a second of call: tells less of what else the machine does."""
    cer: float
    """Character error rate over all sides."""
    missing: float
    """Share of the characters for which nothing was written: what is skipped costs no time."""


def _beside(ours: Measured, peer: Measured, name: str) -> dict[str, float]:
    """A peer's figures, and how ours compare."""
    return {
        f"{name}_rtf": peer.rtf,
        f"{name}_cer": peer.cer,
        f"{name}_missing": peer.missing,
        f"speed_to_{name}": round(peer.rtf / ours.rtf, 2),
        f"processor_to_{name}": round(ours.processor / peer.processor, 2),
    }


def _measure(work: list[Work], hear: Callable[[Work], dict[Channel, str]]) -> Measured:
    from rapidfuzz.distance import Levenshtein

    from calls.text import normalise

    errors = missing = characters = 0
    spent = processor = 0.0
    for each in work:
        started, used = time.perf_counter(), time.process_time()
        heard = hear(each)
        spent += time.perf_counter() - started
        processor += time.process_time() - used
        for side in _SIDES:
            edits = Levenshtein.editops(each.truth[side], normalise(heard[side]).text)
            errors += len(edits)
            missing += sum(edit.tag == "delete" for edit in edits)
            characters += len(each.truth[side])
    seconds = sum(each.duration_s for each in work)
    return Measured(
        rtf=round(spent / seconds, 4),
        processor=round(processor / seconds, 4),
        cer=round(errors / max(1, characters), 4),
        missing=round(missing / max(1, characters), 4),
    )


def _ours(engine: "Engine", work: Work) -> dict[Channel, str]:
    from asr.ears import transcribe

    transcript = transcribe(engine, "bench", work.recording, _SIDES)
    return {
        side: "".join(u.text for u in transcript.utterances if u.channel is side) for side in _SIDES
    }


def _peers(settings: Any, words: bool) -> tuple[Callable[[Work], dict[Channel, str]], ...]:
    """Stock faster-whisper and its batched pipeline, with our model and settings."""
    import os

    from faster_whisper import BatchedInferencePipeline, WhisperModel

    from asr.model import embedded_model
    from asr.text import simplified

    source = str(embedded_model()) if settings.model == "embedded" else settings.model
    model = WhisperModel(
        source,
        device=settings.device,
        compute_type=settings.compute_type,
        cpu_threads=settings.threads or min(4, os.cpu_count() or 1),
    )
    common = {"language": "zh", "beam_size": settings.beam_size, "word_timestamps": words}
    pipeline = BatchedInferencePipeline(model)

    def plain(work: Work) -> dict[Channel, str]:
        return {
            side: simplified(
                "".join(s.text for s in model.transcribe(samples, vad_filter=True, **common)[0])
            )
            for side, samples in _wideband(work)
        }

    def batched(work: Work) -> dict[Channel, str]:
        return {
            side: simplified(
                "".join(
                    s.text
                    for s in pipeline.transcribe(samples, batch_size=settings.batch_size, **common)[
                        0
                    ]
                )
            )
            for side, samples in _wideband(work)
        }

    return plain, batched


def _wideband(work: Work) -> "Iterator[tuple[Channel, Samples]]":
    from calls import wav
    from calls.resample import resample

    for index, side in enumerate(_SIDES):
        yield side, resample(wav.read(work.recording, index), _RATE, 16_000)


def _make(folder: Path, seconds: float, seed: int, speech: Path | None, noise: float) -> Work:
    from calls import wav
    from sansheng.bench.talk import demo_turns, make_talk, read_turns

    talk = make_talk(seconds, seed, read_turns(speech) if speech else demo_turns(), noise)
    recording = folder / "bench.wav"
    wav.write(recording, talk.samples, talk.sample_rate, "ALAW")
    return Work(recording, seconds, talk.truth)


def _corpus(folder: Path) -> Iterator[Work]:
    from calls import wav
    from calls.codec import read_record
    from calls.text import normalise
    from voices.truth import CALL_FILE, TRUTH_FILE, CallTruth

    for path in sorted(folder.glob(f"*/{TRUTH_FILE}")):
        truth = read_record(path, CallTruth)
        recording = path.with_name(CALL_FILE)
        yield Work(
            recording,
            wav.inspect(recording).duration_ms / 1000,
            {
                side: "".join(
                    normalise(turn.text).text for turn in truth.turns if turn.channel is side
                )
                for side in _SIDES
            },
        )
