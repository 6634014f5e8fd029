"""What was heard of the spoken test calls, kept: one hearing serves every figure about phrases.

A call is transcribed once, what is in doubt is read again, and every phrase that any part of the
search may propose is put to its audio; a file a call in the cache keeps it all. Calibration, curves
and what each part is worth are then worked out without the audio, under whatever thresholds and
phrasebook are in force.
"""

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from calls.call import Channel
from calls.errors import EngineError, SettingsError
from calls.hit import Candidate, Reading
from calls.speech import SpeechSpan, Transcript, stretch
from phrasebook.book import Phrasebook
from phrasebook.search import doubtful, search

if TYPE_CHECKING:
    from asr.engine import Engine

INDEX_FILE = "index.jsonl"
_SIDES = tuple(Channel)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenTurn:
    """One turn of a call's truth, as far as the figures need it."""

    channel: Channel
    text: str
    voice: str
    speed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenCall:
    """One call of the corpus: its sentence, who says it, and how it sounds."""

    id: str
    sentence: str
    speaker: Channel
    family: str
    turn: int
    turns: tuple[SpokenTurn, ...]
    level_dbfs: float
    snr_db: float

    @property
    def is_violation(self) -> bool:
        """Whether its agent says what must not be said."""
        return bool(self.family) and self.speaker is Channel.AGENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What a file of the cache holds."""

    transcript: Transcript
    answers: dict[str, tuple[float, float] | None]
    """By question: log-probability of the phrase and of what was heard; None: not asked."""
    transcribe_s: float
    check_s: float
    again_s: float = 0.0
    """Processor seconds of what the product itself does: hear, ask, read a second time."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A call with what was heard of it."""

    call: SpokenCall
    kept: Kept

    def readings(self, candidates: Sequence[Candidate]) -> list[Reading | None]:
        """The audio's answers in the candidates' order, under the calibration in force."""
        from asr.check import calibration

        readings: list[Reading | None] = []
        for candidate in candidates:
            answer = self.kept.answers.get(_question(candidate))
            if answer is None:
                readings.append(None)
                continue
            phrase, heard = answer
            probability = round(calibration().probability(phrase, heard), 3)
            readings.append(
                Reading(phrase_logprob=phrase, heard_logprob=heard, probability=probability)
            )
        return readings


def hear(book: Phrasebook, corpus: Path, cache: Path, *, limit: int = 0) -> Iterator[Heard]:
    """The calls of a corpus that are made, each as kept in ``cache`` or else heard now.

    ``limit``: calls at most; 0: all. May be stopped and begun again at any point. Errors:
    SettingsError where there is no corpus, EngineError where another model heard the cache.
    """
    cache.mkdir(parents=True, exist_ok=True)
    ears = _Ears()
    for call in _calls(corpus, limit):
        file, recording = cache / f"{call.id}.json", corpus / call.id / "call.wav"
        kept = msgspec.json.decode(file.read_bytes(), type=Kept) if file.is_file() else None
        fuller = ears.complete(book, recording, kept)
        if fuller is not kept:
            partial = file.with_suffix(".partial")
            partial.write_bytes(msgspec.json.encode(fuller))
            partial.replace(file)
        yield Heard(call, fuller)


def search_alone(book: Phrasebook, transcript: Transcript) -> tuple[Candidate, ...]:
    """What is proposed when every utterance is searched without the others around it."""
    found = [c for c in search(book, transcript) if c.utterance < 0]
    for position, utterance in enumerate(transcript.utterances):
        single = replace(transcript, utterances=(utterance,), speech=())
        found += [replace(c, utterance=position) for c in search(book, single)]
    return tuple(found)


