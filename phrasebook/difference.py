"""What separates two phrasebooks, and where in a call that can matter.

Most changes are of a phrase or a guard: they matter only where the phrase's sound, or the guard's
words, stand in a call. There both books are searched, and nowhere else. Pure.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from calls.call import Channel
from calls.hit import Candidate, Hit, Kind
from calls.speech import Transcript, Utterance
from calls.text import spoken
from phrasebook import meaning
from phrasebook.book import Guard, Phrasebook
from phrasebook.index import PhraseIndex
from phrasebook.search import search
from phrasebook.sound import code
from phrasebook.source import Thresholds
from phrasebook.unheard import (
    WORDLESS,
    always_asked,
    far_off,
    is_seed,
    is_short,
    wordless_spans,
)

_HELD_AGAINST = ("fail_probability", "review_probability", "near_probability", "meaning_fail")
"""Thresholds that only what the audio said is held against."""
_WRITTEN = ("meaning_review",)
"""Thresholds of written text, by which no call is judged."""
_REFUTING = ("review_probability", "near_probability")
"""Thresholds under which the audio refutes a phrase and leaves no hit."""


class Reach(NamedTuple):
    """Where in a call two phrasebooks may say different things."""

    families: frozenset[str] | None
    """Whose hits may come out otherwise; None: any."""
    places: frozenset[int]
    """The utterances for which they may propose different candidates, and ``WORDLESS``."""
    before: tuple[Candidate, ...]
    """What the book before proposes there."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Two phrasebooks whose difference matters only in some places of some calls."""

    before: Phrasebook
    after: Phrasebook
    guards: tuple[Guard, ...]
    """The guards that are in one book only."""
    stricter: bool
    """Whether a threshold differs that only what the audio said is held against."""
    forbidden: PhraseIndex
    """The phrases that are in one book only; a changed one is there twice."""
    courtesy: PhraseIndex
    short: PhraseIndex

    def reach(self, transcript: Transcript, stored: Sequence[Hit]) -> Reach:
        """Where in a call the books differ; ``stored`` are the hits of the book before."""
        places = frozenset(self._touched(transcript))
        before = search(self.before, transcript, only=places) if places else ()
        if self.stricter and any(hit.reading is not None for hit in stored):
            return Reach(None, places, before)
        after = search(self.after, transcript, only=places) if places else ()
        apart = set(before) ^ set(after)
        # Words that the audio bears out silence what was proposed by meaning in the same place.
        here = {candidate.utterance for candidate in apart}
        silenced = {c for c in before if c.by == "meaning" and c.utterance in here}
        return Reach(frozenset(c.family for c in apart | silenced), places, before)

    def _touched(self, transcript: Transcript) -> Iterator[int]:
        """The utterances for which the books may propose different things, or ``WORDLESS``."""
        heard = [index for index in (self.courtesy,) if index.phrases]
        said = [index for index in (self.courtesy, self.forbidden) if index.phrases]
        for position, utterance in enumerate(transcript.utterances):
            agent = utterance.channel is Channel.AGENT
            indexes = said if agent else heard
            if not indexes and not (agent and self.guards):
                continue
            text = spoken(utterance.text)
            codes = code(text)
            if any(index.may_find(codes) and index.find(text) for index in indexes) or (
                agent and (self._guarded(text) or self._is_near(utterance, text))
            ):
                yield position
        if any(map(is_seed, self.short.phrases)) and any(wordless_spans(transcript)):
            yield WORDLESS

    def _guarded(self, text: str) -> bool:
        return any(guard.pattern.search(text) for guard in self.guards)

    def _is_near(self, utterance: Utterance, text: str) -> bool:
        """Whether a changed phrase may be put to the audio, the text being far off."""
        return bool(far_off(self.short, self.forbidden, utterance, text, opening=True))


def compare(before: Phrasebook, after: Phrasebook) -> Difference | None:
    """Where two phrasebooks differ; None where ``everywhere`` names what differs in every call."""
    if everywhere(before, after):
        return None
    phrases = set(before.phrases) ^ set(after.phrases)
    apart = sorted(phrases, key=lambda phrase: phrase.id)
    forbidden = [phrase for phrase in apart if phrase.kind is Kind.FORBIDDEN]
    return Difference(
        before=before,
        after=after,
        guards=tuple(set(before.guards) ^ set(after.guards)),
        stricter=bool(_differing(before.thresholds, after.thresholds) - set(_WRITTEN)),
        forbidden=PhraseIndex(forbidden),
        courtesy=PhraseIndex(phrase for phrase in apart if phrase.kind is Kind.COURTESY),
        short=PhraseIndex(phrase for phrase in forbidden if is_short(phrase)),
    )


def everywhere(before: Phrasebook, after: Phrasebook) -> tuple[str, ...]:
    """What differs and may matter in every sentence of every call, named as in the files."""
    found = [
        f"[compare] {name}"
        for name in ("final_particles", "leading_fillers")
        if getattr(before, name) != getattr(after, name)
    ]
    anywhere = _differing(before.thresholds, after.thresholds) - {*_HELD_AGAINST, *_WRITTEN}
    if forgives(before, after):
        anywhere |= set(_REFUTING) & _differing(before.thresholds, after.thresholds)
    found += [f"[verdict] {name}" for name in sorted(anywhere)]
    kept = [[g for g in one.guards if g in other.guards] for one, other in _both(before, after)]
    if kept[0] != kept[1]:
        found.append("the order of guards")
    found += [
        f"guard {guard.name}, which matches an empty text"
        for guard in set(before.guards) ^ set(after.guards)
        if guard.pattern.search("")
    ]
    found += [
        f"family {name}, which sentences are put into by their meaning"
        for name in meaning.families()
        if before.families.get(name) != after.families.get(name)
    ]
    if always_asked(before) != always_asked(after):
        found.append("the greeting or the farewell that is looked for in every call")
    return tuple(found)


def forgives(before: Phrasebook, after: Phrasebook) -> bool:
    """Whether the audio refutes less than before: what it refuted may have to be asked again."""
    return any(
        getattr(after.thresholds, name) < getattr(before.thresholds, name) for name in _REFUTING
    )


def _differing(before: Thresholds, after: Thresholds) -> set[str]:
    return {n for n in Thresholds.model_fields if getattr(before, n) != getattr(after, n)}


def _both(before: Phrasebook, after: Phrasebook) -> tuple[tuple[Phrasebook, Phrasebook], ...]:
    return (before, after), (after, before)
