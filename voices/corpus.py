"""The spoken set behind the phrase figures: violations and harmless sentences in short calls.

``voices/data/sentences.jsonl`` holds the sentences; voice, speed, level and noise of each reading
are drawn from a seed, so two machines make the same calls. Nothing of the audio is committed.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import msgspec

from calls.call import Channel
from voices.render import render
from voices.script import Line, Script, Turn
from voices.speech import VOICES
from voices.truth import TRUTH_FILE

INDEX_FILE = "index.jsonl"
SPEEDS = (0.8, 0.9, 1.0, 1.1, 1.2, 1.3)
SNR_DB = (10.0, 30.0)
LEVEL_DBFS = (-35.0, -15.0)
VIOLATION_READINGS = 2
HARMLESS_READINGS = 4
_OPENS = "A_blunt_opening"
"""The family that only an agent's first words can violate."""
_CALLER_LINES = (
    "你好，我想问一下居住证怎么办理。",
    "喂，我们小区的路灯坏了好几天了。",
    "请问老人的补贴去哪里申请？",
    "我的社保卡丢了，怎么补办？",
)
_AGENT_LINE = "您好，请问有什么可以帮您？"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """One written sentence; an empty family means harmless."""

    id: str
    speaker: Channel
    family: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One sentence as spoken in one short call."""

    id: str
    """Name of the call's folder."""
    sentence: str
    speaker: Channel
    family: str
    text: str
    turn: int
    """Its place among the call's turns."""


def sentences() -> tuple[Sentence, ...]:
    """The written sentences, in the order of the file."""
    data = (resources.files("voices") / "data" / "sentences.jsonl").read_bytes()
    return tuple(msgspec.json.decode(line, type=Sentence) for line in data.splitlines() if line)


def plan(seed: int = 1) -> list[tuple[Reading, Script]]:
    """Every reading with its script, shuffled: any first part is a fair sample of the whole."""
    chance = random.Random(seed)
    planned = []
    for sentence in sentences():
        times = VIOLATION_READINGS if sentence.family else HARMLESS_READINGS
        for number, voice in enumerate(chance.sample(VOICES, times)):
            planned.append(_reading(sentence, number, voice, chance))
    chance.shuffle(planned)
    return planned


def build(folder: Path, *, seed: int = 1, limit: int | None = None) -> Iterator[Reading]:
    """Make the calls that are not there yet, one folder a reading; yields each as it is whole.

    A folder holds call.wav and truth.json; ``index.jsonl`` lists the readings of all that is
    planned within ``limit``. May be stopped and begun again at any point.
    """
    planned = plan(seed)[:limit]
    folder.mkdir(parents=True, exist_ok=True)
    index = b"".join(msgspec.json.encode(reading) + b"\n" for reading, _ in planned)
    (folder / INDEX_FILE).write_bytes(index)
    for reading, script in planned:
        if not (folder / reading.id / TRUTH_FILE).is_file():
            render(script, folder / reading.id, sides_too=False)
        yield reading


def _reading(
    sentence: Sentence, number: int, voice: str, chance: random.Random
) -> tuple[Reading, Script]:
    other = Channel.CALLER if sentence.speaker is Channel.AGENT else Channel.AGENT
    said = Turn(
        side=sentence.speaker,
        text=sentence.text,
        voice=voice,
        speed=chance.choice(SPEEDS),
        violation=sentence.family,
    )
    line = _AGENT_LINE if other is Channel.AGENT else chance.choice(_CALLER_LINES)
    first = Turn(side=other, text=line, voice=VOICES[4 if voice != VOICES[4] else 0])
    turns = (said, first) if sentence.family == _OPENS else (first, said)
    name = f"{sentence.id}-{number}"
    script = Script(
        name=name,
        seed=chance.getrandbits(31),
        line=Line(
            level_dbfs=round(chance.uniform(*LEVEL_DBFS), 1),
            snr_db=round(chance.uniform(*SNR_DB), 1),
        ),
        turn=turns,
    )
    reading = Reading(
        id=name,
        sentence=sentence.id,
        speaker=sentence.speaker,
        family=sentence.family,
        text=sentence.text,
        turn=turns.index(said),
    )
    return reading, script
