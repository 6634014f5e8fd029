"""The catalogue: both languages whole, every key of the pages there, none left over."""

import re
from functools import cache
from pathlib import Path

import pytest

from portal.words import LANGUAGES, words

ROOM = Path(__file__).parents[2] / "portal"
USED = re.compile(r"""\bt\(\s*["']([a-z_]+\.[a-z_0-9]+)["']""")
BY_NAME = re.compile(r'"((?:password|login|users|nav|second)\.[a-z_]+)"')
"""Keys that a page is handed by name: faults, the menu."""
GROUPS = (
    *("role.", "status.", "severity.", "veto.", "channel.", "ended.", "reason.", "rule.", "by."),
    *("coaching.", "scope.", "error.", "calls.", "call.", "queue.", "overview.", "live."),
    *("appeal.state_", "alert.", "editions.", "editions_by.", "search_by."),
)
"""Keys that pages put together from a value: ``t("status." ~ item.status)``."""


@cache
def used() -> frozenset[str]:
    found: set[str] = set()
    for path in [*ROOM.rglob("*.html"), *ROOM.rglob("*.py")]:
        text = path.read_text(encoding="utf-8")
        for pattern in (USED, BY_NAME):
            found.update(match[1] for match in pattern.finditer(text))
    return frozenset(key for key in found if not key.endswith(("_", ".html")))


def test_the_languages_have_the_same_keys_and_places() -> None:
    first, *others = [words(language).table for language in LANGUAGES]
    for other in others:
        assert set(first) == set(other)
        for key, text in first.items():
            places = set(re.findall(r"{(\w+)}", text))
            assert places == set(re.findall(r"{(\w+)}", other[key])), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_key_that_a_page_uses_is_there(language: str) -> None:
    assert used() - set(words(language).table) == set()


def test_no_key_is_left_over() -> None:
    stale = {
        key
        for key in words("en").table
        if key not in used() and not any(key.startswith(group) for group in GROUPS)
    }
    assert stale == set()


def test_an_unknown_language_is_the_default() -> None:
    assert words("fr").language == "zh-CN"


def test_a_sites_own_rule_shows_by_its_name() -> None:
    assert words("en").name("rule", "own_rule") == "own_rule"
    assert words("en").name("rule", "greeting") == "Greeting"
