"""The phrasebook in use, and a sentence held against it before anybody changes a phrase."""

from typing import Annotated, Any

from fastapi import Form, Request
from starlette.responses import Response

from calls.call import Channel
from calls.hit import Hit, Kind, Severity
from phrasebook.book import Phrase
from phrasebook.search import check_text
from portal.access import STAFF, Gate
from portal.desk import desk_of, page

LONGEST_SENTENCE = 200
_GRADES = (Severity.CRITICAL, Severity.MAJOR, Severity.MINOR)
Sentence = Annotated[str, Form(max_length=LONGEST_SENTENCE)]


def add(gate: Gate) -> None:
    """Add the routes of this module."""
    gate.add("GET", "/phrases", phrases, STAFF)
    gate.add("POST", "/phrases", try_sentence, STAFF)


def phrases(request: Request) -> Response:
    """Every family with its phrases, and a form to try a sentence."""
    return _page(request, "", "", None)


def try_sentence(request: Request, text: Sentence, prev: Sentence = "") -> Response:
    """What the phrasebook says of an agent's sentence; ``prev`` is the caller's before it.

    Nothing of it is kept, and it is no part of an address.
    """
    hits = check_text(desk_of(request).book, Channel.AGENT, text, prev)
    return _page(request, text, prev, hits)


def _page(request: Request, text: str, prev: str, hits: tuple[Hit, ...] | None) -> Response:
    book = desk_of(request).book
    families: dict[str, list[Phrase]] = {}
    for phrase in book.of(Kind.FORBIDDEN):
        families.setdefault(phrase.family, []).append(phrase)
    context: dict[str, Any] = {
        "version": book.version,
        "families": [
            (
                book.families[name].name,
                [grade for grade in _GRADES if grade in {p.severity for p in those}],
                sorted(p.text for p in those),
            )
            for name, those in families.items()
        ],
        "names": {name: family.name for name, family in book.families.items()},
        "text": text,
        "prev": prev,
        "hits": hits,
    }
    return page(request, "phrases.html", context)
