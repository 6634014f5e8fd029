"""The sherpa-onnx engine: a SenseVoice or Paraformer model from a folder.

The only module that imports sherpa_onnx. These models write text with times, much faster than
Whisper, but cannot score a text that they are given: candidates then stay reviews.
"""

import hashlib
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Any

from asr.engine import Claim, Heard, Piece
from asr.onnx_file import read_metadata
from asr.settings import AsrSettings
from asr.windows import MODEL_RATE
from calls.errors import EngineError
from calls.wav import Samples

_TOKENS_FILE = "tokens.txt"
_MODEL_FILES = ("model.int8.onnx", "model.onnx")
_SHORTEST = MODEL_RATE // 10
"""Samples below which there is no frame to decode."""
_LONGEST_PIECE_MS = 400
"""A syllable is not longer; what follows it is a pause."""
_GOES_ON = "@@"
"""Paraformer's mark of a piece that the next one of its word follows."""
_UNTOLD = 0.33
"""Stands for the probability that these models do not tell: below what scoring takes for clear
(``doubt.word_probability``), so that nothing is a failure by their text alone."""
_MISSING = "install the sherpa extra: pip install 'sansheng[sherpa]'"
_WANTED = "name the folder of a SenseVoice or Paraformer model in [asr] model"


class Kind(StrEnum):
    """Which of the two families a model is of."""

    SENSE_VOICE = "sense_voice"
    PARAFORMER = "paraformer"


