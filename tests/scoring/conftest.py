"""The judge as fixtures: all rules, or one, on a scripted call."""

from collections.abc import Callable
from pathlib import Path

import pytest

from calls.call import Call
from calls.hit import Hit
from calls.scorecard import Item, Scorecard
from calls.speech import Transcript
from scoring import rules as rules_file
from scoring.judge import score
from scoring.rules import RuleBook
from tests.scoring.scripted import VERSIONS, Judge


@pytest.fixture(scope="session")
def book() -> RuleBook:
    return rules_file.load()


@pytest.fixture
def card(book: RuleBook) -> Callable[..., Scorecard]:
    """Judge a call by all rules."""

    def run(
        call: Call, transcript: Transcript | None = None, *hits: Hit, rules: RuleBook = book
    ) -> Scorecard:
        return score(call, transcript, hits, rules, VERSIONS)

    return run


@pytest.fixture
def judge(card: Callable[..., Scorecard]) -> Judge:
    """Judge a call and take one rule's item."""

    def run(rule: str, call: Call, transcript: Transcript | None = None, *hits: Hit) -> Item:
        return next(i for i in card(call, transcript, *hits).items if i.rule == rule)

    return run


@pytest.fixture
def edited(tmp_path: Path) -> Callable[..., Path]:
    """The bundled rules with some text replaced, as a file of its own."""

    def make(*changes: tuple[str, str]) -> Path:
        text = Path(rules_file.__file__).with_name("data").joinpath("rules.toml").read_text("utf-8")
        for old, new in changes:
            assert text.count(old) >= 1, old
            text = text.replace(old, new, 1)
        path = tmp_path / "rules.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return make
