"""What the phrase search makes of spoken calls: as it is, without each of its parts, by thresholds.

All from what was heard once (``sansheng.bench.hearing``); no audio is asked.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from calls.hit import Candidate, Hit, Kind, Reading, Status
from phrasebook.book import Phrasebook
from phrasebook.search import search
from phrasebook.verdict import decide
from sansheng.bench.hearing import Heard, search_alone

View = Callable[[Phrasebook, Heard], Iterable[Hit]]
"""One way to come from a call that was heard to its hits."""

CURVES: Mapping[str, tuple[float, ...]] = {
    "fail_probability": (0.5, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98),
    "review_probability": (0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9),
    "meaning_heard": (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
}
"""Thresholds of the phrasebook's ``[verdict]`` and where the curves look at them."""
_SNR_DB = (15.0, 20.0, 25.0)
_LEVEL_DBFS = (-30.0, -25.0, -20.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of some calls, in calls."""

    violations: int = 0
    found: int = 0
    """Violations in ``fail`` or ``review``."""
    failed: int = 0
    harmless: int = 0
    accused: int = 0
    """Harmless calls in ``fail``: our worst bug."""
    reviewed: int = 0
    """Harmless calls in ``review``."""

    def figures(self) -> dict[str, Any]:
        """The counts and their shares; a share of nothing is None."""
        return {
            **asdict(self),
            "recall": _share(self.found, self.violations),
            "fail_share": _share(self.failed, self.violations),
            "false_fail_rate": _share(self.accused, self.harmless),
            "review_rate": _share(self.reviewed, self.harmless),
        }


def judge(book: Phrasebook, calls: Iterable[Heard], view: View) -> Outcome:
    """The outcome of calls seen in one way."""
    count: defaultdict[str, int] = defaultdict(int)
    for heard in calls:
        hits = [h for h in view(book, heard) if h.candidate.kind is Kind.FORBIDDEN]
        failed = any(hit.status is Status.FAIL for hit in hits)
        bad = heard.call.is_violation
        count["violations" if bad else "harmless"] += 1
        count["failed" if bad else "accused"] += failed
        count["found" if bad else "reviewed"] += bool(hits) and (bad or not failed)
    return Outcome(**count)


def as_it_is(book: Phrasebook, heard: Heard) -> Iterable[Hit]:
    """As the product does it."""
    return _decide(book, heard, search(book, heard.kept.transcript))


def curves(book: Phrasebook, calls: Sequence[Heard]) -> dict[str, dict[float, Outcome]]:
    """The outcome at each value of each threshold, the others being as they are."""
    return {
        name: {value: judge(_with(book, name, value), calls, as_it_is) for value in values}
        for name, values in CURVES.items()
    }


def bands(book: Phrasebook, calls: Sequence[Heard]) -> dict[str, dict[str, Outcome]]:
    """The outcome by voice, speed, SNR and level."""
    kinds: dict[str, Callable[[Heard], tuple[int, str]]] = {
        "voice": lambda h: (0, h.call.turns[h.call.turn].voice),
        "speed": lambda h: (0, f"{h.call.turns[h.call.turn].speed:.1f}"),
        "snr_db": lambda h: _band(h.call.snr_db, _SNR_DB),
        "level_dbfs": lambda h: _band(h.call.level_dbfs, _LEVEL_DBFS),
    }
    split: dict[str, dict[str, Outcome]] = {}
    for kind, key in kinds.items():
        groups: defaultdict[tuple[int, str], list[Heard]] = defaultdict(list)
        for heard in calls:
            groups[key(heard)].append(heard)
        split[kind] = {place[1]: judge(book, groups[place], as_it_is) for place in sorted(groups)}
    return split


def _decide(book: Phrasebook, heard: Heard, candidates: Sequence[Candidate]) -> Iterable[Hit]:
    return decide(book, heard.kept.transcript, candidates, heard.readings(candidates))


def _without_sound(book: Phrasebook, heard: Heard) -> Iterable[Hit]:
    return _decide(book, heard, search(book, heard.kept.transcript, sound=False))


def _without_check(book: Phrasebook, heard: Heard) -> Iterable[Hit]:
    transcript = heard.kept.transcript
    candidates = search(book, transcript)
    certain = Reading(phrase_logprob=0.0, heard_logprob=0.0, probability=1.0)
    said = [certain if reading else None for reading in heard.readings(candidates)]
    return decide(book, transcript, candidates, said)


def _without_audio(book: Phrasebook, heard: Heard) -> Iterable[Hit]:
    found = search(book, heard.kept.transcript)
    return _decide(book, heard, [c for c in found if c.by != "audio"])


def _without_meaning(book: Phrasebook, heard: Heard) -> Iterable[Hit]:
    found = search(book, heard.kept.transcript)
    never = _with(book, "meaning_fail", 0.0)
    return _decide(never, heard, [c for c in found if c.by != "meaning"])


def _without_guards(book: Phrasebook, heard: Heard) -> Iterable[Hit]:
    found = search(book, heard.kept.transcript)
    return _decide(book, heard, [replace(c, guards=()) for c in found])


def _without_context(book: Phrasebook, heard: Heard) -> Iterable[Hit]:
    return _decide(book, heard, search_alone(book, heard.kept.transcript))


def _without_second_reading(book: Phrasebook, heard: Heard) -> Iterable[Hit]:
    return _decide(book, heard, search(book, replace(heard.kept.transcript, again=())))


LEFT_OUT: Mapping[str, View] = {
    "sound": _without_sound,
    "was_it_said": _without_check,
    "audio": _without_audio,
    "meaning": _without_meaning,
    "second_reading": _without_second_reading,
    "guards": _without_guards,
    "context": _without_context,
}
"""The parts of the search, and how a call is seen without each: no likeness of sound; every
candidate taken as said; nothing proposed from the audio alone; no meaning; no second reading of
what is in doubt; no guards; every utterance searched alone."""


def _with(book: Phrasebook, name: str, value: float) -> Phrasebook:
    """The book with another threshold."""
    return replace(book, thresholds=book.thresholds.model_copy(update={name: value}))


def _band(value: float, edges: Sequence[float]) -> tuple[int, str]:
    """The band of a value among edges: its number, and its name as people read it."""
    number = bisect_right(edges, value)
    if number == 0:
        return number, f"below {edges[0]:g}"
    if number == len(edges):
        return number, f"from {edges[-1]:g}"
    return number, f"{edges[number - 1]:g} to {edges[number]:g}"


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
