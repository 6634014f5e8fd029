"""The worker process: takes recorded calls from the spool, analyses them and hands them on."""

import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

import structlog

from calls.call import Call
from calls.codec import read_record, write_bytes, write_record
from calls.errors import EngineError, SanshengError
from calls.handover import ANALYSIS_FILE, CALL_FILE, TRANSCRIPT_FILE, Spool, Stage
from sansheng.listener import Listener, read_draft
from sansheng.log import configure
from sansheng.pipeline import Pipeline
from sansheng.settings import Settings, in_use, load

log = structlog.get_logger()

_LOOK_S = 0.2
"""How often an idle worker looks into the spool."""
_ROUND = 10
"""Calls until a worker looks whether the phrasebook or the rules have changed."""
_NICE = 5
"""The tap's processes come first: a late scorecard hurts nobody, a late packet does."""
_ATTEMPTS_FILE = ".attempts"
_MOST_ATTEMPTS = 3
"""A call on which the worker died this often is set aside, so that the others go on."""


def work_off(pipeline: Pipeline, spool: Spool, stop: threading.Event) -> int:
    """Analyse the recorded calls that wait, some at once; returns how many were handed on.

    One bad call is set aside with its reason and never stops the others; an engine error that may
    pass leaves the call where it is for the next round.
    """
    done = 0
    for folder in spool.claimed(Stage.RECORDED):
        if stop.is_set() or done >= _ROUND:
            break
        try:
            _count_attempt(folder)
            analyse_folder(pipeline, folder)
            (folder / _ATTEMPTS_FILE).unlink()
            spool.hand_on(folder, Stage.ANALYSED)
            done += 1
            log.info("analysed", call_id=folder.name)
        except EngineError as error:
            if error.retryable:
                raise
            _set_aside(spool, folder, error)
        except SanshengError as error:
            _set_aside(spool, folder, error)
    return done


def analyse_folder(pipeline: Pipeline, folder: Path) -> None:
    """Analyse the call in a hand-over folder and write the results beside it."""
    call = read_record(folder / CALL_FILE, Call)
    recording = folder / call.recording.path if call.recording else None
    analysed = pipeline.analyse(call, recording, draft=read_draft(folder))
    if analysed.transcript is not None:
        write_record(folder / TRANSCRIPT_FILE, analysed.transcript)
    write_record(folder / ANALYSIS_FILE, analysed.analysis)


def _count_attempt(folder: Path) -> None:
    counter = folder / _ATTEMPTS_FILE
    attempts = int(counter.read_text() or 0) if counter.exists() else 0
    if attempts >= _MOST_ATTEMPTS:
        counter.unlink()
        raise EngineError(
            f"the worker died {attempts} times on this call",
            remedy="look at its recording, then move the folder back to recorded/",
        )
    write_bytes(counter, str(attempts + 1).encode())


def _set_aside(spool: Spool, folder: Path, error: SanshengError) -> None:
    log.error("set aside", call_id=folder.name, error=error.message)
    spool.fail(folder, error)


def run(settings: Settings, spool: Spool, stop: threading.Event) -> None:
    """Work until told to stop, or until the service that started this process is gone."""
    parent = os.getppid()
    pipeline = Pipeline.open(settings)
    listener = Listener(spool)
    log.info("worker ready")
    while not stop.is_set() and os.getppid() == parent:
        if (now := in_use(settings)) != settings:
            settings, pipeline = now, pipeline.with_books(now)
            log.info("books changed", phrases=pipeline.book.version, rules=pipeline.rules.version)
        if work_off(pipeline, spool, stop):
            continue
        if not (settings.asr.during_call and listener.listen(pipeline)):
            stop.wait(_LOOK_S)


def main(arguments: list[str]) -> int:
    """``python -m sansheng.worker CONFIG``: started by the service, not by hand."""
    configure()
    os.nice(_NICE)
    stop = threading.Event()

    def on_signal(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        settings = load(Path(arguments[0]) if arguments else None)
        run(settings, Spool(settings.spool_dir), stop)
    except SanshengError as error:
        log.error("worker stops", error=str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