_COMMON_KEYS = {"vocab_size", "lfr_window_size", "lfr_window_shift", "neg_mean", "inv_stddev"}
_LANGUAGES = ("auto", "zh", "en", "ja", "ko", "yue")
_OWN_KEYS = {
    Kind.SENSE_VOICE: {"normalize_samples", "with_itn", "without_itn"}
    | {f"lang_{language}" for language in _LANGUAGES},
    Kind.PARAFORMER: {"encoder_output_size"},
}
"""Metadata without which the library ends the process."""


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A model as its makers hand it out: weights, and the tokens that they write."""

    path: Path
    weights: Path
    tokens: Path
    kind: Kind

    @classmethod
    def find(cls, path: Path, *, int8: bool) -> "ModelFolder":
        """Look at a folder before the library does: it ends the whole process on a wrong model.

        Errors: EngineError that names what is missing or does not fit.
        """
        if not path.is_dir():
            raise EngineError(f"{path} is no folder with a speech model", remedy=_WANTED)
        order = _MODEL_FILES if int8 else _MODEL_FILES[::-1]
        weights = next((path / name for name in order if (path / name).is_file()), None)
        if weights is None:
            raise EngineError(f"{path} holds no {' or '.join(_MODEL_FILES)}", remedy=_WANTED)
        tokens = path / _TOKENS_FILE
        count = _count_tokens(tokens)
        metadata = read_metadata(weights)
        kind = Kind.SENSE_VOICE if "lang_auto" in metadata else Kind.PARAFORMER
        missing = sorted((_COMMON_KEYS | _OWN_KEYS[kind]) - metadata.keys())
        if missing:
            raise EngineError(
                f"{weights} is no SenseVoice or Paraformer model (its metadata lack {missing[0]})",
                remedy=_WANTED,
            )
        if metadata["vocab_size"] != str(count):
            raise EngineError(
                f"{tokens} holds {count} tokens, {weights.name} writes {metadata['vocab_size']}",
                remedy=f"copy the {_TOKENS_FILE} that came with this model",
            )
        return cls(path, weights, tokens, kind)

    @property
    def name(self) -> str:
        """The folder's name and the start of the weights' SHA-256."""
        with self.weights.open("rb") as file:
            return f"{self.path.name} {hashlib.file_digest(file, 'sha256').hexdigest()[:8]}"


class SherpaEngine:
    """A SenseVoice or Paraformer model, loaded."""

    can_score = False
    lanes = 1

    def __init__(self, settings: AsrSettings) -> None:
        try:
            from sherpa_onnx import OfflineRecognizer
        except ImportError as error:
            raise EngineError("sherpa-onnx is not installed", remedy=_MISSING) from error
        folder = ModelFolder.find(Path(settings.model), int8=settings.compute_type == "int8")
        self._kind = folder.kind
        common = {
            "tokens": str(folder.tokens),
            "num_threads": settings.threads or min(4, os.cpu_count() or 1),
            "provider": "cuda" if settings.device == "cuda" else "cpu",
        }
        try:
            if folder.kind is Kind.SENSE_VOICE:
                self._recognizer: Any = OfflineRecognizer.from_sense_voice(
                    model=str(folder.weights), language="auto", use_itn=False, **common
                )
            else:
                self._recognizer = OfflineRecognizer.from_paraformer(
                    paraformer=str(folder.weights), **common
                )
        except RuntimeError as error:
            raise EngineError(
                f"{folder.weights} cannot be loaded", remedy="copy the model's folder again"
            ) from error
        self.batch_size = settings.batch_size
        self.name = f"sherpa-onnx {version('sherpa-onnx')}"
        self.model = folder.name

    def hear(self, windows: Sequence[Samples], prompt: str = "") -> list[Heard]:
        """Transcribe windows in one batch; see ``Engine``. These models take no ``prompt``."""
        del prompt
        streams = [self._stream(window) for window in windows]
        if full := [stream for stream in streams if stream is not None]:
            try:
                self._recognizer.decode_streams(full)
            except RuntimeError as error:
                raise EngineError(
                    "the speech engine failed", remedy="run `sansheng doctor`"
                ) from error
        return [
            self._heard(stream.result, len(window)) if stream is not None else _nothing()
            for stream, window in zip(streams, windows, strict=True)
        ]

    def score(self, window: Samples, claims: Sequence[Claim]) -> list[float]:
        """Cannot be done; ``can_score`` tells so before."""
        del window, claims
        raise EngineError(
            "sherpa-onnx cannot score a given text", remedy='set [asr] engine = "faster-whisper"'
        )

    def alternatives(self, window: Samples, most: int) -> list[str]:
        """Cannot be done; ``can_score`` tells so before."""
        del window, most
        raise EngineError(
            "sherpa-onnx gives one text only", remedy='set [asr] engine = "faster-whisper"'
        )

    def _stream(self, window: Samples) -> Any:
        if len(window) < _SHORTEST:
            return None
        stream = self._recognizer.create_stream()
        stream.accept_waveform(MODEL_RATE, window)
        return stream

    def _heard(self, result: Any, samples: int) -> Heard:
        length_ms = samples * 1000 // MODEL_RATE
        if self._kind is Kind.PARAFORMER:
            return _nothing(_pieces(_joined(result.tokens), result.timestamps, length_ms))
        pieces = _pieces(result.tokens, result.timestamps, length_ms)
        language = result.lang.strip("<|>")
        spoken = language not in ("", "nospeech")
        return Heard(
            pieces=pieces,
            log_probability=math.log(_UNTOLD),
            no_speech=0.0 if spoken else 1.0,
            language=language if spoken else "",
            language_probability=1.0 if spoken else 0.0,
        )


def _nothing(pieces: tuple[Piece, ...] = ()) -> Heard:
    """What is heard of a language that nobody tells."""
    return Heard(
        pieces=pieces,
        log_probability=math.log(_UNTOLD),
        language="",
        language_probability=0.0,
    )


def _pieces(tokens: Sequence[str], starts_s: Sequence[float], window_ms: int) -> tuple[Piece, ...]:
    if len(tokens) != len(starts_s):
        raise EngineError(
            "this model does not tell when its words were said",
            remedy="take a Paraformer with timestamps, or SenseVoice",
        )
    starts = [min(round(start * 1000), window_ms) for start in starts_s]
    ends = [*starts[1:], window_ms][: len(starts)]
    return tuple(
        Piece(
            token,
            start,
            min(end, start + _LONGEST_PIECE_MS),
            probability=_UNTOLD,
        )
        for token, start, end in zip(tokens, starts, ends, strict=True)
    )


def _joined(tokens: Sequence[str]) -> list[str]:
    """Paraformer's tokens as text: Latin words apart, pieces of one (hel@@ lo) together."""
    texts = []
    goes_on = False
    for token in tokens:
        apart = token.isascii() and not goes_on
        goes_on = token.endswith(_GOES_ON)
        texts.append(f"{' ' if apart else ''}{token.removesuffix(_GOES_ON)}")
    return texts


def _count_tokens(path: Path) -> int:
    """How many tokens a file lists; each line is a symbol and its number, in order."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError as error:
        raise EngineError(f"{path} is missing", remedy="copy the model's folder again") from error
    except (OSError, UnicodeDecodeError) as error:
        raise EngineError(f"{path} is no text", remedy="copy the model's folder again") from error
    for number, line in enumerate(lines):
        if line.rsplit(maxsplit=1)[-1:] != [str(number)]:
            raise EngineError(
                f"{path}, line {number + 1}: not a token and its number {number}",
                remedy=f"copy the {_TOKENS_FILE} that came with this model",
            )
    return len(lines)
