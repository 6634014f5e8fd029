"""What a changed rules file cannot touch stands, and comes out as if all were judged anew."""

from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from calls.hit import Status
from calls.scorecard import Scorecard
from scoring.backtest import Stored, backtest
from scoring.facts import Facts
from scoring.judge import RULES, _item, rescore, score
from scoring.phrases import findings
from scoring.rules import RuleBook
from scoring.sections import RuleFile, Section
from scoring.standing import DEPARTMENTS, READS, compare, stands
from scoring.words import Words
from tests.scoring.chance import chance_call
from tests.scoring.scripted import VERSIONS

CALLS = 150
CODE = "c0de"
SECTIONS = [name for name in RuleFile.model_fields if name != "version"]


@pytest.fixture(scope="module")
def stored(book: RuleBook) -> list[Stored]:
    """Calls by chance, scored by the rules in use."""
    random = Random(20_260_301)
    versions = replace(VERSIONS, rules=book.version, code=CODE)
    made = []
    for _ in range(CALLS):
        call, transcript, hits = chance_call(random, book)
        card = score(call, transcript, hits, book, versions)
        made.append(Stored(call=call, transcript=transcript, hits=hits, scorecard=card))
    return made


def other(value: Any) -> Any:
    """A value of the same kind that judges otherwise."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value // 2 if value > 3 else value + 1
    if isinstance(value, float):
        return value / 2 or 0.5
    if isinstance(value, str):
        return value + "！"
    if isinstance(value, Words):
        return Words(any=(*value.any[1::2], "一"), unless=value.unless[::2])
    if isinstance(value, dict):
        return {key: other(one) for key, one in value.items()}
    return value[1:]


def variants(section: Section) -> Iterator[Section]:
    """The section with each of its keys changed, one at a time."""
    for key in type(section).model_fields:
        yield section.model_copy(update={key: other(getattr(section, key))})


def changes(book: RuleBook) -> Iterator[tuple[str, RuleBook]]:
    for name in SECTIONS:
        for section in variants(getattr(book.file, name)):
            yield (
                name,
                replace(book, file=book.file.model_copy(update={name: section}), version="t"),
            )
    departments = other(book.directory.departments)
    yield DEPARTMENTS, replace(book, directory=replace(book.directory, departments=departments))


def test_the_calls_meet_every_rule_in_every_state(stored: list[Stored]) -> None:
    met = {(item.rule, item.status) for one in stored for item in one.scorecard.items}
    assert {rule for rule, _ in met} == set(RULES) == set(READS)
    for rule in set(RULES) - {"mandarin", "interruption"}:
        assert (rule, Status.FAIL) in met, rule


def test_every_change_says_the_same_as_judging_anew(book: RuleBook, stored: list[Stored]) -> None:
    touched: set[str] = set()
    for name, tried in changes(book):
        standing = compare(book, tried, CODE)
        assert standing.changed == {name}
        part = stored[:: 1 + len(touched) % 3]
        plain = list(backtest(part, tried, None, replace(standing, version="another")))
        assert list(backtest(part, tried, None, standing)) == plain
        touched |= {name} if any(made.changed for made in plain) else set()
    assert touched >= set(SECTIONS) - {"coaching", "line", "notes"}


def test_what_stands_is_not_judged_again(book: RuleBook, stored: list[Stored]) -> None:
    one = next(one for one in stored if one.scorecard.score is not None)
    assert one.transcript is not None
    marked = replace(
        one.scorecard,
        items=tuple(replace(item, explanation="stands") for item in one.scorecard.items),
    )

    def told(changed: str) -> dict[str, bool]:
        assert one.transcript is not None
        card: Scorecard = rescore(
            one.call, one.transcript, one.hits, book, VERSIONS, marked, frozenset({changed})
        )
        return {item.rule: item.explanation == "stands" for item in card.items}

    assert told("please_first") == {rule: rule != "please_first" for rule in RULES}
    assert told("dialogue") == {rule: rule == "three_rings" for rule in RULES}
    assert not any(told("notes").values())


@pytest.mark.parametrize("apart", [{"rules": "older"}, {"code": "0lder"}, {"code": ""}])
def test_what_another_file_or_other_code_judged_is_judged_whole(
    book: RuleBook, stored: list[Stored], apart: dict[str, str]
) -> None:
    one = stored[0]
    foreign = replace(
        one,
        scorecard=replace(
            one.scorecard,
            versions=replace(one.scorecard.versions, **apart),
            items=tuple(replace(i, explanation="stands") for i in one.scorecard.items),
        ),
    )
    (made,) = backtest([foreign], book, None, compare(book, book, CODE))
    assert made.scorecard == replace(one.scorecard, coaching=None)
    assert made.elsewhere == ("code" in apart)


def test_nothing_is_judged_where_nothing_changed(book: RuleBook, stored: list[Stored]) -> None:
    one = next(one for one in stored if one.scorecard.score is not None)
    odd = replace(one, scorecard=replace(one.scorecard, items=one.scorecard.items[:3], score=1.0))
    (made,) = backtest([odd], replace(book, version="t"), None, compare(book, book, CODE))
    assert (made.before, made.after, made.changed) == (1.0, 1.0, False)
    assert made.scorecard is not None
    assert made.scorecard.versions == replace(one.scorecard.versions, rules="t")


class Watched:
    """Notes which attributes are asked for."""

    def __init__(self, what: Any, asked: set[str], name: str = "") -> None:
        self._what, self._asked, self._name = what, asked, name

    def __getattr__(self, key: str) -> Any:
        self._asked.add(self._name or key)
        return getattr(self._what, key)


@pytest.mark.parametrize("rule", sorted(READS))
def test_a_rule_reads_no_section_but_those_it_is_said_to(
    book: RuleBook, stored: list[Stored], rule: str
) -> None:
    asked: set[str] = set()
    file: Any = Watched(book.file, asked)
    directory: Any = Watched(book.directory, asked, DEPARTMENTS)
    watched = replace(book, file=file, directory=directory)
    for one in stored:
        assert one.transcript is not None
        facts = Facts(call=one.call, transcript=one.transcript, hits=one.hits, book=watched)
        _item(facts, rule, findings(facts) if rule == "forbidden_phrase" else ())
    assert asked <= READS[rule]
    assert stands(rule, frozenset())
    assert not stands(rule, frozenset(asked))
