"""The shape of a rules file: what each rule may set, and what its sentences may name.

Nothing here has a default: a rules file is whole, so that its version says everything about how a
score was made.
"""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from scoring.words import Words

Placeholders = dict[str, frozenset[str]]


def _says(**sentences: str) -> Placeholders:
    return {key: frozenset(names.split()) for key, names in sentences.items()}


class Section(BaseModel):
    """A table of the rules file; an unknown key in it is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(Section):
    """What every scored rule has: a weight, its clause and its sentences."""

    SAYS: ClassVar[Placeholders] = {}
    """Each sentence that the rule can say, with the placeholders it may hold."""

    on: bool = Field(description="False takes the rule out of the score (na).")
    weight: float = Field(ge=0, le=100, description="Points of the rule.")
    clause: str = Field(min_length=1, description="Clause of the notice, as agents know it.")
    say: dict[str, str] = Field(description="Chinese sentences, with {placeholders}.")


class Line(Section):
    """When a line is too bad to hold what was heard on it against anyone."""

    mos_min: float = Field(ge=1, le=5, description="Below this mean opinion score a line is bad.")
    lost_share_max: float = Field(ge=0, le=1, description="Above this share of lost packets.")


class Doubt(Section):
    """When the recogniser's text is too uncertain to accuse anyone with."""

    log_probability: float = Field(le=0, description="Mean log-probability a token, below: unsure.")
    word_probability: float = Field(ge=0, le=1, description="Mean word probability, below: unsure.")
    unheard_ms: int = Field(ge=0, description="Speech of this length without text is unsure.")


class Dialogue(Section):
    """How utterances become turns, and what the sides say to consent."""

    join_ms: int = Field(ge=0, description="Speech with shorter pauses is one stretch.")
    backchannel: Words = Field(description="Short replies that neither make nor break a turn.")
    bare: Words = Field(description="Sounds that are no answer to a question.")
    question: Words = Field(description="Words of a question.")
    assent: Words = Field(description="Words of consent.")
    reply_characters: int = Field(ge=1, description="A clause this short is a reply.")
    closing: Words = Field(description="The caller's own farewell.")
    thanks: Words = Field(description="Thanks: a polite end, but no consent by itself.")
    number_digits: int = Field(ge=1, description="Digits in a row that make a telephone number.")
    way_out: Words = Field(description="Words of a transfer, a work order, or help.")
    quoting: Words = Field(description="Words that tell what somebody else said.")


class Notes(Section):
    """Sentences that several rules share."""

    SAYS: ClassVar[Placeholders] = _says(
        off="",
        unanswered="",
        no_recording="",
        no_sides="",
        mono="said",
        bad_line="said",
        unsure="said",
    )
    say: dict[str, str] = Field(description="Chinese sentences, with {placeholders}.")


class ThreeRings(Rule):
    """守则 12: answer within three rings."""

    SAYS: ClassVar[Placeholders] = _says(
        passed="rings seconds limit",
        failed="rings seconds limit",
        strict="seconds limit",
        unanswered="rings seconds limit",
        given_up="seconds limit",
        unknown="",
    )
    rings: int = Field(ge=1, le=20, description="Rings within which to answer.")
    cadence_ms: int = Field(ge=500, description="From one ring's start to the next (ms).")
    ring_on_ms: int = Field(ge=100, description="How long a ring sounds (ms).")
    strict: bool = Field(description="True: answer before the last allowed ring has ended.")


class Greeting(Rule):
    """守则 10, 9: 您好 first."""

    SAYS: ClassVar[Placeholders] = _says(
        passed="word seconds",
        missing="seconds",
        late="seconds limit word",
        question_first="question",
        silent="",
        unclear="",
        too_short="",
    )
    within_ms: int = Field(ge=0, description="The agent speaks first by this time.")
    first_characters: int = Field(
        ge=1, description="The greeting starts within so many characters."
    )
    words: Words = Field(description="Greetings.")
    question: Words = Field(description="Questions that must not come before the greeting.")


class Mandarin(Rule):
    """守则 12: speak Mandarin; only ever a review."""

    SAYS: ClassVar[Placeholders] = _says(passed="", suspected="seconds share", too_little="")
    languages: tuple[str, ...] = Field(description="Language codes that count as Mandarin.")
    probability: float = Field(ge=0, le=1, description="Language identification at least so sure.")
    share: float = Field(gt=0, le=1, description="Share of the agent's speech in another language.")
    speech_ms: int = Field(ge=0, description="Least identified speech of the agent (ms).")


class PleaseFirst(Rule):
    """守则 10: 请 before a request."""

    SAYS: ClassVar[Placeholders] = _says(
        passed="polite requests", failed="polite requests limit", too_few="requests"
    )
    requests: int = Field(ge=1, description="Fewer requests than this are na.")
    share: float = Field(ge=0, le=1, description="Share that must be polite.")
    pause_ms: int = Field(ge=0, description="Speech with shorter pauses is one request (ms).")
    request: Words = Field(description="Words that ask the caller to do something.")
    polite: Words = Field(description="Words that make a request polite.")


class AnswersQuestions(Rule):
    """守则 9: a question gets a voice."""

    SAYS: ClassVar[Placeholders] = _says(
        passed="questions", silence="seconds limit", bare="word", none="", unclear=""
    )
    silence_ms: int = Field(ge=0, description="Longest silence after a question (ms).")
    resume_ms: int = Field(ge=0, description="A bare sound, then so long a silence: no answer.")


