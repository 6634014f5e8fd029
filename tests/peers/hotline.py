"""The hotline of these tests: two teams, four roles, and calls handed over as the worker does."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from calls import wav
from calls.call import Call, Channel, EndedBy, EndReason, Hold, Mode, Recording, SideQuality
from calls.codec import write_record
from calls.handover import ANALYSIS_FILE, CALL_FILE, RECORDING_FILE, TRANSCRIPT_FILE
from calls.hit import Finding, Reading, Severity, Status
from calls.scorecard import Analysis, Evidence, Item, Scorecard, Versions
from calls.speech import Transcript, Utterance

PASSWORD = "Sansheng-2026-test"
NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
"""14:00 in Tianjin."""
RATE = 8000

AGENTS = {"1001": ("王丽", "一班"), "1002": ("李强", "一班"), "2001": ("赵敏", "二班")}
USERS = {
    "wangli": ("王丽", "agent", "一班", "1001"),
    "liqiang": ("李强", "agent", "一班", "1002"),
    "zhaomin": ("赵敏", "agent", "二班", "2001"),
    "qachen": ("陈质检", "qa", None, None),
    "qateam2": ("孙质检", "qa", "二班", None),
    "banzhang": ("周班长", "supervisor", None, None),
    "root": ("管理员", "admin", None, None),
}

WEIGHTS = {
    "three_rings": 10,
    "greeting": 10,
    "mandarin": 5,
    "please_first": 5,
    "answers_questions": 4,
    "farewell": 4,
    "hold_consent": 10,
    "hangup_consent": 12,
    "forbidden_phrase": 15,
    "interruption": 8,
    "shirking": 12,
    "flat_refusal": 5,
}
CLAUSES = {"three_rings": "守则12", "greeting": "守则10", "forbidden_phrase": "守则12"}


@dataclass(frozen=True, kw_only=True)
class Story:
    """What happens in one call of the tests."""

    call_id: str
    agent: str
    at: datetime
    ring_ms: int = 6200
    answered: bool = True
    phrase: str = ""
    heard: str = ""
    severity: Severity = Severity.CRITICAL
    finding: Status = Status.FAIL
    confidence: float = 0.97
    hold: bool = False


SAYINGS = (
    (Channel.AGENT, 200, 2200, "您好，政务服务热线，请问有什么可以帮您？"),
    (Channel.CALLER, 2600, 6400, "我想问一下社保卡怎么补办，我的电话是13812345678。"),
    (Channel.AGENT, 6900, 9800, "请您带上身份证，到就近的社保大厅办理。"),
    (Channel.CALLER, 10200, 11800, "中午有人上班吗？"),
)


def stories() -> list[Story]:
    """Twelve calls of one morning, for three agents."""
    found = []
    for place in range(12):
        agent = list(AGENTS)[place % 3]
        at = NOW - timedelta(hours=1 + place // 3, minutes=7 * place)
        found.append(Story(call_id=f"call-{place:02d}", agent=agent, at=at))
    found[0] = Story(
        call_id="call-00",
        agent="1001",
        at=NOW - timedelta(hours=1),
        phrase="快点，我这里正忙呢",
        heard="快点我这里正忙呢",
        hold=True,
    )
    found[1] = Story(
        call_id="call-01",
        agent="1002",
        at=NOW - timedelta(hours=1, minutes=5),
        ring_ms=18200,
        phrase="我要下班啦",
        heard="我要下班了",
        finding=Status.REVIEW,
        confidence=0.61,
        severity=Severity.MAJOR,
    )
    found[2] = Story(
        call_id="call-02", agent="2001", at=NOW - timedelta(hours=1, minutes=9), answered=False
    )
    found[4] = Story(
        call_id="call-04",
        agent="1002",
        at=NOW - timedelta(hours=2, minutes=9),
        phrase="不归我管",
        heard="不归我管",
        finding=Status.REVIEW,
        confidence=0.55,
        severity=Severity.MAJOR,
    )
    return found


def hand_over(story: Story, root: Path) -> Path:
    """Write an analysed hand-over folder with a real WAV, as the worker leaves it."""
    folder = root / story.call_id
    folder.mkdir(parents=True)
    duration = 15_000
    recording = None
    if story.answered:
        sound(folder / RECORDING_FILE, duration)
        recording = Recording(path=RECORDING_FILE, duration_ms=duration)
    answered = story.at + timedelta(milliseconds=story.ring_ms + 40) if story.answered else None
    call = Call(
        call_id=story.call_id,
        mode=Mode.BRIDGE,
        caller="+8613900001234",
        called="12345",
        agent=story.agent,
        invited_at=story.at,
        ringing_at=story.at + timedelta(milliseconds=40),
        answered_at=answered,
        ended_at=(answered or story.at + timedelta(seconds=22)) + timedelta(milliseconds=duration),
        ended_by=EndedBy.CALLER,
        end_reason=EndReason.BYE if story.answered else EndReason.NO_ANSWER,
        holds=(Hold(start_ms=12_000, end_ms=13_500, by=Channel.AGENT),) if story.hold else (),
        recording=recording,
        quality=(
            SideQuality(channel=Channel.CALLER, packets=740, lost=10, jitter_ms=12.0, mos=4.1),
            SideQuality(channel=Channel.AGENT, packets=750, lost=0, jitter_ms=2.0, mos=4.4),
        ),
    )
    write_record(folder / CALL_FILE, call)
    if story.answered:
        write_record(folder / TRANSCRIPT_FILE, transcript(story, duration))
    write_record(folder / ANALYSIS_FILE, Analysis(scorecard=scorecard(story)))
    return folder


def transcript(story: Story, duration: int) -> Transcript:
    """What was said in a story."""
    said = [
        Utterance(channel=c, start_ms=start, end_ms=end, text=text)
        for c, start, end, text in SAYINGS
    ]
    if story.heard:
        said.append(
            Utterance(
                channel=Channel.AGENT,
                start_ms=12_200,
                end_ms=13_800,
                text=f"{story.heard}，你问别人吧。",
            )
        )
    return Transcript(
        call_id=story.call_id,
        duration_ms=duration,
        utterances=tuple(said),
        engine="test-engine 1",
        model="test-model 00",
    )


def scorecard(story: Story) -> Scorecard:
    """The automatic scorecard of a story."""
    findings: tuple[Finding, ...] = ()
    if story.phrase:
        findings = (
            Finding(
                rule="forbidden_phrase",
                family="F_busy",
                phrase=story.phrase,
                heard=story.heard,
                channel=Channel.AGENT,
                start_ms=12_200,
                end_ms=13_300,
                confidence=story.confidence,
                severity=story.severity,
                status=story.finding,
                by="text",
                reading=Reading(
                    phrase_logprob=-0.41, heard_logprob=-0.38, probability=story.confidence
                ),
            ),
        )
    items = tuple(item(rule, story, findings) for rule in WEIGHTS)
    if not story.answered:
        items = (item("three_rings", story, ()),)
    counted = [i for i in items if i.status is not Status.NA]
    score = round(sum(i.earned for i in counted) / sum(i.weight for i in counted) * 100, 1)
    return Scorecard(
        call_id=story.call_id,
        score=score,
        ring_ms=story.ring_ms if story.answered else 22_000,
        rings=story.ring_ms // 5000 + 1 if story.answered else 5,
        items=items,
        findings=findings,
        versions=Versions(
            rules="1.0+aa11", phrasebook="1.0+bb22", engine="test-engine 1", model="test-model 00"
        ),
        coaching={"talk_share": 0.62, "chars_per_minute": 231.0},
    )


def item(rule: str, story: Story, findings: tuple[Finding, ...]) -> Item:
    """One rule's verdict in a story."""
    status, why, veto = Status.PASS, "", None
    evidence: tuple[Evidence, ...] = (
        Evidence(channel=Channel.AGENT, start_ms=200, end_ms=2200, text="您好"),
    )
    if rule == "three_rings":
        late = story.ring_ms >= 15_000 or not story.answered
        status = Status.FAIL if late else Status.PASS
        why = "铃响 4 声（18.2 秒）后接听，超过三声" if late else "三声之内接听"
        evidence = ()
    elif rule == "forbidden_phrase" and findings:
        status, why = findings[0].status, f"出现禁语“{story.phrase}”"
        veto = "pending" if findings[0].severity is Severity.CRITICAL else None
        evidence = (
            Evidence(channel=Channel.AGENT, start_ms=12_200, end_ms=13_300, text=story.heard),
        )
    elif rule in ("mandarin", "hold_consent") and not story.hold:
        status, why, evidence = Status.NA, "没有可判断的情况", ()
    return Item(
        rule=rule,
        status=status,
        earned=WEIGHTS[rule] if status in (Status.PASS, Status.REVIEW) else 0,
        weight=WEIGHTS[rule],
        clause=CLAUSES.get(rule, "守则9"),
        veto=veto,
        explanation=why,
        evidence=evidence,
    )


def sound(path: Path, duration_ms: int) -> None:
    """A two-sided WAV: a tone wherever that side speaks."""
    frames = duration_ms * RATE // 1000
    both = np.zeros((frames, 2), np.float32)
    clock = np.arange(frames) / RATE
    for place, (channel, start, end, _text) in enumerate(SAYINGS):
        span = slice(start * RATE // 1000, end * RATE // 1000)
        swell = 0.35 + 0.25 * np.sin(clock[span] * 9)
        both[span, 0 if channel is Channel.CALLER else 1] = swell * np.sin(
            2 * np.pi * (180 + 40 * place) * clock[span]
        )
    wav.write(path, both, RATE)
