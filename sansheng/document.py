"""The JSON document of one analysed call: the stable form that other tools read."""

from typing import Any

import msgspec

from calls.codec import SCHEMA
from calls.numbers import readable
from calls.scorecard import Scorecard
from calls.speech import Transcript


def analysis_document(scorecard: Scorecard, transcript: Transcript | None) -> bytes:
    """One JSON object: the scorecard, its findings, the transcript and what made them."""
    card: dict[str, Any] = msgspec.to_builtins(scorecard)
    utterances = transcript.utterances if transcript else ()
    card["transcript"] = [
        {
            "channel": u.channel,
            "start_ms": u.start_ms,
            "end_ms": u.end_ms,
            "text": u.text,
            "spoken": u.spoken or u.text,
            "readable": readable(u.text),
        }
        for u in utterances
    ]
    return msgspec.json.encode({"schema": SCHEMA, **card})
