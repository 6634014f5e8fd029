"""Words in transcripts: found as they were written down, or by what sounds like them."""

from enum import StrEnum
from typing import Any

from calls.text import spoken
from phrasebook.sound import alike
from portal.access import Reach
from portal.ports import Store
from portal.records import reach_params
from portal.sql import statement

_RECENT = 200_000
"""Utterances that a search looks into first: some days of a busy hotline."""
_LONGEST = 60
_SHORTEST = 2
_MOST = 50


class By(StrEnum):
    """What a place has to have in common with the words that are looked for."""

    SOUND = "sound"
    """The recogniser errs on one character in five, mostly to one of the same sound."""
    WORDS = "words"


def search(
    store: Store,
    reach: Reach,
    words: str,
    *,
    by: By = By.WORDS,
    channel: str = "",
    many: int = _MOST,
) -> list[dict[str, Any]]:
    """Places in transcripts where the words were said, newest call first.

    Looks into what came in last, and into all the years only where that is not enough: too few
    places, or calls that came in long after they were made. ``literal`` of a place: the very words
    are there.
    """
    text = words.strip()[:_LONGEST]
    heard = spoken(text)
    if reach.nothing or len(text) < _SHORTEST:
        return []
    params = {
        **reach_params(reach),
        "words": text,
        "alike": alike(heard) if by is By.SOUND and len(heard) >= _SHORTEST else None,
        "channel": channel if channel in ("caller", "agent") else None,
        "many": many,
    }
    first = store.rows("SELECT count(*) AS n FROM utterances")[0]["n"] - _RECENT
    if first > 0:
        found = store.rows(statement("search"), {**params, "first": first}, max_rows=many)
        if len(found) == many:
            edge = {"at": found[-1]["invited_at"], "first": first}
            if store.rows(statement("search_whole"), edge)[0]["whole"]:
                return found
    return store.rows(statement("search"), {**params, "first": 0}, max_rows=many)
