"""One look through all that a side said misses no word that an utterance holds."""

from random import Random

from calls.call import Channel
from scoring.facts import Facts
from scoring.rules import RuleBook
from scoring.words import find
from tests.scoring.chance import chance_call


def test_a_word_in_any_utterance_is_seen_in_all_of_them(book: RuleBook) -> None:
    random = Random(12345)
    lists = (book.file.flat_refusal.refusal, book.file.shirking.disclaimer)
    seen = {True: 0, False: 0}
    for _ in range(200):
        call, transcript, hits = chance_call(random, book)
        facts = Facts(call=call, transcript=transcript, hits=hits, book=book)
        for words in lists:
            for channel in (Channel.AGENT, Channel.CALLER):
                said = any(find(words, u.text) for u in facts.utterances[channel])
                may = facts.may_say(channel, words)
                assert may or not said
                seen[may] += 1
    assert min(seen.values()) > 50
