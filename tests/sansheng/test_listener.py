"""A call under way is listened in on: warned of at once, and mostly heard when it ends."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import pytest

from calls import wav
from calls.call import Call, Channel, Mode, Recording
from calls.codec import from_json, write_record
from calls.errors import EngineError
from calls.handover import CALL_FILE, DRAFT_FILE, RECORDING_FILE, TRANSCRIPT_FILE, Spool, Stage
from calls.hit import Severity, Status
from calls.speech import Transcript
from sansheng.demo import CALLS, demo_calls
from sansheng.listener import Listener, Warnings, read_draft
from sansheng.pipeline import Pipeline
from sansheng.settings import Settings
from sansheng.worker import analyse_folder
from telephony.journal import Head, Journal, StreamFile
from telephony.sides import side_file
from tests.sansheng.conftest import call_document
from voices.truth import AGENT_FILE, CALLER_FILE

pytestmark = pytest.mark.model

RATE = 8000
STEP_S = 5
FILES = {Channel.CALLER: CALLER_FILE, Channel.AGENT: AGENT_FILE}


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return Pipeline.open(Settings())


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


def grow(folder: Path, name: str) -> Iterator[int]:
    """The demo call's side files, ``STEP_S`` more of them at each step; yields the seconds."""
    sides = {channel: wav.read(CALLS / name / file, 0) for channel, file in FILES.items()}
    length = max(map(len, sides.values()))
    for seconds in range(STEP_S, length // RATE + STEP_S, STEP_S):
        for channel, samples in sides.items():
            now = np.zeros(min(length, seconds * RATE), np.float32)
            own = samples[: len(now)]
            now[: len(own)] = own
            wav.write(folder / side_file(channel), now, RATE)
        yield seconds


def begin(spool: Spool, name: str) -> Path:
    folder = spool.begin(f"demo-{name}")
    Journal(
        folder,
        Head(
            call_id=folder.name,
            mode=Mode.BRIDGE,
            caller="1",
            called="2",
            agent="1002",
            invited_at=datetime.now(UTC),
        ),
    ).close()
    return folder


def end(spool: Spool, folder: Path, name: str) -> Path:
    """What the tap does when the call is over."""
    [truth] = [call for call in demo_calls() if call.name == name]
    sides = [folder / side_file(channel) for channel in Channel]
    wav.join(sides[0], sides[1], folder / RECORDING_FILE, "ALAW")
    call = from_json(msgspec.json.encode(call_document(truth)), Call, name=name)
    assert isinstance(call.recording, Recording)
    write_record(folder / CALL_FILE, call)
    return spool.hand_on(folder, Stage.RECORDED)


def test_a_critical_phrase_is_told_while_the_call_goes_on(spool: Spool, pipeline: Pipeline) -> None:
    [truth] = [call.truth for call in demo_calls() if call.name == "bad"]
    [turn] = [turn for turn in truth.turns if turn.violation]
    folder = begin(spool, "bad")
    listener, warnings = Listener(spool, look_s=0), Warnings(spool)
    told = []
    for seconds in grow(folder, "bad"):
        listener.listen(pipeline)
        told += [(seconds, *warning) for warning in warnings.fresh()]
    [(seconds, call_id, agent, warned)] = told
    assert (call_id, agent) == ("demo-bad", "1002")
    assert (warned.family, warned.severity) == (turn.violation, Severity.CRITICAL)
    assert warned.status is Status.FAIL
    assert abs(warned.at_ms - turn.start_ms) <= 500
    assert seconds * 1000 <= turn.end_ms + 11_200 + STEP_S * 1000
    assert seconds * 1000 < truth.duration_ms


def test_the_end_finds_most_of_it_heard_and_judges_alike(spool: Spool, pipeline: Pipeline) -> None:
    folder = begin(spool, "good")
    listener = Listener(spool, look_s=0)
    for _ in grow(folder, "good"):
        listener.listen(pipeline)
    ended = end(spool, folder, "good")
    draft = read_draft(ended)
    assert draft is not None
    analyse_folder(pipeline, ended)
    transcript = from_json((ended / TRANSCRIPT_FILE).read_bytes(), Transcript)
    known = [found for span in transcript.speech if (found := draft.find(span)) is not None]
    assert len(known) >= len(transcript.speech) // 2
    assert {found.utterance for found in known} - {None} <= set(transcript.utterances)
    (ended / DRAFT_FILE).unlink()
    analyse_folder(pipeline, ended)
    alone = from_json((ended / TRANSCRIPT_FILE).read_bytes(), Transcript)
    assert [(s.channel, s.start_ms, s.end_ms) for s in alone.speech] == [
        (s.channel, s.start_ms, s.end_ms) for s in transcript.speech
    ]
    assert [u.channel for u in alone.utterances] == [u.channel for u in transcript.utterances]


def test_a_call_is_one_listeners_at_a_time(spool: Spool, pipeline: Pipeline) -> None:
    folder = begin(spool, "bad")
    for _ in grow(folder, "bad"):
        pass
    with spool.claim(folder, ".listening") as mine:
        assert mine
        assert Listener(spool, look_s=0).listen(pipeline)
        assert not (folder / DRAFT_FILE).exists()
    Listener(spool, look_s=0).listen(pipeline)
    assert (folder / DRAFT_FILE).exists()


def test_sides_that_turned_out_otherwise_make_a_draft_worthless(
    spool: Spool, pipeline: Pipeline
) -> None:
    folder = begin(spool, "bad")
    for _ in grow(folder, "bad"):
        pass
    Listener(spool, look_s=0).listen(pipeline)
    assert read_draft(folder) is not None
    head = Head(
        call_id=folder.name,
        mode=Mode.SIPREC,
        caller="1",
        called="2",
        agent="1002",
        invited_at=datetime.now(UTC),
    )
    journal = Journal(folder, head)
    journal.streams(
        (
            StreamFile(file=side_file(Channel.CALLER), label="1", side=Channel.AGENT),
            StreamFile(file=side_file(Channel.AGENT), label="2", side=Channel.CALLER),
        )
    )
    journal.close()
    assert read_draft(folder) is None


def test_a_call_that_ends_under_the_listeners_hands_is_no_error(
    spool: Spool, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = begin(spool, "bad")
    for _ in grow(folder, "bad"):
        pass
    warn = pipeline.warn

    def ends(self: Pipeline, *parts: object) -> object:
        end(spool, folder, "bad")
        return warn(*parts)  # type: ignore[arg-type]

    monkeypatch.setattr(Pipeline, "warn", ends)
    Listener(spool, look_s=0).listen(pipeline)
    assert not folder.exists()
    assert read_draft(spool.folder(Stage.RECORDED, folder.name)) is None


def test_an_engine_that_fails_lets_the_call_be(
    spool: Spool, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = begin(spool, "bad")
    for _ in grow(folder, "bad"):
        pass
    tried = []

    def fail(self: Pipeline, *parts: object) -> object:
        tried.append(parts)
        raise EngineError("the speech engine failed")

    monkeypatch.setattr(Pipeline, "warn", fail)
    listener = Listener(spool, look_s=0)
    assert listener.listen(pipeline)
    assert not listener.listen(pipeline)
    assert len(tried) == 1