class Farewell(Rule):
    """守则 9: a voice to see the caller off."""

    SAYS: ClassVar[Placeholders] = _says(
        passed="word",
        missing="seconds",
        cut="",
        too_short="",
        lost="",
        transferred="",
        unclear="",
    )
    within_ms: int = Field(ge=0, description="Before the end of the call (ms).")
    cut_ms: int = Field(
        ge=0, description="Speech that ended later than this before the end was cut."
    )
    words: Words = Field(description="Farewells.")


class HoldConsent(Rule):
    """守则 12: ask before holding."""

    SAYS: ClassVar[Placeholders] = _says(
        passed="holds",
        no_request="start seconds",
        no_assent="start seconds",
        no_return="start seconds",
        exempt="start",
        none="",
        unclear="start seconds",
    )
    silence_ms: int = Field(ge=0, description="Longer silence of the agent is a hold (ms).")
    pause_ms: int = Field(ge=0, description="Least silence that belongs to the same hold (ms).")
    word_ms: int = Field(ge=0, description="Shorter speech inside a hold does not end it (ms).")
    request_ms: int = Field(ge=0, description="The request comes so long before, at most (ms).")
    assent_ms: int = Field(ge=0, description="The caller may assent so long into the silence (ms).")
    return_ms: int = Field(ge=0, description="Thanks or apology so soon after (ms).")
    request: Words = Field(description="Words that ask the caller to wait.")
    thanks: Words = Field(description="Words of thanks or apology on return.")
    offer: Words = Field(description="The caller offers to wait: consent without a request.")
    refusal: Words = Field(description="Words of a caller who does not want to wait.")
    caller_waits: Words = Field(description="The caller asks to wait or fetches papers.")


class HangupConsent(Rule):
    """守则 12: ask before hanging up."""

    SAYS: ClassVar[Placeholders] = _says(
        passed="request assent",
        caller_closed="word",
        caller_hung_up="",
        unknown="",
        lost="",
        silent_line="",
        abusive="count",
        no_request="seconds",
        no_assent="request",
        refused="word",
        thanks_only="word",
        unclear="",
        cut_off="",
        cut_off_unclear="",
        incomplete="",
        transferred="",
    )
    within_ms: int = Field(ge=0, description="Request and assent in so long before the end (ms).")
    speaking_ms: int = Field(
        ge=0, description="Caller's speech that ran to within this of the BYE."
    )
    speech_ms: int = Field(ge=0, description="Least caller's speech that can be cut off (ms).")
    reminders: int = Field(ge=1, description="Civility warnings after which hanging up is allowed.")
    request: Words = Field(description="Words that ask whether the call may end.")
    objection: Words = Field(description="Words of a caller who wants to go on.")
    reminder: Words = Field(description="Civility warnings.")
    no_audio: Words = Field(description="The script for a line without sound.")


class ForbiddenPhrase(Rule):
    """守则 12: forbidden words."""

    SAYS: ClassVar[Placeholders] = _says(
        passed="", failed="count phrases", review="count phrases", minor="phrases"
    )
    passage_ms: int = Field(ge=0, description="Hits of a family so close are one finding (ms).")
    critical: float = Field(ge=0, le=1, description="Share of the weight a critical finding costs.")
    major: float = Field(ge=0, le=1, description="Share of the weight a major finding costs.")
    minor: float = Field(ge=0, le=1, description="Share of the weight a minor finding costs.")
    way_out: tuple[str, ...] = Field(
        description="Families that a named department or way out within two turns sends to review."
    )
    consent: tuple[str, ...] = Field(
        description="Families that the caller's consent to hang up sends to review."
    )


class Interruption(Rule):
    """守则 12: do not cut the caller short."""

    SAYS: ClassVar[Placeholders] = _says(passed="count", failed="count limit", none="")
    into_ms: int = Field(
        ge=0, description="The agent starts so long into the caller's speech (ms)."
    )
    overlap_ms: int = Field(ge=0, description="Both speak for so long (ms).")
    characters: int = Field(ge=1, description="Least characters of the agent's words.")
    times: int = Field(ge=1, description="Interruptions in a call that fail it.")


class Shirking(Rule):
    """守则 13: the first who is asked sees to it."""

    SAYS: ClassVar[Placeholders] = _says(
        passed="", resolved="phrase way_out", failed="phrase turns", review="phrase"
    )
    turns: int = Field(ge=0, description="Agent's turns after it in which a way out may come.")
    families: tuple[str, ...] = Field(description="Forbidden families that are disclaimers.")
    disclaimer: Words = Field(description="Words that disclaim.")


class FlatRefusal(Rule):
    """正文三: no flat 不行."""

    SAYS: ClassVar[Placeholders] = _says(
        passed="", resolved="phrase", failed="phrase turns", review="phrase"
    )
    turns: int = Field(
        ge=0, description="Agent's turns after it in which reason or way out may come."
    )
    families: tuple[str, ...] = Field(description="Forbidden families that are refusals.")
    refusal: Words = Field(description="Words that refuse.")
    reason: Words = Field(description="Words that give a reason.")
    advice: Words = Field(description="Words that show a way out.")


class Coaching(Section):
    """Unscored figures."""

    jump_db: float = Field(gt=0, description="A louder stretch by so much is a jump (dB).")


class RuleFile(Section):
    """The whole file."""

    version: str = Field(min_length=1, max_length=40, description="Name of this edition.")
    line: Line
    doubt: Doubt
    dialogue: Dialogue
    notes: Notes
    three_rings: ThreeRings
    greeting: Greeting
    mandarin: Mandarin
    please_first: PleaseFirst
    answers_questions: AnswersQuestions
    farewell: Farewell
    hold_consent: HoldConsent
    hangup_consent: HangupConsent
    forbidden_phrase: ForbiddenPhrase
    interruption: Interruption
    shirking: Shirking
    flat_refusal: FlatRefusal
    coaching: Coaching
