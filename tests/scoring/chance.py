"""Calls by chance, of all that the rules look at: words, doubts, silences, holds, hits, lines."""

from dataclasses import replace
from datetime import timedelta
from random import Random

from calls.call import Call, Channel, EndedBy, EndReason, Hold, SideQuality
from calls.hit import Candidate, Hit, Kind, Severity, Status
from calls.speech import SpeechSpan, Transcript, Utterance, Word
from scoring.rules import RuleBook
from tests.scoring.scripted import make_call, make_transcript

_SAID = (
    *(
        "您好，政务服务热线，请问有什么可以帮您？",
        "好的",
        "嗯",
        "哦",
        "请您稍等，我查一下",
        "可以吗？",
    ),
    *(
        "谢谢，再见",
        "再见",
        "不行",
        "不行，因为系统在维护",
        "不归我管",
        "这个不归我管，您打12345",
        "ABC",
    ),
    *(
        "我去拿身份证",
        "稍等一下",
        "让您久等了",
        "您带上身份证，到窗口办理",
        "您填一下表",
        "还有别的事吗？",
    ),
    *(
        "没有了，谢谢",
        "什么时候上班？",
        "他说不行",
        "民政局负责",
        "请拨打02212345678",
        "等一下我还没说完",
    ),
)
_COURTESY = (
    *(
        "greeting",
        "hold_consent",
        "hold_return",
        "farewell",
        "assent",
        "no_more",
        "thanks",
        "please",
    ),
    *("caller_wait", "dissent", "referral_named", "transfer_consent", "callback", "silent_call"),
)


def chance_call(random: Random, book: RuleBook) -> tuple[Call, Transcript, tuple[Hit, ...]]:
    """A call, what was said in it and what the phrasebook found there."""
    at = random.randint(0, 4000)
    said: list[Utterance | SpeechSpan] = []
    for _ in range(random.randint(0, 24)):
        lasts = random.choice((300, 900, 2500, 6000))
        said.append(_utterance(random, at, at + lasts))
        if random.random() < 0.1:
            side = random.choice((Channel.AGENT, Channel.CALLER))
            said.append(SpeechSpan(channel=side, start_ms=at + 100, end_ms=at + 900))
        at = max(0, at + lasts + random.choice((-1500, 0, 200, 500, 3000, 9000, 25_000)))
    seconds = at / 1000 + random.choice((0, 0.5, 16))
    transcript = make_transcript(*said, length=seconds, apart=random.random() < 0.9)
    call = make_call(
        ring=random.choice((0.5, 6.0, 14.999, 15.0, 18.0)),
        length=seconds,
        ended_by=random.choice(tuple(EndedBy)),
        end_reason=random.choice(tuple(EndReason)),
        holds=tuple(_hold(random, at) for _ in range(random.choice((0, 0, 1, 2)))),
        quality=(
            SideQuality(channel=Channel.CALLER, packets=700, lost=random.choice((0, 0, 0, 90))),
        ),
        complete=random.random() < 0.95,
    )
    call = replace(call, ended_at=call.ended_at + timedelta(milliseconds=random.choice((0, 40))))
    utterances = len(transcript.utterances)
    return (
        call,
        transcript,
        tuple(_hit(random, book, at, utterances) for _ in range(random.randint(0, 5))),
    )


def _utterance(random: Random, start: int, end: int) -> Utterance:
    text = random.choice(_SAID)
    step = (end - start) // len(text)
    words = tuple(
        Word(
            start_ms=start + step * place,
            end_ms=start + step * (place + 1),
            char_start=place,
            char_end=place + 1,
            probability=random.choice((1.0, 0.9, 0.3)),
        )
        for place in range(len(text))
    )
    return Utterance(
        channel=random.choice((Channel.AGENT, Channel.CALLER)),
        start_ms=start,
        end_ms=end,
        text=text,
        words=random.choice((words, ())),
        log_probability=random.choice((0.0, 0.0, -0.2, -1.5)),
        language=random.choice(("zh", "zh", "zh", "yue")),
        language_probability=random.choice((1.0, 0.5)),
    )


def _hold(random: Random, until: int) -> Hold:
    start = random.randint(0, max(1, until))
    lasts = random.choice((500, 20_000))
    return Hold(
        start_ms=start, end_ms=start + lasts, by=random.choice((Channel.AGENT, Channel.CALLER))
    )


def _hit(random: Random, book: RuleBook, until: int, utterances: int) -> Hit:
    rules = book.file
    forbidden = (
        *(*rules.shirking.families, *rules.flat_refusal.families, "D_hurry"),
        *(*rules.forbidden_phrase.way_out, *rules.forbidden_phrase.consent),
    )
    kind = random.choice((Kind.FORBIDDEN, Kind.COURTESY))
    start = random.randint(0, max(1, until))
    candidate = Candidate(
        kind=kind,
        family=random.choice(forbidden if kind is Kind.FORBIDDEN else _COURTESY),
        phrase_id="p",
        phrase="某某",
        severity=random.choice(tuple(Severity)),
        channel=random.choice((Channel.AGENT, Channel.AGENT, Channel.CALLER)),
        utterance=random.randint(-1, utterances - 1),
        char_start=0,
        char_end=2,
        start_ms=start,
        end_ms=start + 900,
        heard="某某",
        score=0.9,
        by=random.choice(("text", "sound", "audio", "meaning")),
    )
    return Hit(candidate=candidate, status=random.choice(tuple(Status)), confidence=0.9)
