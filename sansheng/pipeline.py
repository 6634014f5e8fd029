"""A recorded call through the ears, the phrasebook and the judge."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from asr.again import read_again
from asr.check import check
from asr.draft import Draft
from asr.ears import transcribe
from asr.engine import Engine, open_engine
from calls import wav
from calls.call import Call, Channel
from calls.errors import RecordingError
from calls.hit import Hit, Kind, Severity
from calls.scorecard import Analysis, Versions
from calls.sides import assign
from calls.speech import Transcript
from phrasebook import book as phrasebook_file
from phrasebook.book import Phrasebook
from phrasebook.search import doubtful, search
from phrasebook.verdict import decide
from sansheng.code import code_version
from sansheng.settings import Settings
from scoring import rules as rules_file
from scoring.judge import score
from scoring.rules import RuleBook


@dataclass(frozen=True, slots=True)
class Analysed:
    """What the analysis of one call gave."""

    call: Call
    transcript: Transcript | None
    """None for a call without a recording."""
    analysis: Analysis


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The engine with its model, the phrasebook and the rules, loaded once for many calls."""

    engine: Engine
    book: Phrasebook
    rules: RuleBook
    hotwords: tuple[str, ...] = ()

    @classmethod
    def open(cls, settings: Settings) -> "Pipeline":
        """Load everything that the settings name."""
        return cls(
            engine=open_engine(settings.asr),
            book=phrasebook_file.load(settings.phrasebook.path),
            rules=rules_file.load(settings.scoring.path),
            hotwords=settings.asr.hotwords,
        )

    def with_books(self, settings: Settings) -> "Pipeline":
        """The same engine with the phrasebook and the rules that the settings now name."""
        return replace(
            self,
            book=phrasebook_file.load(settings.phrasebook.path),
            rules=rules_file.load(settings.scoring.path),
        )

    def analyse(
        self,
        call: Call,
        recording: Path | None,
        progress: Callable[[float], None] | None = None,
        *,
        draft: Draft | None = None,
    ) -> Analysed:
        """Transcribe, read again what is in doubt, search, check and score one call.

        ``recording`` is where the call's WAV lies; None for a call without one. ``draft`` is what
        was heard of it while it went on. ``progress`` is told the share done, 0–1. A torn or empty
        recording is a RecordingError.
        """
        if recording is None:
            card = score(call, None, (), self.rules, self._versions(None))
            return Analysed(call, None, Analysis(scorecard=card))
        channels = call.recording.channels if call.recording else tuple(Channel)
        info = wav.inspect(recording)
        if channels and info.channels != len(channels):
            raise RecordingError(
                f"{recording} has {info.channels} channel(s), its call says {len(channels)}",
                remedy="mend recording.channels in call.json",
            )
        transcript = transcribe(
            self.engine,
            call.call_id,
            recording,
            channels,
            hotwords=self.hotwords,
            draft=draft,
            progress=progress,
        )
        if call.recording is not None:
            transcript = assign(transcript, call.recording.voices)
        doubts = doubtful(self.book, transcript)
        transcript = read_again(self.engine, recording, channels, transcript, doubts)
        candidates = search(self.book, transcript)
        readings = check(self.engine, recording, channels, transcript, candidates)
        hits = decide(self.book, transcript, candidates, readings)
        card = score(call, transcript, hits, self.rules, self._versions(transcript))
        return Analysed(call, transcript, Analysis(scorecard=card, hits=hits))

    def warn(self, heard: Transcript, since_ms: int, recording: Path) -> tuple[Hit, ...]:
        """The critical phrases that were said from ``since_ms`` on in a part of a call.

        ``recording`` has both sides apart, in the times of ``heard``. By words only: what meaning
        alone would say waits for the end of the call.
        """
        candidates = [
            candidate
            for candidate in search(self.book, heard)
            if candidate.severity is Severity.CRITICAL
            and candidate.kind is Kind.FORBIDDEN
            and candidate.by != "meaning"
            and candidate.start_ms >= since_ms
        ]
        readings = check(self.engine, recording, tuple(Channel), heard, candidates)
        return decide(self.book, heard, candidates, readings)

    def _versions(self, transcript: Transcript | None) -> Versions:
        return Versions(
            rules=self.rules.version,
            phrasebook=self.book.version,
            engine=transcript.engine if transcript else "",
            model=transcript.model if transcript else "",
            code=code_version(),
        )
