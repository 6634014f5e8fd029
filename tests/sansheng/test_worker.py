"""The worker: one bad call never stops the others, and none is tried for ever."""

import multiprocessing
import os
import signal
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from asr.draft import Draft
from calls.call import Call, Mode
from calls.codec import read_record, write_record
from calls.errors import EngineError, RecordingError
from calls.handover import ANALYSIS_FILE, CALL_FILE, Spool, Stage
from calls.scorecard import Analysis, Scorecard, Versions
from sansheng.pipeline import Analysed, Pipeline
from sansheng.worker import work_off
from tests.peers.hotline import NOW


@dataclass
class FailingPipeline:
    """Stands for the pipeline where what is tested is what its failures do."""

    errors: dict[str, Exception] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)

    def analyse(
        self, call: Call, recording: Path | None, *, draft: Draft | None = None
    ) -> Analysed:
        del recording, draft
        self.seen.append(call.call_id)
        if call.call_id in self.errors:
            raise self.errors[call.call_id]
        card = Scorecard(
            call_id=call.call_id,
            score=None,
            ring_ms=None,
            rings=None,
            items=(),
            versions=Versions(rules="1", phrasebook="1"),
        )
        return Analysed(call, None, Analysis(scorecard=card))


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    spool = Spool(tmp_path)
    for call_id in ("a", "b", "c"):
        folder = spool.begin(call_id)
        write_record(
            folder / CALL_FILE,
            Call(
                call_id=call_id,
                mode=Mode.IMPORT,
                caller="",
                called="",
                agent="1001",
                invited_at=NOW,
                ended_at=NOW,
            ),
        )
        spool.hand_on(folder, Stage.RECORDED)
    return spool


def work(pipeline: FailingPipeline, spool: Spool) -> int:
    return work_off(cast(Pipeline, pipeline), spool, threading.Event())


def names(spool: Spool, stage: Stage) -> list[str]:
    return sorted(folder.name for folder in spool.waiting(stage))


def test_every_call_is_handed_on_with_its_scorecard(spool: Spool) -> None:
    assert work(FailingPipeline(), spool) == 3
    assert names(spool, Stage.ANALYSED) == ["a", "b", "c"]
    for folder in spool.waiting(Stage.ANALYSED):
        assert read_record(folder / ANALYSIS_FILE, Analysis).scorecard.call_id == folder.name
        assert not (folder / ".attempts").exists()


@pytest.mark.parametrize(
    "error", [RecordingError("torn", remedy="copy it again"), EngineError("no engine")]
)
def test_a_bad_call_is_set_aside_with_its_reason(spool: Spool, error: Exception) -> None:
    assert work(FailingPipeline({"b": error}), spool) == 2
    assert names(spool, Stage.ANALYSED) == ["a", "c"]
    [failed] = spool.waiting(Stage.FAILED)
    assert str(error) in (failed / "reason.txt").read_text()


def test_a_record_of_a_newer_version_is_set_aside(spool: Spool) -> None:
    path = spool.folder(Stage.RECORDED, "b") / CALL_FILE
    path.write_text('{"schema": 99}')
    assert work(FailingPipeline(), spool) == 2
    assert names(spool, Stage.FAILED) == ["b"]


def test_an_error_that_may_pass_leaves_the_call(spool: Spool) -> None:
    full = EngineError("out of memory", retryable=True)
    with pytest.raises(EngineError):
        work(FailingPipeline({"a": full}), spool)
    assert names(spool, Stage.RECORDED) == ["a", "b", "c"]
    assert work(FailingPipeline(), spool) == 3


class DeadlyPipeline(FailingPipeline):
    """A call on which the C library under the worker dies."""

    def analyse(
        self, call: Call, recording: Path | None, *, draft: Draft | None = None
    ) -> Analysed:
        if call.call_id == "a":
            os.kill(os.getpid(), signal.SIGKILL)
        return super().analyse(call, recording, draft=draft)


def _work_and_die(root: Path) -> None:
    work(DeadlyPipeline(), Spool(root))


def test_a_call_that_kills_the_worker_is_tried_three_times(spool: Spool) -> None:
    context = multiprocessing.get_context("spawn")
    for _ in range(3):
        worker = context.Process(target=_work_and_die, args=(spool.root,))
        worker.start()
        worker.join(60)
        assert worker.exitcode == -signal.SIGKILL
        assert names(spool, Stage.RECORDED)[0] == "a"
    pipeline = FailingPipeline()
    work(pipeline, spool)
    assert "a" not in pipeline.seen
    assert names(spool, Stage.FAILED) == ["a"]
    assert names(spool, Stage.ANALYSED) == ["b", "c"]


def test_a_worker_that_is_told_to_stop_begins_no_call(spool: Spool) -> None:
    stop = threading.Event()
    stop.set()
    assert work_off(cast(Pipeline, FailingPipeline()), spool, stop) == 0
    assert names(spool, Stage.RECORDED) == ["a", "b", "c"]
