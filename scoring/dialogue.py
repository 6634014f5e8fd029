"""Who speaks when: stretches of speech, turns, silences, and where the sides overlap.

Everything is computed from both channels' own times, so it needs recordings whose sides are apart.
Times are milliseconds from the start of the recording; a stretch is half open, ``(start, end)``.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from calls.call import Channel
from calls.speech import Utterance
from scoring.words import Words, consists_of

Stretch = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side says until the other side says something of substance."""

    channel: Channel
    start_ms: int
    end_ms: int
    utterances: tuple[int, ...]
    """Indices in ``Transcript.utterances``."""
    text: str


@dataclass(frozen=True, slots=True)
class Wait:
    """A time in which the caller was left waiting: a SIP hold, or silence of the agent."""

    start_ms: int
    end_ms: int
    last_start_ms: int
    """Start of its last silence; a request may still come up to then."""
    signalled: bool


@dataclass(frozen=True, slots=True)
class Interruption:
    """The agent talks into the caller's speech and the caller gives way."""

    caller: Stretch
    agent: Stretch

    @property
    def overlap(self) -> Stretch:
        """Where both speak."""
        return self.agent[0], min(self.caller[1], self.agent[1])


def join(stretches: Iterable[Stretch], gap_ms: int = 0) -> tuple[Stretch, ...]:
    """Stretches in order, those with at most ``gap_ms`` between them made one."""
    joined: list[Stretch] = []
    for start, end in sorted(s for s in stretches if s[1] > s[0]):
        if joined and start - joined[-1][1] <= gap_ms:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return tuple(joined)


def covered(stretch: Stretch, by: Iterable[Stretch]) -> int:
    """Milliseconds of a stretch that the others (in order, apart from each other) cover."""
    start, end = stretch
    total = 0
    for first, last in by:
        if first >= end:
            break
        if start < last:
            total += min(end, last) - max(start, first)
    return total


def overlap(those: Sequence[Stretch], others: Sequence[Stretch]) -> int:
    """Milliseconds that lie in both; each side's stretches are in order and apart from each other.

    The sum of ``covered`` over one side, in one walk along both.
    """
    total = at = 0
    for start, end in those:
        while at < len(others) and others[at][1] <= start:
            at += 1
        ahead = at
        while ahead < len(others) and others[ahead][0] < end:
            total += min(end, others[ahead][1]) - max(start, others[ahead][0])
            ahead += 1
    return total


def gaps(stretches: Sequence[Stretch], start_ms: int, end_ms: int) -> tuple[Stretch, ...]:
    """The silences between joined stretches from ``start_ms`` to ``end_ms``."""
    silent: list[Stretch] = []
    at = start_ms
    for start, end in stretches:
        if end <= at:
            continue
        if start >= end_ms:
            break
        if start > at:
            silent.append((at, start))
        at = end
    if at < end_ms:
        silent.append((at, end_ms))
    return tuple(silent)


def turns(utterances: Sequence[Utterance], backchannel: Words) -> tuple[Turn, ...]:
    """Utterances to turns.

    A 嗯 or 好的 neither takes the turn nor ends the other side's: it is left out, so that a
    listener's noises never push a promised answer "a turn" further away.
    """
    made: list[Turn] = []
    order = sorted(range(len(utterances)), key=lambda i: (utterances[i].start_ms, i))
    for index in order:
        utterance = utterances[index]
        if not utterance.text.strip() or consists_of(backchannel, utterance.text):
            continue
        last = made[-1] if made else None
        if last and last.channel is utterance.channel:
            made[-1] = Turn(
                last.channel,
                last.start_ms,
                max(last.end_ms, utterance.end_ms),
                (*last.utterances, index),
                f"{last.text}，{utterance.text}",
            )
        else:
            made.append(
                Turn(
                    utterance.channel,
                    utterance.start_ms,
                    max(utterance.start_ms, utterance.end_ms),
                    (index,),
                    utterance.text,
                )
            )
    return tuple(made)


def waits(
    holds: Sequence[Stretch],
    agent: Sequence[Stretch],
    caller: Sequence[Stretch],
    end_ms: int,
    *,
    returned: Callable[[], Sequence[int]] = tuple,
    silence_ms: int,
    pause_ms: int,
    word_ms: int,
) -> tuple[Wait, ...]:
    """The SIP holds and the agent's silences that left the caller waiting.

    A silence counts when it is longer than ``silence_ms`` without the time in which the caller
    talks: listening to a long story is no hold. Silences of at least ``pause_ms`` parted only by
    the agent's short words (``word_ms``) are one wait, unless the words were those of a return
    (``returned`` tells when thanks or an apology were said; it is asked only where that matters).
    Before the agent's first word there is no wait (the greeting rule has that).
    """
    made = [Wait(start, end, start, True) for start, end in holds]
    if agent:
        long = [g for g in gaps(agent, agent[0][0], end_ms) if g[1] - g[0] >= pause_ms]
        quiet = {g: g[1] - g[0] - covered(g, caller) for g in long}
        silent = [g for g in long if quiet[g] >= pause_ms]
        for group in _near(silent, word_ms, returned() if len(silent) > 1 else ()):
            longest = max(quiet[stretch] for stretch in group)
            start, end = group[0][0], group[-1][1]
            if longest > silence_ms and not any(h[0] < end and start < h[1] for h in holds):
                made.append(Wait(start, end, group[-1][0], False))
    return tuple(sorted(made, key=lambda wait: wait.start_ms))


def interruptions(
    agent: Sequence[Stretch], caller: Sequence[Stretch], *, into_ms: int, overlap_ms: int
) -> tuple[Interruption, ...]:
    """Where the agent starts at least ``into_ms`` into the caller's speech, both go on for
    ``overlap_ms``, and the caller is the one who stops. Each side's stretches are joined ones.
    """
    found: list[Interruption] = []
    begun = 0
    for mine in agent:
        while begun < len(caller) and caller[begun][0] <= mine[0]:
            begun += 1
        if begun == 0:
            continue
        theirs = caller[begun - 1]
        inside = theirs[0] + into_ms <= mine[0] < theirs[1]
        yielded = theirs[1] <= mine[1]
        if inside and yielded and theirs[1] - mine[0] >= overlap_ms:
            found.append(Interruption(theirs, mine))
    return tuple(found)


def _near(silent: Sequence[Stretch], word_ms: int, returned: Sequence[int]) -> list[list[Stretch]]:
    """Silences in groups that only short words part."""
    groups: list[list[Stretch]] = []
    for start, end in silent:
        before = groups[-1][-1][1] if groups else None
        same = (
            before is not None
            and start - before <= word_ms
            and not any(before <= at <= start for at in returned)
        )
        if same:
            groups[-1].append((start, end))
        else:
            groups.append([(start, end)])
    return groups