class _Ears:
    """The engine, opened when something is first to be heard."""

    def __init__(self) -> None:
        self._engine: Engine | None = None

    def complete(self, book: Phrasebook, recording: Path, kept: Kept | None) -> Kept:
        """The call heard, with an answer to every question; ``kept`` itself if it has them all."""
        if kept is None:
            kept = self._listen(book, recording)
        doubts = {stretch(span): span for span in doubtful(book, kept.transcript)}
        known = tuple(again for again in kept.transcript.again if stretch(again) in doubts)
        transcript = replace(kept.transcript, again=known)
        asked = {
            _question(candidate): candidate
            for candidates in (
                search(book, transcript, sound=False),
                search_alone(book, transcript),
                search(book, transcript),
            )
            for candidate in candidates
            if candidate.by != "meaning"
        }
        new = [c for question, c in asked.items() if question not in kept.answers]
        if not new and transcript == kept.transcript and len(known) == len(doubts):
            return kept
        engine = self._open()
        if (engine.name, engine.model) != (transcript.engine, transcript.model):
            raise EngineError(
                f"{transcript.call_id} was heard by {transcript.model}, not {engine.model}",
                remedy="name another --cache folder",
            )
        transcript, again_s = self._read_again(recording, transcript, list(doubts.values()))
        return replace(
            kept,
            transcript=transcript,
            answers=kept.answers | self._ask(recording, transcript, new),
            again_s=kept.again_s + again_s,
        )

    def _listen(self, book: Phrasebook, recording: Path) -> Kept:
        from asr.ears import transcribe

        engine, started = self._open(), time.process_time()
        transcript = transcribe(engine, recording.parent.name, recording, _SIDES)
        heard = time.process_time()
        transcript, again_s = self._read_again(recording, transcript, doubtful(book, transcript))
        candidates = search(book, transcript)
        before = time.process_time()
        answers = self._ask(recording, transcript, candidates)
        return Kept(
            transcript=transcript,
            answers=answers,
            transcribe_s=heard - started,
            check_s=time.process_time() - before,
            again_s=again_s,
        )

    def _read_again(
        self, recording: Path, transcript: Transcript, spans: Sequence[SpeechSpan]
    ) -> tuple[Transcript, float]:
        from asr.again import read_again

        before = time.process_time()
        fuller = read_again(self._open(), recording, _SIDES, transcript, spans)
        return fuller, time.process_time() - before

    def _ask(
        self, recording: Path, transcript: Transcript, candidates: Sequence[Candidate]
    ) -> dict[str, tuple[float, float] | None]:
        from asr.check import check

        readings = check(self._open(), recording, _SIDES, transcript, candidates)
        return {
            _question(c): (r.phrase_logprob, r.heard_logprob) if r else None
            for c, r in zip(candidates, readings, strict=True)
            if c.by != "meaning"
        }

    def _open(self) -> "Engine":
        from asr.engine import open_engine
        from sansheng.settings import load

        if self._engine is None:
            self._engine = open_engine(load().asr)
        return self._engine


def _question(candidate: Candidate) -> str:
    """What the audio is asked: which phrase in which place. Courtesy heard as such is not asked."""
    c = candidate
    place = (c.utterance, c.char_start, c.char_end, c.start_ms, c.end_ms)
    exact = "=" if c.by == "text" else "~"
    return " ".join((c.phrase_id, exact, *map(str, place)))


def _calls(corpus: Path, limit: int) -> Iterator[SpokenCall]:
    index = corpus / INDEX_FILE
    if not index.is_file():
        raise SettingsError(
            f"{corpus} holds no {INDEX_FILE}", remedy="make it: sansheng voices corpus -o FOLDER"
        )
    taken = 0
    for row in _rows(index.read_text(encoding="utf-8").splitlines()):
        file = corpus / row["id"] / "truth.json"
        if not file.is_file():
            continue
        if limit and taken >= limit:
            return
        taken += 1
        truth = json.loads(file.read_text(encoding="utf-8"))
        yield msgspec.convert(
            {
                **{name: row[name] for name in ("id", "sentence", "speaker", "family", "turn")},
                **{name: truth[name] for name in ("turns", "level_dbfs", "snr_db")},
            },
            type=SpokenCall,
        )


def _rows(lines: Iterable[str]) -> Iterator[dict[str, str]]:
    return (json.loads(line) for line in lines if line)
