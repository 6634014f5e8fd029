"""Where an agent disclaims or refuses, and how sure that is."""

from collections.abc import Iterable

from calls.call import Channel
from calls.hit import Kind, Status
from scoring.facts import Cue, Facts, time_of
from scoring.words import Words, find, holds


def suspects(facts: Facts, families: Iterable[str], words: Words) -> tuple[Cue, ...]:
    """The agent's disclaimers or refusals, in order of time.

    Sure are the phrasebook's failures and words that stand in a text which the recogniser is sure
    of. A quotation, a question (行不行？), a guarded hit or an unsure text is a suspicion.
    """
    wanted = frozenset(families)
    found: list[Cue] = []
    for hit in facts.hits:
        candidate = hit.candidate
        if (
            candidate.kind is Kind.FORBIDDEN
            and candidate.family in wanted
            and candidate.channel is Channel.AGENT
            and hit.status in (Status.FAIL, Status.REVIEW)
        ):
            found.append(
                Cue(
                    Channel.AGENT,
                    candidate.start_ms,
                    candidate.end_ms,
                    candidate.heard or candidate.phrase,
                    hit.status is Status.FAIL,
                )
            )
    spoken = facts.utterances[Channel.AGENT] if facts.may_say(Channel.AGENT, words) else ()
    for utterance in spoken:
        for place in find(words, utterance.text):
            start, end = time_of(utterance, place.start, place.end)
            if any(cue.start_ms <= end and start <= cue.end_ms for cue in found):
                continue
            said = utterance.text[place.start : place.end]
            sure = not facts.unclear(utterance) and not holds(
                facts.rules.dialogue.quoting, utterance.text
            )
            found.append(Cue(Channel.AGENT, start, end, said, sure))
    return tuple(sorted(found, key=lambda cue: cue.start_ms))
