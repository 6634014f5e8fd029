"""``sansheng phrases``: list phrases, check sentences, measure on labelled ones, explain one."""

import json as jsonlib
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from calls.call import Channel
from calls.errors import PhrasebookError
from calls.hit import Kind, Status
from sansheng.commands.serve import Config

app = typer.Typer(
    no_args_is_help=True,
    help="List phrases, check sentences, measure on labelled ones, explain one.",
)

_WORST = 10
_REASONS = {
    "quote": "像是在转述别人的话",
    "way_out": "给了出路或受理部门",
    "polite": "带礼貌用语",
    "greeting": "已先问候",
    "about_caller": "说的是来电人",
    "position": "不在开头",
    "passing": "短语夹在别的话里",
    "echo": "来电人刚说过这些字",
    "meaning": "整句意思不像违规",
    "sound": "只是读音相近",
}


def _book(config: Path | None) -> Any:
    from phrasebook.book import load as load_book
    from sansheng.settings import load

    return load_book(load(config).phrasebook.path)


@app.command("list", epilog="Examples:  sansheng phrases list --family F_off_duty")
def list_phrases(
    family: Annotated[str, typer.Option(help="Only this family.")] = "",
    courtesy: Annotated[bool, typer.Option(help="Courtesy instead of forbidden phrases.")] = False,
    config: Config = None,
) -> None:
    """Print the phrases: id, family, severity, mode, text."""
    book = _book(config)
    if family and family not in book.families:
        raise PhrasebookError(f"no family {family}", remedy=f"one of {', '.join(book.families)}")
    for phrase in book.of(Kind.COURTESY if courtesy else Kind.FORBIDDEN):
        if not family or phrase.family == family:
            mode = "whole" if phrase.whole else "phrase"
            row = (phrase.id, phrase.family, phrase.severity.value, mode, phrase.text)
            typer.echo("\t".join(row))
    typer.echo(f"phrasebook {book.version}", err=True)


@app.command(epilog="Examples:  sansheng phrases check --json < cases.jsonl")
def check(
    json: Annotated[bool, typer.Option("--json", help="JSON lines out (the only form).")] = False,
    config: Config = None,
) -> None:
    """Check sentences from stdin, one JSON object a line with id, speaker, prev and text.

    Prints one object a line in the same order: id and hits (family, phrase, status, score).
    """
    del json
    from phrasebook.search import check_text

    book = _book(config)
    for number, line in enumerate(sys.stdin, start=1):
        if not line.strip():
            continue
        case = _case(line, f"line {number}")
        hits = check_text(book, Channel(case["speaker"]), case["text"], case.get("prev") or "")
        out = {
            "id": case.get("id"),
            "hits": [
                {
                    "family": h.candidate.family,
                    "phrase": h.candidate.phrase,
                    "status": h.status.value,
                    "score": h.confidence,
                }
                for h in hits
            ],
        }
        typer.echo(jsonlib.dumps(out, ensure_ascii=False))


@app.command("test", epilog="Examples:  sansheng phrases test cases.jsonl")
def measure(
    file: Annotated[Path, typer.Argument(help="JSON lines with label ok or violation.")],
    config: Config = None,
) -> None:
    """Measure on labelled sentences: precision, recall, confused families and the worst cases."""
    from phrasebook.search import check_text

    book = _book(config)
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise PhrasebookError(f"{file} cannot be read ({error.strerror})") from error
    count: Counter[str] = Counter()
    confused: Counter[tuple[str, str]] = Counter()
    worst: list[tuple[float, str]] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        case = _case(line, f"{file}, line {number}")
        hits = check_text(book, Channel(case["speaker"]), case["text"], case.get("prev") or "")
        failed = any(h.status is Status.FAIL for h in hits)
        bad = case.get("label") == "violation"
        count["violation" if bad else "ok"] += 1
        count[f"{'right' if bad else 'false'}_fail"] += failed
        count[f"{'right' if bad else 'false'}_review"] += bool(hits) and not failed
        best = max((h.confidence for h in hits), default=0.0)
        if bad and not hits:
            worst.append((1.0, f"missed {case.get('family', '')}: {case['text']}"))
        elif bad and case.get("family") not in {h.candidate.family for h in hits}:
            confused[case.get("family", ""), hits[0].candidate.family] += 1
        elif not bad and hits:
            worst.append((best + failed, f"false {hits[0].status.value}: {case['text']}"))
    found = count["right_fail"] + count["right_review"]
    raised = found + count["false_fail"] + count["false_review"]
    fails = count["right_fail"] + count["false_fail"]
    typer.echo(f"violations found   {_share(found, count['violation'])}")
    typer.echo(f"alarms right       {_share(found, raised)}")
    typer.echo(f"fails right        {_share(count['right_fail'], fails)}")
    typer.echo(f"harmless in review {_share(count['false_review'], count['ok'])}")
    for (true, said), times in confused.most_common(_WORST):
        typer.echo(f"confused {times}x  {true} -> {said}")
    for _, text in sorted(worst, key=lambda w: (-w[0], w[1]))[:_WORST]:
        typer.echo(text)


