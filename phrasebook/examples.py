"""A phrasebook held against its own examples, so that no change quietly undoes an earlier one."""

from dataclasses import dataclass

from calls.call import Channel
from calls.hit import Kind, Status
from phrasebook.book import Phrase, Phrasebook
from phrasebook.search import check_text


@dataclass(frozen=True, slots=True)
class Miss:
    """A sentence that its phrase does not judge as it was written down."""

    phrase: Phrase
    sentence: str
    harmless: bool
    """It fails although it is harmless; else it is not found."""


def misses(book: Phrasebook) -> tuple[Miss, ...]:
    """Every example in which the phrase's family is not found, and every harmless one that fails.

    ``review`` is good enough for either: a person decides.
    """
    found: list[Miss] = []
    for phrase in book.of(Kind.FORBIDDEN):
        for sentence in phrase.examples:
            if not _statuses(book, phrase, sentence):
                found.append(Miss(phrase, sentence, harmless=False))
        for sentence in phrase.harmless:
            if Status.FAIL in _statuses(book, phrase, sentence):
                found.append(Miss(phrase, sentence, harmless=True))
    return tuple(found)


def _statuses(book: Phrasebook, phrase: Phrase, sentence: str) -> set[Status]:
    hits = check_text(book, Channel.AGENT, sentence)
    return {hit.status for hit in hits if hit.candidate.family == phrase.family}
