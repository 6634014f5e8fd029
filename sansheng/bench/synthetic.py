"""Synthetic calls by the million for the benches, and whole ones with recording and transcript."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any

AGENTS = 200
_TEAMS = 10
RULES = (
    *("three_rings", "greeting", "please_first", "answers_questions", "farewell"),
    *("hangup_consent", "forbidden_phrase", "shirking"),
)
_PATTERNS = 2 ** len(RULES)
"""Different sets of verdicts that the calls have: each rule applies or does not."""
_TRANSCRIPTS = 200_000
"""Calls with a transcript, at most."""
_UTTERANCES = 10
_WORDS = (
    *(
        "好的",
        "请您",
        "稍等",
        "我查一下",
        "这个",
        "材料",
        "身份证",
        "带上",
        "到窗口",
        "办理",
        "居住证",
    ),
    *("医保", "报销", "公积金", "什么时候", "可以", "不用", "谢谢", "再见", "您说", "地址", "开门"),
)
_SAID = 7
"""Words of an utterance: 2.5 billion different ones."""
_RECORDING_S = 120
_ID = "strftime(began, '%Y%m%d-%H%M%S') || printf('-%08x', range)"
"""As the tap names its calls: by their time, which keeps a call's rows together in the file."""
_NOISES = 4
"""Different recordings of the whole calls."""
_RULED = 2_000
"""Calls on which people have ruled, at most."""


def insert_calls(
    cursor: Any, calls: int, start: datetime, days: int, *, findings: bool = True
) -> None:
    """Insert calls of two hundred agents over ``days`` from ``start``, in order of time.

    All have a scorecard with its verdicts, one in seven a finding (with ``findings``: calls that
    a queue would draw, though they have no record to open); the first 200,000 a transcript.
    """
    cursor.execute(
        f"INSERT INTO agents SELECT CAST(1000 + range AS TEXT), 'agent ' || range,"
        f" 'team ' || (range % {_TEAMS}) FROM range({AGENTS})"
    )
    cursor.execute(
        f"""
        INSERT INTO calls
        SELECT {_ID}, 'bridge', CAST(1000 + hash(range) % {AGENTS} AS TEXT),
               '139' || lpad(CAST(hash(range) % 100000000 AS TEXT), 8, '0'), '12345', began,
               began, CASE WHEN range % 20 = 0 THEN NULL ELSE began + INTERVAL 6 SECOND END,
               began + INTERVAL 3 MINUTE, 'caller', 'bye', ring, ring // 5000 + 1, 180000,
               100 - (range % 40) / 2, CAST(range % 7 = 0 AS INTEGER),
               0, false, NULL, '1', '1', '', '', began, 3.5 + hash(range * 3) % 10 / 10
        FROM (SELECT range, $start::TIMESTAMP
                     + to_seconds(CAST(range * {days * 86_400} // {calls} AS BIGINT)) AS began,
                     CAST(hash(range * 7) % 18000 AS INTEGER) AS ring FROM range({calls}))
        """,
        {"start": start},
    )
    names = ", ".join(f"'{rule}'" for rule in RULES)
    status = (
        f"CASE WHEN pattern::BIGINT >> list_position([{names}], rule) - 1 & 1 THEN 'na'"
        " WHEN hash(pattern, rule) % 60 = 0 THEN 'fail' ELSE 'pass' END"
    )
    cursor.execute(
        f"INSERT INTO patterns SELECT pattern, string_agg(rule || '=' || {status}, ' ' ORDER BY"
        f" rule) FROM (SELECT range AS pattern FROM range({_PATTERNS})),"
        f" (SELECT unnest([{names}]) AS rule) GROUP BY pattern"
    )
    cursor.execute(
        f"INSERT INTO verdicts SELECT call_id, agent, invited_at, hash(call_id) % {_PATTERNS}"
        " FROM calls ORDER BY invited_at"
    )
    cursor.execute(
        f"INSERT INTO items SELECT call_id, rule, {status}, 5, 5, '守则12', NULL"
        f" FROM (SELECT call_id, hash(call_id) % {_PATTERNS} AS pattern FROM calls),"
        f" (SELECT unnest([{names}]) AS rule)"
    )
    if findings:
        cursor.execute(
            "INSERT INTO findings SELECT call_id, 0, 'forbidden_phrase', 'F_off_duty',"
            " '我要下班啦', '我要下班了', 'agent', 1000, 2000, 0.9, 'critical', 'review'"
            " FROM calls WHERE fails > 0"
        )
    # No two utterances alike: repeated ones would be searched once in the column's dictionary.
    words = ", ".join(f"'{word}'" for word in _WORDS)
    said = [
        f"[{words}][(1 + hash(range * 10 + {n}) % {len(_WORDS)})::BIGINT]" for n in range(_SAID)
    ]
    cursor.execute(
        "CREATE TEMP TABLE told AS SELECT call_id, row_number() OVER () - 1 AS place FROM ("
        f"SELECT call_id FROM calls ORDER BY invited_at LIMIT {_TRANSCRIPTS})"
    )
    cursor.execute(
        f"INSERT INTO utterances SELECT call_id, range % {_UTTERANCES},"
        " CASE WHEN range % 2 = 0 THEN 'agent' ELSE 'caller' END,"
        f" range % {_UTTERANCES} * 3000, range % {_UTTERANCES} * 3000 + 2500,"
        " CASE WHEN hash(range) % 500 = 0 THEN '我想问社保卡' ELSE '' END || concat("
        f"{', '.join(said)}) FROM range({min(calls, _TRANSCRIPTS) * _UTTERANCES})"
        f" JOIN told ON place = range // {_UTTERANCES} ORDER BY range"
    )
    cursor.execute("DROP TABLE told")
    _rule(cursor)


