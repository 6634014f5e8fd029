"""``sansheng phrases``: the interface that other tools rely on, and clear lines for bad input."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from calls.errors import PhrasebookError, SettingsError
from sansheng.commands.phrases import app
from tests.sansheng.spoken import VOICES, Spoken, knowing_engine, make_corpus

run = CliRunner().invoke


def test_check_keeps_order_and_form() -> None:
    cases = [
        {"id": "b", "speaker": "agent", "prev": "", "text": "我要下班啦"},
        {"id": 7, "speaker": "caller", "prev": "", "text": "我要下班啦"},
        {"id": "a", "speaker": "agent", "text": "您好，请讲"},
    ]
    lines = "\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    result = run(app, ["check", "--json"], input=lines + "\n")
    assert result.exit_code == 0
    out = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["id"] for row in out] == ["b", 7, "a"]
    assert out[0]["hits"][0].keys() == {"family", "phrase", "status", "score"}
    assert (out[0]["hits"][0]["family"], out[0]["hits"][0]["status"]) == ("F_off_duty", "fail")
    assert out[1]["hits"] == out[2]["hits"] == []


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("not json", "line 1 is no JSON"),
        ('{"id": 1, "speaker": "agent"}', "line 1 has no text"),
        ('{"id": 1, "speaker": "boss", "text": "x"}', "speaker is neither"),
    ],
)
def test_check_refuses_bad_lines(line: str, says: str) -> None:
    result = run(app, ["check"], input=line + "\n")
    assert isinstance(result.exception, PhrasebookError)
    assert says in str(result.exception)


def test_test_measures(tmp_path: Path) -> None:
    file = tmp_path / "cases.jsonl"
    rows = [("agent", "我要下班啦", "violation", "F_off_duty"), ("agent", "您好", "ok", "")]
    file.write_text(
        "".join(
            json.dumps({"id": i, "speaker": s, "prev": "", "text": t, "label": v, "family": f})
            + "\n"
            for i, (s, t, v, f) in enumerate(rows)
        ),
        encoding="utf-8",
    )
    out = run(app, ["test", str(file)]).stdout
    assert "violations found   1/1 = 1.000" in out
    assert "harmless in review 0/1 = 0.000" in out


def test_explain_says_why_in_chinese() -> None:
    assert "结论：违规" in run(app, ["explain", "我要下班啦"]).stdout
    assert "结论：没有问题" in run(app, ["explain", "您好，请讲"]).stdout


def test_list_names_the_families() -> None:
    out = run(app, ["list", "--family", "F_off_duty"]).stdout
    assert "F168\tF_off_duty\tcritical\tphrase\t我要下班啦" in out
    assert isinstance(run(app, ["list", "--family", "X"]).exception, PhrasebookError)


def test_calibrate_learns_from_what_was_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = [
        Spoken(f"s{n}", "我要下班啦", family="F_off_duty", voice=VOICES[n % 5]) for n in range(40)
    ]
    unsaid = [Spoken(f"u{n}", "我要下半碗面条", voice=VOICES[n % 5]) for n in range(40)]
    corpus, cache = make_corpus(tmp_path, [*said, *unsaid])
    command = ["calibrate", str(corpus), "--cache", str(cache)]
    for engine, limit in ((knowing_engine("我要下班啦"), 40), (knowing_engine(), 0)):
        monkeypatch.setattr("asr.engine.open_engine", lambda _, engine=engine: engine)
        result = run(app, [*command, "--limit", str(limit)])
    out = json.loads(result.stdout)
    assert out["observations"] > out["said"] > 0
    assert 0 < out["unseen_said"] < out["unseen"]
    _, found, false = next(row for row in out["curve_fit"] if row[0] == 0.5)
    assert (found, false) == (1.0, 0.0)


def test_calibrate_names_what_is_missing(tmp_path: Path) -> None:
    result = run(app, ["calibrate", str(tmp_path), "--cache", str(tmp_path / "heard")])
    assert isinstance(result.exception, SettingsError)
    assert "holds no index.jsonl" in str(result.exception)
