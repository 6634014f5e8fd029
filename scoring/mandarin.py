"""普通话: only ever a question to a person, for language identification errs on accents."""

from collections.abc import Sequence

from calls.call import Channel
from calls.hit import Status
from calls.scorecard import Evidence
from calls.speech import SpeechSpan, Utterance
from scoring.facts import Facts
from scoring.verdict import Verdict, seconds, verdict


def mandarin(facts: Facts) -> Verdict:
    """守则 12: review when the agent's speech is surely identified as another language.

    Speech counts whether or not words came of it: a dialect may give none.
    """
    rule = facts.rules.mandarin
    known = 0
    other = []
    for said in _speech(facts):
        length = max(0, said.end_ms - said.start_ms)
        if said.language_probability < rule.probability:
            continue
        known += length
        if said.language not in rule.languages:
            other.append(said)
    if known < rule.speech_ms or known == 0:
        return verdict(rule, Status.NA, "too_little")
    foreign = sum(max(0, said.end_ms - said.start_ms) for said in other)
    if foreign / known < rule.share:
        return verdict(rule, Status.PASS, "passed")
    return verdict(
        rule,
        Status.REVIEW,
        "suspected",
        seconds=seconds(foreign),
        share=f"{foreign / known:.0%}",
        evidence=tuple(_place(facts, said) for said in other[:3]),
    )


def _speech(facts: Facts) -> Sequence[SpeechSpan | Utterance]:
    """The agent's stretches of speech whose language was told; else the utterances."""
    spans = [s for s in facts.transcript.speech if s.channel is Channel.AGENT and s.language]
    return spans or facts.utterances[Channel.AGENT]


def _place(facts: Facts, said: SpeechSpan | Utterance) -> Evidence:
    mine = facts.utterances[Channel.AGENT]
    text = "".join(u.text for u in mine if said.start_ms <= u.start_ms < said.end_ms)
    end_ms = max(said.start_ms, said.end_ms)
    return Evidence(channel=Channel.AGENT, start_ms=said.start_ms, end_ms=end_ms, text=text)
