"""The words of the pages: one TOML file a language, looked up by key."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

LANGUAGES: Mapping[str, str] = {"zh-CN": "中文", "en": "English"}
"""Language to its own name; the first is the default."""


@dataclass(frozen=True, slots=True)
class Words:
    """One language's words."""

    language: str
    table: Mapping[str, str]

    def __call__(self, key: str, **values: Any) -> str:
        """The words of a key with ``{name}`` places filled; an unknown key is a KeyError."""
        return self.table[key].format(**values)

    def name(self, group: str, key: str | None) -> str:
        """The words of ``group.key``, or the key itself: rules and families may be a site's own."""
        return self.table.get(f"{group}.{key}", key or "")


@cache
def words(language: str) -> Words:
    """The words of a language; of the default one when it is unknown."""
    known = language if language in LANGUAGES else next(iter(LANGUAGES))
    text = files("portal").joinpath("catalogue", f"{known}.toml").read_text(encoding="utf-8")
    return Words(known, dict(_flat(tomllib.loads(text))))


def _flat(table: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, value in table.items():
        if isinstance(value, Mapping):
            found.extend(_flat(value, f"{prefix}{key}."))
        else:
            found.append((f"{prefix}{key}", str(value)))
    return found
