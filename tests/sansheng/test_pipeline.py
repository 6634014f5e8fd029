"""The steps of an analysis around an engine that hears what it was told to."""

from collections import defaultdict
from pathlib import Path

import msgspec

from asr.engine import Heard, Piece
from calls.call import Call
from calls.codec import from_json
from calls.hit import Kind, Status
from phrasebook import book
from sansheng.demo import demo_calls
from sansheng.pipeline import Analysed, Pipeline
from scoring import rules
from tests.asr.scripted import ScriptedEngine, at, line, record, speech
from tests.sansheng.conftest import call_document

HEARD, SAID = "您路上有没有病", "你脑子有毛病"
_UNSURE = 0.3


def analyse(folder: Path, *others: str) -> Analysed:
    """A call whose agent says one badly heard sentence."""
    pieces = tuple(
        Piece(character, 500 + 200 * place, 700 + 200 * place, _UNSURE)
        for place, character in enumerate(HEARD)
    )
    engine = ScriptedEngine(
        heard=[Heard(pieces=pieces, log_probability=-1.2)],
        scores=defaultdict(lambda: -6.0),
        others=others,
    )
    pipeline = Pipeline(engine=engine, book=book.load(), rules=rules.load())
    recording = record(folder, line(8), at(8, (2, speech())))
    document = call_document(demo_calls()[0])
    call = from_json(msgspec.json.encode(document), Call, name="call")
    return pipeline.analyse(call, recording)


def test_what_is_in_doubt_is_read_again_and_can_raise_a_review(tmp_path: Path) -> None:
    analysed = analyse(tmp_path, SAID, "你老子有毛病")
    assert analysed.transcript is not None
    assert [u.text for u in analysed.transcript.utterances] == [HEARD]
    assert [again.texts for again in analysed.transcript.again] == [(SAID, "你老子有毛病")]
    [hit] = [h for h in analysed.analysis.hits if h.candidate.kind is Kind.FORBIDDEN]
    assert (hit.candidate.by, hit.status) == ("meaning", Status.REVIEW)


def test_a_second_reading_that_tells_nothing_leaves_it_as_it_was(tmp_path: Path) -> None:
    analysed = analyse(tmp_path)
    assert analysed.transcript is not None
    assert [again.texts for again in analysed.transcript.again] == [()]
    assert not [h for h in analysed.analysis.hits if h.candidate.kind is Kind.FORBIDDEN]
