"""The faster-whisper engine: Whisper on CTranslate2, windows in batches.

The only module that imports faster_whisper and ctranslate2. A window is encoded once; the same
encoder output is decoded, aligned for word times, and asked for its language.
"""

import hashlib
import os
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr.engine import Claim, Heard, Piece
from asr.memory import keep_freed_memory
from asr.model import SHA256, embedded_model
from asr.settings import AsrSettings
from asr.vocabulary import Cut, NarrowModel
from asr.windows import MODEL_RATE, WINDOW_MS
from calls.errors import EngineError
from calls.wav import Samples

_LANGUAGE = "zh"
_FRAME_MS = 20
"""One step of Whisper's encoder output."""
_FRAME_SAMPLES = 160
"""Samples of one mel frame (10 ms)."""
_WINDOW = WINDOW_MS * MODEL_RATE // 1000
_SCORE_SILENCE = 3 * MODEL_RATE
"""Samples of silence after a clip that is scored. Decoding needs the whole window that the model
was trained on; scoring a given text does not, and a short one costs an eighth (docs/ears.md)."""
_MOST_TOKENS = 224
_PROMPT_TOKENS = 120
_SPARE_TOKENS, _TOKENS_S = 10, 16
"""Tokens of a second reading, beyond and for a second: fast Mandarin is seven syllables."""
_CLAIMS_AT_ONCE = 16
_LANES = 2
"""Of a CPU. A GPU fills itself."""
_MISSING = "install the asr extra: pip install 'sansheng[asr]'"


