"""One call as the rules see it: signalling, words, hits and the dialogue, computed once.

A rule asks here for cues (a courtesy, a request, an assent) and is told with each whether the
evidence is sure; what is not sure may excuse an agent but never accuse one.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from calls.call import Call, Channel, EndedBy, EventKind
from calls.hit import Hit, Kind, Status
from calls.scorecard import Evidence
from calls.speech import Transcript, Utterance
from scoring.dialogue import Stretch, Turn, covered, gaps, join, turns
from scoring.rules import RuleBook
from scoring.sections import RuleFile
from scoring.words import Words, clauses, find, fold

_NUMBER = "0-9零一二三四五六七八九幺两"


@dataclass(frozen=True, slots=True)
class Cue:
    """Something said that matters to a rule, and whether it was surely said."""

    channel: Channel
    start_ms: int
    end_ms: int
    text: str
    sure: bool = True

    @property
    def evidence(self) -> Evidence:
        """The cue as evidence."""
        return Evidence(
            channel=self.channel, start_ms=self.start_ms, end_ms=self.end_ms, text=self.text
        )


@dataclass(frozen=True)
class Facts:
    """One call's evidence with the rules to judge it by."""

    call: Call
    transcript: Transcript
    """Empty for a call without a recording; ``recorded`` tells."""
    hits: tuple[Hit, ...]
    book: RuleBook
    recorded: bool = True

    @cached_property
    def rules(self) -> RuleFile:
        """The rules file."""
        return self.book.file

    @cached_property
    def answered(self) -> bool:
        """Whether anybody picked up: what was recorded was answered."""
        return self.recorded or self.call.answered_at is not None

    @cached_property
    def end_ms(self) -> int:
        """The end of the recording, which is the BYE."""
        return self.transcript.duration_ms or self.call.duration_ms

    @property
    def complete(self) -> bool:
        """Whether the recording runs to the call's end."""
        return self.call.recording is None or self.call.recording.complete

    @property
    def lost(self) -> bool:
        """Whether the network, and neither side, ended the call."""
        return self.call.ended_by is EndedBy.NETWORK or self.call.end_reason.value == "lost"

    @property
    def transferred(self) -> bool:
        """Whether the agent's BYE ends a transfer (REFER, RFC 3515) and not the conversation."""
        window = timedelta(milliseconds=self.rules.hangup_consent.within_ms)
        return any(
            event.kind is EventKind.REFER
            and event.leg is Channel.AGENT
            and event.at >= self.call.ended_at - window
            for event in self.call.events
        )

    @cached_property
    def mono(self) -> bool:
        """Whether the two sides are mixed, their roles guessed."""
        return not self.transcript.sides_apart

    @cached_property
    def bad_line(self) -> bool:
        """Whether the network spoilt either side's audio."""
        line = self.rules.line
        for side in self.call.quality:
            sent = side.packets + side.lost
            if side.one_way or (side.mos is not None and side.mos < line.mos_min):
                return True
            if sent > 0 and side.lost / sent > line.lost_share_max:
                return True
        return False

    @cached_property
    def utterances(self) -> dict[Channel, tuple[Utterance, ...]]:
        """Each side's utterances that have text, in order of time."""
        said: dict[Channel, list[Utterance]] = {channel: [] for channel in Channel}
        for utterance in sorted(self.transcript.utterances, key=lambda u: u.start_ms):
            if fold(utterance.text):
                said[utterance.channel].append(utterance)
        return {channel: tuple(those) for channel, those in said.items()}

    @cached_property
    def _said(self) -> dict[Channel, str]:
        """All that a side said, folded, with a mark between utterances that no word holds."""
        return {
            channel: "|".join([fold(utterance.text) for utterance in those])
            for channel, those in self.utterances.items()
        }

    def may_say(self, channel: Channel, words: Words) -> bool:
        """Whether any utterance of a side is worth looking for the words: one look for them all."""
        return words.pattern is not None and bool(words.pattern.search(self._said[channel]))

    @cached_property
    def stretches(self) -> dict[Channel, tuple[Stretch, ...]]:
        """Each side's stretches of speech, with or without text."""
        gap = self.rules.dialogue.join_ms
        voice: dict[Channel, list[Stretch]] = {channel: [] for channel in Channel}
        for span in self.transcript.speech:
            voice[span.channel].append((span.start_ms, span.end_ms))
        for utterance in self.transcript.utterances:
            voice[utterance.channel].append((utterance.start_ms, utterance.end_ms))
        return {channel: join(those, gap) for channel, those in voice.items()}

    @cached_property
    def turns(self) -> tuple[Turn, ...]:
        """The dialogue's turns."""
        return turns(self.transcript.utterances, self.rules.dialogue.backchannel)

    def unclear(self, utterance: Utterance) -> bool:
        """Whether the recogniser's own text of an utterance is not to be relied on.

        So is Mandarin text of what was surely another language: it was made to write some.
        """
        spoken = self.rules.mandarin
        if (
            utterance.language not in spoken.languages
            and utterance.language_probability >= spoken.probability
        ):
            return True
        doubt = self.rules.doubt
        if utterance.log_probability < doubt.log_probability:
            return True
        if not utterance.words:
            return False
        mean = sum(word.probability for word in utterance.words) / len(utterance.words)
        return mean < doubt.word_probability

    def doubtful(self, channel: Channel, start_ms: int, end_ms: int) -> bool:
        """Whether a side said something between two times that its text does not tell.

        True for an unclear utterance and for speech without any text.
        """
        texts: list[Stretch] = []
        for utterance in self.utterances[channel]:
            if utterance.end_ms > start_ms and utterance.start_ms < end_ms:
                if self.unclear(utterance):
                    return True
                texts.append((utterance.start_ms, utterance.end_ms))
        least = self.rules.doubt.unheard_ms
        heard = join(texts)
        for start, end in self.stretches[channel]:
            first, last = max(start, start_ms), min(end, end_ms)
            if first < last and any(e - s >= least for s, e in gaps(heard, first, last)):
                return True
        return False

    def speaks(self, channel: Channel, start_ms: int, end_ms: int) -> bool:
        """Whether a side makes any sound of speech between two times."""
        return covered((start_ms, end_ms), self.stretches[channel]) > 0

    def cues(
        self,
        channel: Channel,
        families: Iterable[str],
        words: Words | None,
        start_ms: int,
        end_ms: int,
        *,
        exact: bool = False,
    ) -> tuple[Cue, ...]:
        """What a side said between two times: phrasebook hits of the families, and listed words.

        A word in the recogniser's text counts as said (it can only excuse); a hit that the audio
        leaves open is not ``sure``. A word stands for its clause, ``exact`` for itself alone; a
        cue belongs where any part of it lies in the window.
        """
        found: list[Cue] = []
        wanted = frozenset(families)
        for hit in self.hits:
            candidate = hit.candidate
            if (
                candidate.kind is Kind.COURTESY
                and candidate.family in wanted
                and candidate.channel is channel
                and hit.status is not Status.NA
            ):
                sure = hit.status is not Status.REVIEW
                # A hit from the audio alone covers the whole utterance: its text is not the words.
                text = candidate.phrase if candidate.by == "audio" else candidate.heard
                found.append(Cue(channel, candidate.start_ms, candidate.end_ms, text, sure))
        if words is not None:
            for utterance in self.utterances[channel]:
                if utterance.end_ms < start_ms or utterance.start_ms > end_ms:
                    continue
                for first, last in _places(words, utterance.text, exact=exact):
                    start, end = time_of(utterance, first, last)
                    found.append(Cue(channel, start, end, utterance.text[first:last]))
        inside = [cue for cue in found if cue.end_ms >= start_ms and cue.start_ms <= end_ms]
        return tuple(sorted(inside, key=lambda cue: (cue.start_ms, cue.end_ms, not cue.sure)))

    def is_assent(self, clause: str) -> bool:
        """Whether a clause is a reply that consents: it starts so, or is short and holds it.

        可以 in the middle of a story is no consent.
        """
        dialogue = self.rules.dialogue
        found = find(dialogue.assent, clause)
        if not found:
            return False
        short = len(fold(clause)) <= dialogue.reply_characters
        return short or not fold(clause[: found[0].start])

    def assents(self, start_ms: int, end_ms: int) -> tuple[Cue, ...]:
        """The caller's consents between two times."""
        found = list(self.cues(Channel.CALLER, ("assent", "no_more"), None, start_ms, end_ms))
        for utterance in self.utterances[Channel.CALLER]:
            if utterance.end_ms < start_ms or utterance.start_ms > end_ms:
                continue
            for clause, first, last in clauses(utterance.text):
                start, end = time_of(utterance, first, last)
                if end >= start_ms and start <= end_ms and self.is_assent(clause):
                    found.append(Cue(Channel.CALLER, start, end, clause))
        return tuple(sorted(found, key=lambda cue: (cue.start_ms, not cue.sure)))

    def short_reply(self, start_ms: int, end_ms: int) -> bool:
        """Whether the caller said something short between two times, such as a misheard 好."""
        longest = self.rules.dialogue.reply_characters
        return any(
            start_ms <= u.end_ms and u.start_ms <= end_ms and len(fold(u.text)) <= longest
            for u in self.utterances[Channel.CALLER]
        )

    def agent_text_from(self, at_ms: int, further: int) -> tuple[str, Stretch]:
        """The agent's turn at a time and the next ``further`` ones: their text and their span."""
        mine = [turn for turn in self.turns if turn.channel is Channel.AGENT]
        first = next((i for i, turn in enumerate(mine) if turn.end_ms >= at_ms), len(mine))
        those = mine[first : first + 1 + further]
        if not those:
            return "", (at_ms, at_ms)
        return "，".join(turn.text for turn in those), (those[0].start_ms, those[-1].end_ms)

    def way_out(self, at_ms: int, further: int) -> Cue | None:
        """A department, number, transfer or work order in the agent's turn at a time or in the
        next ``further`` ones; None when there is none.
        """
        text, (start, end) = self.agent_text_from(at_ms, further)
        dialogue = self.rules.dialogue
        for words in (self.book.directory.departments, dialogue.way_out):
            if found := find(words, text):
                place = text[found[0].start : found[0].end]
                return Cue(Channel.AGENT, start, end, place)
        if match := re.search(rf"[{_NUMBER}]{{{dialogue.number_digits},}}", fold(text)):
            return Cue(Channel.AGENT, start, end, match.group())
        named = ("referral_named", "transfer_consent", "callback")
        return next(iter(self.cues(Channel.AGENT, named, None, start, end)), None)

    def unheard_after(self, at_ms: int, further: int) -> bool:
        """Whether the agent's turn at a time, or the next ones, hold speech without sure text."""
        _, (start, end) = self.agent_text_from(at_ms, further)
        return self.doubtful(Channel.AGENT, start, end)

    def place(self, utterance: Utterance) -> Evidence:
        """An utterance as evidence."""
        return Evidence(
            channel=utterance.channel,
            start_ms=utterance.start_ms,
            end_ms=max(utterance.start_ms, utterance.end_ms),
            text=utterance.text,
        )


def _places(words: Words, text: str, *, exact: bool) -> list[tuple[int, int]]:
    """Offsets of the words found, or of the clauses that they begin in."""
    found = find(words, text)
    if exact or not found:
        return [(place.start, place.end) for place in found]
    return [
        (first, last)
        for _, first, last in clauses(text)
        if any(first <= place.start < last for place in found)
    ]


def time_of(utterance: Utterance, start: int, end: int) -> Stretch:
    """When characters of an utterance were said: by its words, else by even speed."""
    words = [w for w in utterance.words if w.char_end > start and w.char_start < end]
    if words:
        return words[0].start_ms, max(word.end_ms for word in words)
    length = max(1, len(utterance.text))
    span = max(0, utterance.end_ms - utterance.start_ms)
    return (
        utterance.start_ms + span * start // length,
        utterance.start_ms + span * end // length,
    )
