"""What the engine wrote, made readable, and what the audio does not support, left out."""

import math
import zlib
from collections.abc import Sequence
from functools import cache
from typing import Any

from asr.engine import Heard, Piece
from calls.errors import EngineError
from calls.text import is_spoken, normalise, spoken

ARTEFACTS = (
    "谢谢观看",
    "感谢观看",
    "感谢收看",
    "谢谢大家",
    "请不吝点赞",
    "订阅转发",
    "打赏支持",
    "字幕由",
    "字幕志愿者",
    "字幕组",
    "下集再见",
)
"""What Whisper invents over noise and music; alone no proof, an agent may say 谢谢."""
_HOPELESS_LOGPROB = -1.6
_WEAK_LOGPROB = -0.9
_NO_SPEECH = 0.6
_REPETITIVE = 2.4
"""Compression ratio from which a text repeats itself (Whisper's own bound)."""
_FASTEST_CHARACTERS_S = 12.0
"""Nobody speaks faster: 300 characters a minute is quick Mandarin, 720 is a decoder's loop."""
_SPARE_CHARACTERS = 4


def simplified(text: str) -> str:
    """Traditional characters as simplified ones, one for one, so that offsets hold."""
    converted: str = _converter().convert(text)
    if len(converted) == len(text):
        return converted
    return "".join(_converter().convert(c) if is_spoken(c) else c for c in text)


def is_supported(pieces: Sequence[Piece], window: Heard, length_ms: int, prompt: str) -> bool:
    """Whether the audio bears out a clip's text.

    Evidence against it: the engine's own doubt of the words (its marks prove nothing), a loop, more
    characters than the time can hold, the prompt given back, or a well-known invention that the
    engine is not sure of.
    """
    text = normalise("".join(piece.text for piece in pieces)).text
    if not text:
        return False
    certainty = log_probability([piece for piece in pieces if spoken(piece.text)] or pieces)
    if certainty < _HOPELESS_LOGPROB or not is_sayable(text, length_ms):
        return False
    doubtful = certainty < _WEAK_LOGPROB or window.no_speech > _NO_SPEECH
    if doubtful and any(artefact in text for artefact in ARTEFACTS):
        return False
    echoes = bool(prompt) and text in normalise(prompt).text and len(text) >= _SPARE_CHARACTERS
    return not (echoes or (window.no_speech > _NO_SPEECH and certainty < _WEAK_LOGPROB))


def is_sayable(text: str, length_ms: int) -> bool:
    """Whether a normalised text is no loop and no more than the time can hold."""
    most = _SPARE_CHARACTERS + _FASTEST_CHARACTERS_S * length_ms / 1000
    return 0 < len(text) <= most and _compression(text) <= _REPETITIVE


def log_probability(pieces: Sequence[Piece]) -> float:
    """Mean natural log-probability of a clip's pieces."""
    return sum(math.log(max(p.probability, 1e-9)) for p in pieces) / len(pieces)


def _compression(text: str) -> float:
    data = text.encode()
    return len(data) / len(zlib.compress(data))


@cache
def _converter() -> Any:
    try:
        import opencc
    except ImportError as error:
        raise EngineError(
            "OpenCC is not installed", remedy="install the asr extra: pip install 'sansheng[asr]'"
        ) from error
    return opencc.OpenCC("t2s")
