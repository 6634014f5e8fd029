"""Calls made by hand for the phrasebook's tests."""

from collections.abc import Callable

import pytest

from calls.call import Channel
from calls.speech import SpeechSpan, Transcript, Utterance, Word
from phrasebook import book as books
from phrasebook.book import Phrasebook

MS_A_CHARACTER = 200
TURN_GAP_MS = 500


@pytest.fixture(scope="session")
def book() -> Phrasebook:
    return books.load()


@pytest.fixture
def make_call() -> Callable[..., Transcript]:
    """Turns as (side, text), 200 ms a character, half a second between turns."""

    def make(*turns: tuple[str, str], speech: tuple[SpeechSpan, ...] = ()) -> Transcript:
        utterances = []
        now = 0
        for side, text in turns:
            words = tuple(
                Word(
                    start_ms=now + i * MS_A_CHARACTER,
                    end_ms=now + (i + 1) * MS_A_CHARACTER,
                    char_start=i,
                    char_end=i + 1,
                )
                for i in range(len(text))
            )
            end = now + len(text) * MS_A_CHARACTER
            utterances.append(
                Utterance(channel=Channel(side), start_ms=now, end_ms=end, text=text, words=words)
            )
            now = end + TURN_GAP_MS
        return Transcript(
            call_id="c1", duration_ms=now, utterances=tuple(utterances), speech=speech
        )

    return make