class WhisperEngine:
    """Whisper with the weights that the settings name."""

    can_score = True

    def __init__(self, settings: AsrSettings) -> None:
        try:
            import ctranslate2
            from faster_whisper import WhisperModel
            from faster_whisper.tokenizer import Tokenizer
        except ImportError as error:
            raise EngineError("faster-whisper is not installed", remedy=_MISSING) from error
        keep_freed_memory()
        self._is_gpu = settings.device != "cpu"
        is_embedded = settings.model == "embedded"
        source = embedded_model() if is_embedded else settings.model
        threads = settings.threads or min(4, os.cpu_count() or 1)
        self.lanes = 1 if self._is_gpu else min(_LANES, threads)
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        try:
            self._cut = Cut(Path(source)) if is_embedded and not self._is_gpu else None
            self._whisper: Any = WhisperModel(
                str(source),
                device=settings.device,
                compute_type=settings.compute_type,
                cpu_threads=threads // self.lanes,
                num_workers=self.lanes,
                files=self._cut and self._cut.files(),
            )
        except Exception as error:
            raise EngineError(
                f"the speech model {settings.model!r} cannot be loaded ({type(error).__name__})",
                remedy="set [asr] model to a folder with model.bin, or to embedded; "
                "on a machine without a GPU device must be cpu",
            ) from error
        whole = self._whisper.model
        self._model: Any = NarrowModel(whole, self._cut) if self._cut else whole
        self._views: Any = ctranslate2.StorageView
        self._tokenizer: Any = Tokenizer(
            self._whisper.hf_tokenizer,
            self._whisper.model.is_multilingual,
            task="transcribe",
            language=_LANGUAGE,
        )
        self.batch_size = max(1, settings.batch_size // self.lanes)
        self._beam_size = settings.beam_size
        self.name = f"faster-whisper {version('faster-whisper')}"
        self.model = _model_name(settings.model, is_cut=self._cut is not None)

    def hear(self, windows: Sequence[Samples], prompt: str = "") -> list[Heard]:
        """Transcribe windows in one batch; see ``Engine``."""
        if not windows:
            return []
        encoded = self._encode(windows)
        brief = encoded if self._is_gpu else self._views.from_array(_halved(np.asarray(encoded)))
        tokens = self._prompt(prompt)
        try:
            results = self._model.generate(
                brief,
                [tokens] * len(windows),
                beam_size=self._beam_size,
                max_length=_MOST_TOKENS + len(tokens),
                return_scores=True,
                return_no_speech_prob=True,
                suppress_blank=True,
                suppress_tokens=self._suppressed(),
            )
            languages = self._model.detect_language(brief)
        except RuntimeError as error:
            raise _translated(error) from error
        texts = [
            [token for token in result.sequences_ids[0] if token < self._tokenizer.eot]
            for result in results
        ]
        aligned = self._align(encoded, windows, texts)
        heard = []
        for result, language, pieces in zip(results, languages, aligned, strict=True):
            name, probability = language[0]
            heard.append(
                Heard(
                    pieces=pieces,
                    log_probability=float(result.scores[0]),
                    no_speech=float(result.no_speech_prob),
                    language=name.strip("<|>"),
                    language_probability=float(probability),
                )
            )
        return heard

    def score(self, window: Samples, claims: Sequence[Claim]) -> list[float]:
        """Score claims against one window, in batches over one encoding; see ``Engine``."""
        if not claims:
            return []
        length = min(_WINDOW, len(window) + _SCORE_SILENCE)
        one = np.asarray(self._encode([window], length).to_device(self._cpu()))
        scores: list[float] = []
        for first in range(0, len(claims), _CLAIMS_AT_ONCE):
            batch = claims[first : first + _CLAIMS_AT_ONCE]
            parts = [[self._tokens(t) for t in (c.before, c.phrase, c.after)] for c in batch]
            encoded = self._views.from_array(np.repeat(one, len(batch), axis=0))
            try:
                results = self._model.align(
                    encoded,
                    self._tokenizer.sot_sequence,
                    [before + phrase + after for before, phrase, after in parts],
                    [_frames(window)] * len(batch),
                    median_filter_width=1,  # for times, which nobody asks for here
                )
            except RuntimeError as error:
                raise _translated(error) from error
            for (before, phrase, _), result in zip(parts, results, strict=True):
                probabilities = result.text_token_probs[len(before) : len(before) + len(phrase)]
                scores.append(float(np.mean(np.log(np.maximum(probabilities, 1e-9)))))
        return scores

    def alternatives(self, window: Samples, most: int) -> list[str]:
        """The beam's own texts of one clip, in a window cut to it; see ``Engine``.

        A cut window costs a fifth and makes more errors, which is why it is only a second reading.
        """
        length = min(_WINDOW, len(window) + _SCORE_SILENCE)
        tokens = self._prompt("")
        room = min(_MOST_TOKENS, _SPARE_TOKENS + _TOKENS_S * len(window) // MODEL_RATE)
        try:
            [result] = self._model.generate(
                self._encode([window], length),
                [tokens],
                beam_size=max(most, self._beam_size),
                num_hypotheses=most,
                max_length=len(tokens) + room,
                suppress_blank=True,
                suppress_tokens=self._suppressed(),
            )
        except RuntimeError as error:
            raise _translated(error) from error
        texts = [
            self._tokenizer.decode([token for token in sequence if token < self._tokenizer.eot])
            for sequence in result.sequences_ids
        ]
        return list(dict.fromkeys(text.strip() for text in texts))

    def _encode(self, windows: Sequence[Samples], length: int = _WINDOW) -> Any:
        """The encoder's output for windows, each of ``length`` samples.

        A CPU takes them one by one: a batch is no faster there, and its attention takes 70 MB a
        window.
        """
        extractor = self._whisper.feature_extractor
        features = []
        for window in windows:
            mel = extractor(np.pad(window[:length], (0, max(0, length - len(window)))))
            features.append(mel[:, : length // _FRAME_SAMPLES])
        encode = self._whisper.encode
        try:
            if self._is_gpu:
                return encode(np.stack(features))
            return self._views.from_array(
                np.concatenate([np.asarray(encode(mel)) for mel in features])
            )
        except RuntimeError as error:
            raise _translated(error) from error

    def _align(
        self, encoded: Any, windows: Sequence[Samples], texts: Sequence[list[int]]
    ) -> list[tuple[Piece, ...]]:
        """Times for each window's tokens; windows without text have no pieces."""
        filled = [index for index, text in enumerate(texts) if text]
        pieces: list[tuple[Piece, ...]] = [() for _ in texts]
        if not filled:
            return pieces
        if len(filled) < len(texts):
            array = np.asarray(encoded.to_device(self._cpu()))
            encoded = self._views.from_array(np.ascontiguousarray(array[filled]))
        try:
            results = self._model.align(
                encoded,
                self._tokenizer.sot_sequence,
                [texts[index] for index in filled],
                [_frames(windows[index]) for index in filled],
            )
        except RuntimeError as error:
            raise _translated(error) from error
        for index, result in zip(filled, results, strict=True):
            pieces[index] = self._pieces(texts[index], result)
        return pieces

    def _pieces(self, text: list[int], result: Any) -> tuple[Piece, ...]:
        words, tokens = self._tokenizer.split_tokens_on_unicode([*text, self._tokenizer.eot])
        begins = dict[int, int]()
        for token, step in result.alignments:
            begins.setdefault(int(token), int(step))
        last = max(begins.values(), default=0) + 1
        pieces = []
        at = 0
        for word, parts in zip(words[:-1], tokens[:-1], strict=True):
            end = at + len(parts)
            start_step = begins.get(at, last)
            end_step = begins.get(end, last)
            probability = float(np.mean(result.text_token_probs[at:end]))
            pieces.append(
                Piece(
                    word, start_step * _FRAME_MS, max(end_step, start_step) * _FRAME_MS, probability
                )
            )
            at = end
        return tuple(pieces)

    def _prompt(self, prompt: str) -> list[int]:
        head: list[int] = []
        if prompt:
            head = [self._tokenizer.sot_prev, *self._tokens(prompt)[:_PROMPT_TOKENS]]
        return [*head, *self._tokenizer.sot_sequence, self._tokenizer.no_timestamps]

    def _tokens(self, text: str) -> list[int]:
        tokens = list(self._tokenizer.encode(text)) if text else []
        return self._cut.spelled(tokens) if self._cut else tokens

    def _suppressed(self) -> list[int]:
        tokenizer = self._tokenizer
        special = (
            tokenizer.transcribe,
            tokenizer.translate,
            tokenizer.sot,
            tokenizer.sot_prev,
            tokenizer.sot_lm,
            tokenizer.no_speech,
        )
        return sorted({*tokenizer.non_speech_tokens, *special})

    @staticmethod
    def _cpu() -> Any:
        import ctranslate2

        return ctranslate2.Device.cpu


def _halved(steps: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of every two steps of the encoder's output, shape (windows, steps, width).

    At each token the decoder reads all steps again. With half of them it takes a third less
    processor time, and its words are as good; only times want every step (docs/ears.md).
    """
    windows, length, width = steps.shape
    halved: NDArray[np.float32] = steps.reshape(windows, length // 2, 2, width).mean(axis=2)
    return halved


def _frames(window: Samples) -> int:
    """Mel frames (10 ms) of a window that are not padding."""
    return min(3000, max(2, len(window) * 100 // MODEL_RATE))


def _model_name(model: str, *, is_cut: bool) -> str:
    if model == "embedded":
        return f"whisper-base{'-zh' if is_cut else ''} {SHA256[:8]}"
    weights = Path(model) / "model.bin"
    if not weights.is_file():
        return model
    with weights.open("rb") as file:
        return f"{Path(model).name} {hashlib.file_digest(file, 'sha256').hexdigest()[:8]}"


def _translated(error: RuntimeError) -> EngineError:
    memory = "memory" in str(error).lower()
    return EngineError(
        "the speech engine ran out of memory" if memory else "the speech engine failed",
        remedy="set [asr] batch_size lower" if memory else "run `sansheng doctor`",
        retryable=memory,
    )