def _rule(cursor: Any) -> None:
    """Have people rule on calls spread over the whole time; they agree with the machine."""
    cursor.execute(
        "CREATE TEMP TABLE ruled AS SELECT call_id FROM calls"
        f" WHERE fails > 0 ORDER BY hash(call_id) LIMIT {_RULED}"
    )
    cursor.execute("INSERT INTO revised_items SELECT * FROM items JOIN ruled USING (call_id)")
    cursor.execute(
        "INSERT INTO reviews (call_id, rule, reviewer, reviewed_at, decision, status, comment)"
        " SELECT call_id, rule, 'qa', now()::TIMESTAMP, 'agree', status, '' FROM revised_items"
    )
    cursor.execute(
        "INSERT INTO states SELECT call_id, 'reviewed', score, fails, 0, false, 'qa',"
        " now()::TIMESTAMP FROM calls JOIN ruled USING (call_id)"
    )
    cursor.execute("DROP TABLE ruled")


def repeat_records(cursor: Any, calls: int) -> None:
    """Give up to ``calls`` synthetic calls the records of the whole ones that are there."""
    cursor.execute(
        "INSERT INTO records SELECT c.call_id, replace(call_json, r.call_id, c.call_id),"
        " replace(analysis_json, r.call_id, c.call_id),"
        " replace(transcript_json, r.call_id, c.call_id) FROM"
        " (SELECT call_id, row_number() OVER () - 1 AS place FROM"
        f" (SELECT call_id FROM calls ANTI JOIN records USING (call_id) LIMIT {calls})) c"
        " JOIN (SELECT *, row_number() OVER () - 1 AS place FROM records) r"
        " ON r.place = c.place % (SELECT count(*) FROM records) ORDER BY c.place"
    )


@lru_cache(maxsize=_NOISES)
def _noise(seed: int) -> Any:
    """Two minutes of faint noise on both sides."""
    import numpy as np

    noise = np.random.default_rng(seed).normal(0, 0.05, (_RECORDING_S * 8000, 2))
    return noise.astype(np.float32)


def _sentence(random: Random) -> str:
    """Two clauses of chance words: hardly any sentence is said twice, as in a real year."""
    first, second = ("".join(random.choices(_WORDS, k=_SAID // 2)) for _ in range(2))
    return f"{first}，{second}。"


@lru_cache(maxsize=1)
def _phrasebook() -> str:
    """The version of the delivered phrasebook, as if it had found nothing in the calls."""
    from phrasebook import book

    return book.load().version


def whole_call(root: Path, place: int) -> Path:
    """Hand over call number ``place`` with recording and transcript; returns its folder."""
    from calls import wav
    from calls.call import Call, Channel, Mode, Recording
    from calls.codec import write_record
    from calls.handover import ANALYSIS_FILE, CALL_FILE, RECORDING_FILE, TRANSCRIPT_FILE
    from calls.hit import Status
    from calls.scorecard import Analysis, Item, Scorecard, Versions
    from calls.speech import Transcript, Utterance

    call_id = f"bench-whole-{place:03d}"
    folder = root / call_id
    folder.mkdir(parents=True)
    wav.write(folder / RECORDING_FILE, _noise(place % _NOISES), 8000)
    at = datetime.now(UTC) - timedelta(minutes=place + 5)
    random = Random(place)
    call = Call(
        call_id=call_id,
        mode=Mode.IMPORT,
        caller="13900000000",
        called="12345",
        agent="1001",
        invited_at=at,
        ringing_at=at,
        answered_at=at + timedelta(seconds=5),
        ended_at=at + timedelta(seconds=5 + _RECORDING_S),
        recording=Recording(path=RECORDING_FILE, duration_ms=_RECORDING_S * 1000),
    )
    said = tuple(
        Utterance(
            channel=Channel.AGENT if n % 2 else Channel.CALLER,
            start_ms=n * 3000,
            end_ms=n * 3000 + 2500,
            text=_sentence(random),
        )
        for n in range(_RECORDING_S // 3)
    )
    items = tuple(
        Item(rule=rule, status=Status.PASS, earned=5, weight=5, clause="守则12") for rule in RULES
    )
    card = Scorecard(
        call_id=call_id,
        score=100.0,
        ring_ms=5000,
        rings=2,
        items=items,
        versions=Versions(rules="1", phrasebook=_phrasebook()),
    )
    write_record(folder / CALL_FILE, call)
    write_record(
        folder / TRANSCRIPT_FILE,
        Transcript(call_id=call_id, duration_ms=_RECORDING_S * 1000, utterances=said),
    )
    write_record(folder / ANALYSIS_FILE, Analysis(scorecard=card))
    return folder
