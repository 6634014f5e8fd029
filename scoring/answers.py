"""问有答声: a caller's question is met with a voice that says something."""

from collections.abc import Sequence

from calls.call import Call, Channel
from calls.hit import Status
from calls.scorecard import Evidence
from calls.speech import Utterance
from scoring.dialogue import Stretch, covered, gaps, join
from scoring.facts import Facts
from scoring.verdict import Verdict, seconds, verdict
from scoring.words import consists_of, holds


def answers_questions(facts: Facts) -> Verdict:
    """守则 9: no question is followed by more than 8 s without the agent, or by a bare 哦 only.

    Silence is time in which neither side speaks, outside SIP holds: a caller who goes on talking
    is being listened to. A bare sound counts against the agent only when the caller, after a
    pause, has to ask again.
    """
    rule = facts.rules.answers_questions
    questions = [u for u in facts.utterances[Channel.CALLER] if _asks(facts, u)]
    if not questions:
        return verdict(rule, Status.NA, "none")
    unclear = False
    busy = join((*facts.stretches[Channel.CALLER], *_holds(facts.call)))
    for question in questions:
        silence = _silence_after(facts, question, busy, rule.silence_ms)
        if silence[1] - silence[0] > rule.silence_ms:
            return verdict(
                rule,
                Status.FAIL,
                "silence",
                seconds=seconds(silence[1] - silence[0]),
                limit=f"{rule.silence_ms / 1000:g}",
                evidence=(facts.place(question), _empty(silence)),
            )
        bare = _bare_answer(facts, question)
        if bare is None:
            continue
        if facts.unclear(bare):
            unclear = True
            continue
        return verdict(
            rule,
            Status.FAIL,
            "bare",
            word=bare.text,
            evidence=(facts.place(question), facts.place(bare)),
        )
    if unclear:
        return verdict(rule, Status.REVIEW, "unclear")
    return verdict(rule, Status.PASS, "passed", questions=len(questions))


def _asks(facts: Facts, utterance: Utterance) -> bool:
    """Whether a caller's utterance asks something; what is unclear is not taken for a question."""
    text = utterance.text
    asks = "？" in text or "?" in text or holds(facts.rules.dialogue.question, text)
    return asks and not facts.unclear(utterance)


def _silence_after(
    facts: Facts, question: Utterance, busy: Sequence[Stretch], least_ms: int
) -> Stretch:
    """The longest silence of both sides between a question and the agent's next sound.

    ``busy``: the caller's speech and the holds, joined. Empty where none can be over ``least_ms``.
    """
    end = question.end_ms
    answer = next((s[0] for s in facts.stretches[Channel.AGENT] if s[1] > end), facts.end_ms)
    if answer - end <= least_ms:
        return end, end
    silent = gaps(busy, end, max(end, answer))
    return max(silent, key=lambda s: s[1] - s[0], default=(end, end))


def _bare_answer(facts: Facts, question: Utterance) -> Utterance | None:
    """The bare sound that was all the answer, if the caller then had to ask again."""
    dialogue = facts.rules.dialogue
    mine = facts.utterances[Channel.AGENT]
    first = next((u for u in mine if u.end_ms > question.end_ms), None)
    if first is None or not consists_of(dialogue.bare, first.text):
        return None
    again = next(
        (
            u
            for u in facts.utterances[Channel.CALLER]
            if u.start_ms >= question.end_ms and not consists_of(dialogue.backchannel, u.text)
        ),
        None,
    )
    until = again.start_ms if again else facts.end_ms
    replies = [u for u in mine if u.end_ms > question.end_ms and u.start_ms < until]
    if not replies or not all(consists_of(dialogue.bare, u.text) for u in replies):
        return None
    if until - replies[-1].end_ms < facts.rules.answers_questions.resume_ms:
        return None
    if again is not None and not _asks(facts, again):
        return None
    voice = [s for s in facts.stretches[Channel.AGENT] if s[1] > question.end_ms and s[0] < until]
    texts = [(u.start_ms, u.end_ms) for u in replies]
    least = facts.rules.doubt.unheard_ms
    if any(s[1] - s[0] - covered(s, texts) >= least for s in voice):
        return None
    return replies[-1]


def _holds(call: Call) -> tuple[Stretch, ...]:
    return tuple((hold.start_ms, hold.end_ms) for hold in call.holds)


def _empty(silence: Stretch) -> Evidence:
    return Evidence(channel=Channel.AGENT, start_ms=silence[0], end_ms=silence[1])
