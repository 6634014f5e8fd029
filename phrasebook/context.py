"""Where a phrase stands: clauses, guards, the turn before, and the place in the call in ms."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from calls.call import Channel
from calls.speech import Utterance
from calls.text import MappedText, is_spoken, normalise
from phrasebook.book import Phrase, Phrasebook
from phrasebook.index import Match
from phrasebook.sound import code

_CLAUSE_PAUSE_MS = 350
"""A pause between words that ends a clause where the recogniser set no mark."""
_PASSAGE_GAP_MS = 2000
"""Silence up to which two utterances of one side in a row belong together."""
_NOT_OPENING = "position"
HARMLESS = "meaning"
"""Guard of a hit whose sentence reads harmless as a whole."""
PASSING = "passing"
"""Guard of a phrase of one or two syllables that stands beside other clauses: 你说吧 after a
question is not the bare 你说！ of the list, and a person is to tell."""
ECHO = "echo"
"""Guard of words that the caller has just used: said back (滚蛋麻花，对吧), or the answer to that
question (会不会让人知道？不会), and a person is to tell."""
_BARE_SYLLABLES = 2


@dataclass(frozen=True, slots=True)
class Sentence:
    """A text made ready for comparison, with the places where clauses begin and end."""

    mapped: MappedText
    starts: frozenset[int]
    ends: frozenset[int]
    """Offsets in ``mapped.text``; an end is exclusive."""

    @property
    def text(self) -> str:
        """The normalised text."""
        return self.mapped.text


def read_sentence(text: str, pauses: Sequence[int] = ()) -> Sentence:
    """Normalise a text and find its clauses by its marks and by ``pauses`` (offsets in it)."""
    mapped = normalise(text)
    size = len(mapped.text)
    breaks = {0, size}
    for position, (left, right) in enumerate(pairwise(mapped.origin), start=1):
        between = text[left + 1 : right]
        if any(not is_spoken(c) and not c.isspace() for c in between) or any(
            left < pause <= right for pause in pauses
        ):
            breaks.add(position)
    return Sentence(mapped, frozenset(breaks - {size}), frozenset(breaks - {0}))


def pauses_of(utterance: Utterance) -> list[int]:
    """Offsets in the utterance's text at which its speaker paused."""
    return [
        after.char_start
        for before, after in pairwise(utterance.words)
        if after.start_ms - before.end_ms >= _CLAUSE_PAUSE_MS
    ]


def is_whole(book: Phrasebook, sentence: Sentence, match: Match) -> bool:
    """Whether the match fills whole clauses, fillers before and particles after it aside."""
    text = sentence.text
    start = max(s for s in sentence.starts if s <= match.start) if sentence.starts else 0
    end = min(e for e in sentence.ends if e >= match.end) if sentence.ends else len(text)
    return _only(text[start : match.start], book.leading_fillers) and _only(
        text[match.end : end], book.final_particles
    )


def is_most(book: Phrasebook, text: str, start: int, end: int) -> bool:
    """Whether characters ``start:end`` are a clause that is at least half of a text.

    Fillers and particles aside; a text without marks is one clause.
    """
    before, after = normalise(text[:start]).text, normalise(text[end:]).text
    if _only(before, book.leading_fillers) and _only(after, book.final_particles):
        return True
    sentence = read_sentence(text)
    edges = len(before), len(sentence.text) - len(after)
    clause = edges[0] in sentence.starts and edges[1] in sentence.ends
    return clause and 2 * (edges[1] - edges[0]) >= len(sentence.text)


def fits(book: Phrasebook, sentence: Sentence, match: Match) -> bool:
    """Whether a match counts: whole where it must be, and not read otherwise by ``exclude``."""
    phrase = match.phrase
    if phrase.whole and not is_whole(book, sentence, match):
        return False
    if phrase.exclude is not None:
        for found in phrase.exclude.finditer(sentence.text):
            if found.start() < match.end and match.start < found.end():
                return False
    return True


def is_in_passing(phrase: Phrase, *, alone: bool) -> bool:
    """Whether a phrase so short that it must stand alone does not."""
    return phrase.whole and not alone and len(phrase.forms[0]) <= _BARE_SYLLABLES


def guards_of(book: Phrasebook, phrase: Phrase, text: str, *, opening: bool) -> tuple[str, ...]:
    """Names of the guards that apply to a phrase in a text.

    ``opening``: the caller has not spoken yet.
    """
    plain = normalise(text).text
    names = [
        guard.name
        for guard in book.guards
        if (not guard.families or phrase.family in guard.families)
        and any(_beyond(found.span(), plain, phrase) for found in guard.pattern.finditer(plain))
    ]
    if phrase.first_turn and not opening:
        names.append(_NOT_OPENING)
    return tuple(names)


def is_echo(words: str, before: str) -> bool:
    """Whether words of two syllables or more sound in the other side's turn before them."""
    sound = code(normalise(words).text)
    return len(sound) > 1 and sound in code(normalise(before).text)


def turn_before(utterances: Sequence[Utterance], position: int) -> str:
    """What the other side said last before an utterance; empty where it had not spoken."""
    channel = utterances[position].channel
    last = position
    while last > 0 and utterances[last - 1].channel is channel:
        last -= 1
    first = last
    while first > 0 and utterances[first - 1].channel is not channel:
        first -= 1
    return " ".join(utterance.text for utterance in utterances[first:last])


def passage_of(utterances: Sequence[Utterance], position: int) -> str:
    """An utterance's text with its neighbours of the same side: a pause may cut a sentence."""
    first, last = position, position
    if position > 0 and _together(utterances[position - 1], utterances[position]):
        first -= 1
    if last + 1 < len(utterances) and _together(utterances[position], utterances[position + 1]):
        last += 1
    return " ".join(utterance.text for utterance in utterances[first : last + 1])


def _together(before: Utterance, after: Utterance) -> bool:
    return before.channel is after.channel and after.start_ms - before.end_ms <= _PASSAGE_GAP_MS


def is_opening(utterances: Sequence[Utterance], position: int) -> bool:
    """Whether an agent's utterance comes before the caller has said anything."""
    return not any(u.channel is Channel.CALLER and u.text.strip() for u in utterances[:position])


def place_ms(utterance: Utterance, start: int, end: int) -> tuple[int, int]:
    """Milliseconds of characters ``start:end`` of the utterance's text, from its words.

    Without words, by even spread over the utterance.
    """
    words = [w for w in utterance.words if w.char_start < end and w.char_end > start]
    if words:
        return words[0].start_ms, max(words[-1].end_ms, words[0].start_ms)
    length = max(1, len(utterance.text))
    span = utterance.end_ms - utterance.start_ms
    return (
        utterance.start_ms + span * start // length,
        utterance.start_ms + span * min(end, length) // length,
    )


def _only(text: str, allowed: Sequence[str]) -> bool:
    """Whether a text is made of the allowed pieces alone."""
    if not text:
        return True
    pattern = "|".join(re.escape(piece) for piece in sorted(allowed, key=len, reverse=True))
    return bool(pattern) and re.fullmatch(f"(?:{pattern})*", text) is not None


def _beyond(span: tuple[int, int], text: str, phrase: Phrase) -> bool:
    """Whether a guard's match is more than a piece of the phrase itself (您找谁 holds 您)."""
    for form in phrase.forms:
        at = text.find(form)
        if at >= 0 and at <= span[0] and span[1] <= at + len(form):
            return False
    return True