@app.command(epilog='Examples:  sansheng phrases explain "这个不归我管" --prev "那归谁管"')
def explain(
    sentence: Annotated[str, typer.Argument(help="What the agent said.")],
    prev: Annotated[str, typer.Option(help="What the caller said before.")] = "",
    config: Config = None,
) -> None:
    """Say in Chinese why a sentence is a violation, is to be reviewed, or is neither."""
    from phrasebook import meaning
    from phrasebook.search import check_text

    book = _book(config)
    hits = check_text(book, Channel.AGENT, sentence, prev)
    likelihood = meaning.likelihood(sentence, prev)
    if not hits:
        typer.echo("结论：没有问题。")
    for hit in hits:
        c = hit.candidate
        verdict = "违规" if hit.status is Status.FAIL else "需人工复核"
        typer.echo(f"结论：{verdict}（{book.families[c.family].name}）")
        if c.by == "meaning":
            typer.echo("依据：没有词库里的话，按整句意思判断，只提请复核")
            continue
        typer.echo(f"依据：听到“{c.heard}”")
        typer.echo(f"　　　词库中是“{c.phrase}”，相似度 {c.score:.2f}")
        for name in dict.fromkeys((*c.guards, hit.reason)):
            if name:
                typer.echo(f"说明：{_REASONS.get(name, name)}，所以只提请复核")
    if likelihood is not None:
        typer.echo(f"整句意思像违规的可能：{likelihood:.2f}")
    typer.echo(f"词库版本：{book.version} {meaning.version()}")


@app.command(epilog="Examples:  sansheng phrases calibrate corpus --cache heard --limit 40")
def calibrate(
    corpus: Annotated[Path, typer.Argument(help="Folder made by `sansheng voices corpus`.")],
    cache: Annotated[Path, typer.Option(help="Folder that keeps what was heard.")],
    limit: Annotated[int, typer.Option(min=0, help="Calls at most; 0: all.")] = 0,
) -> None:
    """Fit "was it said?" on spoken calls with known truth; report on unseen voices and sentences.

    Prints one JSON object; curves are rows of threshold, said found, unsaid taken as said.
    """
    from phrasebook.book import load as load_book
    from sansheng.bench.calibration import observe, report
    from sansheng.bench.hearing import hear

    book = load_book()
    found = observe(book, hear(book, corpus, cache, limit=limit))
    typer.echo(jsonlib.dumps(report(list(found))))


def _share(part: int, whole: int) -> str:
    return f"{part}/{whole} = {part / whole:.3f}" if whole else "none"


def _case(line: str, where: str) -> dict[str, Any]:
    """One labelled or unlabelled sentence; anything else is a clear error without its text."""
    try:
        case = jsonlib.loads(line)
    except jsonlib.JSONDecodeError as error:
        raise PhrasebookError(f"{where} is no JSON", remedy="one object a line") from error
    if not isinstance(case, dict) or not isinstance(case.get("text"), str):
        raise PhrasebookError(f"{where} has no text", remedy="keys: id, speaker, prev, text")
    if case.get("speaker") not in {c.value for c in Channel}:
        raise PhrasebookError(f"{where}: speaker is neither agent nor caller")
    return case
