"""Phrasebooks changed by chance, and calls in which that may matter."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random
from types import MappingProxyType
from zlib import crc32

from calls.call import Channel
from calls.hit import Candidate, Hit, Kind, Reading, Severity
from calls.speech import SpeechSpan, Transcript, Utterance
from calls.text import normalise
from phrasebook.book import Family, Guard, Phrase, Phrasebook
from phrasebook.search import search
from phrasebook.verdict import decide

_BESIDE = ("好的", "嗯", "您稍等", "这个我查一下", "材料带上到窗口办理", "是的", "行", "哦哦")
_FEW = 15
"""One phrase in so many."""
_MISHEARD = {"班": "般", "管": "馆", "你": "理", "知": "资", "是": "四", "说": "所", "快": "块"}


def chance_call(random: Random, book: Phrasebook) -> Transcript:
    """A call of the book's own sentences, in part misheard, cut, doubted or without words."""
    said: list[Utterance] = []
    speech: list[SpeechSpan] = []
    at = 0
    for _ in range(random.randint(3, 12)):
        text = _sentence(random, book)
        lasts = random.choice((400, 1500, 200 * max(1, len(text))))
        channel = random.choice((Channel.AGENT, Channel.AGENT, Channel.CALLER))
        if random.random() < 0.1:
            speech.append(SpeechSpan(channel=channel, start_ms=at, end_ms=at + 900))
            at += 1500
        said.append(
            Utterance(
                channel=channel,
                start_ms=at,
                end_ms=at + lasts,
                text=text,
                log_probability=random.choice((0.0, -0.2, -0.7)),
                language=random.choice(("zh", "zh", "zh", "yue")),
            )
        )
        at += lasts + random.choice((-300, 200, 800, 4000))
    return Transcript(
        call_id="c1", duration_ms=max(at, 1), utterances=tuple(said), speech=tuple(speech)
    )


def hits_of(book: Phrasebook, transcript: Transcript) -> tuple[Hit, ...]:
    """What a book makes of a call whose audio answers the same whenever it is asked the same."""
    candidates = search(book, transcript)
    return decide(book, transcript, candidates, [_heard(one) for one in candidates])


def altered(random: Random, book: Phrasebook, number: int) -> Phrasebook:
    """The book with one or a few changes of the kinds that people make."""
    for _ in range(random.choice((1, 1, 3))):
        book = random.choice(tuple(CHANGES.values()))(random, book)
    return replace(book, version=f"altered-{number}")


def _one(random: Random, book: Phrasebook) -> Phrase:
    """One of the few phrases that calls and changes are made of, so that they meet."""
    few = [phrase for phrase in book.phrases if crc32(phrase.id.encode()) % _FEW == 0]
    return random.choice(few)


def _sentence(random: Random, book: Phrasebook) -> str:
    phrase = _one(random, book)
    text = random.choice((*phrase.examples, *phrase.harmless, phrase.text, *_BESIDE[:2]))
    if random.random() < 0.3:
        text = random.choice(_BESIDE) + random.choice(("，", "")) + text
    if random.random() < 0.3:
        text = "".join(_MISHEARD.get(c, c) for c in text)
    if random.random() < 0.2 and len(text) > 3:
        place = random.randrange(len(text))
        text = text[:place] + random.choice("啊的了一不") + text[place + 1 :]
    return random.choice((text, text, text, random.choice(_BESIDE)))


def _heard(candidate: Candidate) -> Reading | None:
    """The audio's answer, by chance but the same for the same phrase in the same place."""
    if candidate.by == "meaning":
        return None
    if candidate.kind is Kind.COURTESY and candidate.by == "text":
        return None
    place = f"{candidate.phrase} {candidate.utterance} {candidate.start_ms} {candidate.char_start}"
    said = Random(place).choice((0.02, 0.2, 0.6, 0.95))
    return Reading(phrase_logprob=-1.0, heard_logprob=-0.5, probability=said)


def _with(book: Phrasebook, old: Phrase, *new: Phrase) -> Phrasebook:
    phrases: list[Phrase] = []
    for phrase in book.phrases:
        phrases += new if phrase is old else (phrase,)
    return replace(book, phrases=tuple(phrases))


def _removed(random: Random, book: Phrasebook) -> Phrasebook:
    return _with(book, _one(random, book))


def _added(random: Random, book: Phrasebook) -> Phrasebook:
    """A piece of what is said, in a family that is there or in one of its own."""
    like = _one(random, book)
    text = normalise(_sentence(random, book)).text[: random.choice((2, 3, 5, 8))] or "好的"
    family = random.choice((like.family, "Z_own"))
    families = {**book.families, family: book.families.get(family, Family(family, "自", like.kind))}
    kind = families[family].kind
    new = replace(
        like,
        id=f"n{random.random()}",
        kind=kind,
        family=family,
        text=text,
        forms=(text,),
        misheard=(),
        exclude=None,
        whole=random.random() < 0.3,
        sources=random.choice(((), ("seed",))),
    )
    return replace(_with(book, like, like, new), families=families)


def _graver(random: Random, book: Phrasebook) -> Phrasebook:
    old = _one(random, book)
    return _with(book, old, replace(old, severity=random.choice(tuple(Severity))))


def _whole(random: Random, book: Phrasebook) -> Phrasebook:
    old = _one(random, book)
    return _with(book, old, replace(old, whole=not old.whole))


def _excluded(random: Random, book: Phrasebook) -> Phrasebook:
    old = _one(random, book)
    exclude = None if old.exclude else re.compile(f"{old.forms[0]}.|{old.forms[0][:2]}")
    return _with(book, old, replace(old, exclude=exclude))


def _spelt(random: Random, book: Phrasebook) -> Phrasebook:
    old = _one(random, book)
    text = old.forms[0]
    return _with(book, old, replace(old, forms=(text[1:] or text, text + "了")))


def _moved(random: Random, book: Phrasebook) -> Phrasebook:
    old, other = _one(random, book), _one(random, book)
    return _with(book, old, replace(old, family=other.family, kind=other.kind))


def _guard(random: Random, book: Phrasebook) -> Phrasebook:
    if book.guards and random.random() < 0.5:
        gone = random.choice(book.guards)
        return replace(book, guards=tuple(g for g in book.guards if g is not gone))
    pattern = re.compile(random.choice(("我", "你|您", "的", "不", "办", "好")))
    guard = Guard(f"g{random.random()}", "守", pattern, frozenset())
    return replace(book, guards=(*book.guards, guard))


def _threshold(random: Random, book: Phrasebook) -> Phrasebook:
    name, value = random.choice(
        (("fail_probability", 0.5), ("fail_probability", 0.97), ("review_probability", 0.7),
         ("meaning_fail", 0.99), ("meaning_fail", 0.1), ("meaning_review", 0.9))
    )  # fmt: skip
    return replace(book, thresholds=book.thresholds.model_copy(update={name: value}))


CHANGES: Mapping[str, Callable[[Random, Phrasebook], Phrasebook]] = MappingProxyType(
    {
        "removed": _removed,
        "added": _added,
        "graver": _graver,
        "whole": _whole,
        "excluded": _excluded,
        "spelt": _spelt,
        "moved": _moved,
        "guard": _guard,
        "threshold": _threshold,
    }
)
"""The kinds of change, by name."""
