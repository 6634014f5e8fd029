"""What was heard of spoken test calls serves every figure, and is heard once."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from typer.testing import CliRunner

from calls.errors import EngineError, SettingsError
from phrasebook import book as books
from sansheng.bench import hearing, phrases
from sansheng.bench.calibration import observe
from sansheng.bench.outcomes import LEFT_OUT, Outcome, as_it_is, bands, curves, judge
from tests.sansheng.spoken import CLEAR, Spoken, knowing_engine, make_corpus

BOOK = books.load()
EXACT = Spoken("v1", "不归我管", family="C_not_my_job")
MISHEARD = Spoken("v2", "快点，我这里正忙呢", "快点,我这里就忙能", family="E_busy")
MEANT = Spoken("v3", "这种事你也好意思打电话来问，脑子呢", family="H_rebuke")
OPENS = Spoken("v4", "找谁", family="A_blunt_opening", after="")
ALIKE = Spoken("h1", "我要下半碗面条")
LATE = Spoken("h2", "找谁")
FAR_OFF = Spoken("v5", "你脑子有毛病吧", "您路上有没有病", family="L_insult", log_probability=-1.0)
AGAIN = ("你脑子有毛病", "你老子有毛病")
PLAIN = Spoken("h3", "您好，您的工单已经转给供热办了，他们会联系您")
SAID = ("不归我管", "快点我这里正忙呢", "找谁")


@pytest.fixture
def corpus(tmp_path: Path) -> tuple[Path, Path]:
    said = (EXACT, MISHEARD, MEANT, OPENS, FAR_OFF, ALIKE, LATE, PLAIN)
    return make_corpus(tmp_path, said)


@pytest.fixture
def calls(corpus: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> list[hearing.Heard]:
    monkeypatch.setattr("asr.engine.open_engine", lambda _: knowing_engine(*SAID, others=AGAIN))
    return list(hearing.hear(BOOK, *corpus))


def test_a_call_is_asked_about_once(
    corpus: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = knowing_engine(*SAID, others=AGAIN)
    monkeypatch.setattr("asr.engine.open_engine", lambda _: engine)
    first = [h.kept for h in hearing.hear(BOOK, *corpus)]
    assert engine.asked
    assert [kept.transcript.call_id for kept in first if kept.transcript.again] == ["v5"]
    assert all(kept.answers for kept in first[:2])
    monkeypatch.setattr("asr.engine.open_engine", lambda _: pytest.fail("listened again"))
    assert [h.kept for h in hearing.hear(BOOK, *corpus)] == first


def test_what_was_heard_comes_back_as_the_audio_s_answers(calls: list[hearing.Heard]) -> None:
    from phrasebook.search import search

    (heard,) = [h for h in calls if h.call.id == "v1"]
    candidates = search(BOOK, heard.kept.transcript)
    answers = dict(zip([c.phrase for c in candidates], heard.readings(candidates), strict=True))
    reading = answers["不归我管"]
    assert reading is not None
    assert reading.phrase_logprob == CLEAR
    assert reading.probability > 0.5


def test_another_model_s_hearing_is_refused(
    corpus: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = knowing_engine(*SAID)
    engine.model = "another"
    monkeypatch.setattr("asr.engine.open_engine", lambda _: engine)
    with pytest.raises(EngineError, match="was heard by none, not another"):
        list(hearing.hear(BOOK, *corpus))


def test_a_folder_that_is_no_corpus_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"holds no index\.jsonl"):
        list(hearing.hear(BOOK, tmp_path, tmp_path / "heard"))


def test_no_more_calls_than_asked_for(corpus: tuple[Path, Path], calls: list[object]) -> None:
    assert len(calls) == 8
    assert [h.call.id for h in hearing.hear(BOOK, *corpus, limit=2)] == ["v1", "v2"]


@pytest.mark.parametrize(
    ("part", "call", "before", "after"),
    [
        ("sound", MISHEARD, "failed", "found"),
        ("meaning", MEANT, "found", "violations"),
        ("was_it_said", ALIKE, "harmless", "accused"),
        ("second_reading", FAR_OFF, "found", "violations"),
        ("guards", LATE, "reviewed", "accused"),
        ("context", LATE, "reviewed", "accused"),
    ],
)
def test_each_part_is_worth_something(
    calls: list[hearing.Heard], part: str, call: Spoken, before: str, after: str
) -> None:
    (heard,) = [h for h in calls if h.call.id == call.id]
    assert _what(judge(BOOK, [heard], as_it_is)) == before
    assert _what(judge(BOOK, [heard], LEFT_OUT[part])) == after


def test_without_the_audio_s_own_proposals_nothing_else_changes(
    calls: list[hearing.Heard],
) -> None:
    assert judge(BOOK, calls, LEFT_OUT["audio"]) == judge(BOOK, calls, as_it_is)


def test_curves_fall_and_bands_add_up(calls: list[hearing.Heard]) -> None:
    whole = judge(BOOK, calls, as_it_is)
    for values in curves(BOOK, calls).values():
        outcomes = [values[limit] for limit in sorted(values)]
        for lower, higher in pairwise(outcomes):
            assert higher.found <= lower.found
            assert higher.failed <= lower.failed
    for split in bands(BOOK, calls).values():
        assert sum(o.found for o in split.values()) == whole.found
        assert sum(o.harmless for o in split.values()) == whole.harmless
    assert set(bands(BOOK, calls)["snr_db"]) == {"20 to 25"}


def test_calibration_learns_what_was_truly_said(calls: list[hearing.Heard]) -> None:
    seen = {(o.call, o.said): o.phrase_logprob for o in observe(BOOK, calls)}
    assert seen["v1", True] == CLEAR
    assert ("h1", True) not in seen


def test_the_bench_prints_figures_and_a_table(
    corpus: tuple[Path, Path], calls: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phrases, "_search_speed", lambda: 1)
    folders = ["--corpus", str(corpus[0]), "--cache", str(corpus[1])]
    result = CliRunner().invoke(phrases.app, folders)
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert (figures["spoken_violations"], figures["spoken_harmless"]) == (5, 3)
    assert (figures["recall"], figures["false_fail_rate"]) == (1.0, 0.0)
    assert figures["check_share"] == 0.05
    assert figures["without"].keys() == LEFT_OUT.keys()
    assert figures["curve"]["fail_probability"]["0.9"]["fail_share"] == figures["fail_share"]
    assert all(name in result.stderr for name in LEFT_OUT)


def _what(outcome: Outcome) -> str:
    """What came of a single call, the most telling count."""
    order = ("failed", "found", "accused", "reviewed", "violations", "harmless")
    return next(name for name in order if getattr(outcome, name))
