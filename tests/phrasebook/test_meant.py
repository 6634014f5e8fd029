"""What only meaning tells of recognised speech, and what is to be read a second time for it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from calls.call import Channel
from calls.hit import Candidate, Status
from calls.speech import Again, SpeechSpan, Transcript, Utterance
from phrasebook.book import Phrasebook
from phrasebook.search import doubtful, search
from phrasebook.verdict import decide

DOUBTED = -0.9
LIKELY = {
    "rude": 0.95,
    "perhaps": 0.5,
    "unlike": 0.2,
    "kind": 0.02,
}


@pytest.fixture(autouse=True)
def likelihoods(monkeypatch: pytest.MonkeyPatch) -> None:
    """The likelihood of a text is that of the first word in it that has one."""

    def likelihood(text: str) -> float:
        return next((value for word, value in LIKELY.items() if word in text), 0.0)

    monkeypatch.setattr("phrasebook.meaning.likelihood_heard", likelihood)


def call(*texts: str, log_probability: float = DOUBTED) -> Transcript:
    """The agent says these, four seconds each with long pauses between; empty: no words."""
    spans = [
        SpeechSpan(channel=Channel.AGENT, start_ms=i * 10_000, end_ms=i * 10_000 + 4000)
        for i in range(len(texts))
    ]
    said = tuple(
        Utterance(
            channel=span.channel,
            start_ms=span.start_ms,
            end_ms=span.end_ms,
            text=text,
            log_probability=log_probability,
        )
        for span, text in zip(spans, texts, strict=True)
        if text
    )
    return Transcript(
        call_id="c1", duration_ms=len(texts) * 10_000, utterances=said, speech=tuple(spans)
    )


def again(transcript: Transcript, *texts: str) -> Transcript:
    """The call's first speech read again as these."""
    span = transcript.speech[0]
    read = Again(channel=span.channel, start_ms=span.start_ms, end_ms=span.end_ms, texts=texts)
    return replace(transcript, again=(read,))


def meant(book: Phrasebook, transcript: Transcript) -> list[Candidate]:
    return [c for c in search(book, transcript) if c.by == "meaning"]


@pytest.mark.parametrize(
    ("texts", "raised"),
    [
        ((), False),
        (("rude", "rude a"), True),
        (("rude", "kind", "kind a"), False),
        (("unlike",), False),
    ],
)
def test_the_mean_of_the_likely_texts_counts(
    book: Phrasebook, texts: tuple[str, ...], raised: bool
) -> None:
    found = meant(book, again(call("unlike what"), *texts))
    assert bool(found) is raised
    if raised:
        assert found[0].score == pytest.approx((0.2 + 2 * 0.95) / 3, abs=1e-4)
        assert found[0].heard == "unlike what"


def test_a_second_reading_clears_what_the_first_accused(book: Phrasebook) -> None:
    first = call("perhaps")
    assert meant(book, first)
    assert not meant(book, again(first, "kind", "kind a"))


def test_the_words_first_heard_count_too(book: Phrasebook) -> None:
    assert not meant(book, again(call("kind"), "perhaps", "perhaps a"))


def test_speech_without_words_is_judged_by_its_second_reading_and_never_fails(
    book: Phrasebook,
) -> None:
    silent = call("")
    [found] = meant(book, again(silent, "rude", "perhaps"))
    assert (found.utterance, found.heard, found.end_ms) == (-1, "rude", 4000)
    [hit] = decide(book, silent, [found], [None])
    assert (hit.status, hit.reason) == (Status.REVIEW, "meaning")
    assert not meant(book, again(silent, "kind"))
    assert not meant(book, again(silent))


def test_what_is_in_doubt_is_read_again(book: Phrasebook) -> None:
    talk = call("perhaps", "rude", "kind", "", "unlike")
    assert [span.start_ms for span in doubtful(book, talk)] == [0, 30_000, 40_000]


@pytest.mark.parametrize(
    "sure",
    [
        lambda: call("perhaps", log_probability=-0.2),
        lambda: call("我要下班啦 perhaps"),
        lambda: _by(call("perhaps"), channel=Channel.CALLER),
        lambda: _by(call("perhaps"), language="en"),
    ],
    ids=["well heard", "listed words", "the caller", "another language"],
)
def test_what_is_not_in_doubt_is_not(book: Phrasebook, sure: Callable[[], Transcript]) -> None:
    assert doubtful(book, sure()) == ()


def test_only_so_much_of_a_call_is_read_again_and_the_most_doubtful_first(
    book: Phrasebook,
) -> None:
    talk = call(*["unlike"] * 12, "perhaps")
    spans = doubtful(book, talk)
    assert len(spans) == 8
    assert spans[-1] == talk.speech[-1]
    assert list(spans) == sorted(spans, key=lambda span: span.start_ms)


def _by(transcript: Transcript, **changes: object) -> Transcript:
    """The call with something else said of its utterances, and of its speech where that can be."""
    return replace(
        transcript,
        utterances=tuple(replace(u, **changes) for u in transcript.utterances),  # type: ignore[arg-type]
        speech=tuple(replace(s, **changes) for s in transcript.speech),  # type: ignore[arg-type]
    )
