"""A model of SenseVoice's form that fits in a test: it writes 好 where there is sound.

sherpa-onnx loads and runs it like a real one (features, batches, the four tokens before the text,
the times of CTC). What it cannot show is how well a real model hears.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

TOKENS = (
    "<blk>",
    "<s>",
    "</s>",
    "好",
    "▁ok",
    "<|zh|>",
    "<|yue|>",
    "<|nospeech|>",
    "<|NEUTRAL|>",
    "<|Speech|>",
    "<|woitn|>",
)
_MOOD = tuple(map(TOKENS.index, ("<|NEUTRAL|>", "<|Speech|>", "<|woitn|>")))
_FRAMES_JOINED, _FRAMES_STEPPED = 7, 6
"""SenseVoice's low frame rate: 7 frames of 10 ms joined, every 6th kept."""
_FEATURES = 80 * _FRAMES_JOINED
_LOUD = 12.0
"""Mean log energy that sound has and a quiet line has not."""
_NEVER = -50.0


def write_toy_model(
    folder: Path,
    *,
    language: str = "<|zh|>",
    word: str = "好",
    metadata: Mapping[str, str | None] | None = None,
) -> Path:
    """Write model.onnx and tokens.txt; ``metadata`` replaces entries, None leaves one out."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = (f"{token} {number}\n" for number, token in enumerate(TOKENS))
    (folder / "tokens.txt").write_text("".join(lines), "utf-8")
    model = helper.make_model(
        _graph(TOKENS.index(word), TOKENS.index(language)),
        opset_imports=[helper.make_opsetid("", 18)],
    )
    model.ir_version = 9
    entries = _metadata() | dict(metadata or {})
    helper.set_model_props(model, {key: value for key, value in entries.items() if value})
    onnx.save(model, str(folder / "model.onnx"))
    return folder


def _graph(word: int, language: int) -> onnx.GraphProto:
    """Per frame the word if its mean feature is loud, else the blank; before them four tokens."""
    count = len(TOKENS)
    weight = np.zeros((1, 1, count), np.float32)
    weight[..., word] = 1.0
    bias = np.full((1, 1, count), _NEVER, np.float32)
    bias[..., 0], bias[..., word] = 0.0, -_LOUD
    head = np.full((1, 4, count), _NEVER, np.float32)
    for place, token in enumerate((language, *_MOOD)):
        head[0, place, token] = 0.0
    constants: dict[str, NDArray[np.generic]] = {
        "weight": weight,
        "bias": bias,
        "head": head,
        "features": np.array([2], np.int64),
        "first": np.array([0], np.int64),
        "head_shape": np.array([4, count], np.int64),
    }
    nodes = [
        helper.make_node("ReduceMean", ["x", "features"], ["energy"], keepdims=1),
        helper.make_node("Mul", ["energy", "weight"], ["weighed"]),
        helper.make_node("Add", ["weighed", "bias"], ["body"]),
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "first"], ["windows"]),
        helper.make_node("Concat", ["windows", "head_shape"], ["heads_shape"], axis=0),
        helper.make_node("Expand", ["head", "heads_shape"], ["heads"]),
        helper.make_node("Concat", ["heads", "body"], ["logits"], axis=1),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", "T", _FEATURES])] + [
        helper.make_tensor_value_info(name, TensorProto.INT32, ["N"])
        for name in ("x_length", "language", "text_norm")
    ]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", "S", count])]
    weights = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    return helper.make_graph(nodes, "toy", inputs, outputs, weights)


def _metadata() -> dict[str, str | None]:
    numbers: dict[str, int] = {
        "vocab_size": len(TOKENS),
        "lfr_window_size": _FRAMES_JOINED,
        "lfr_window_shift": _FRAMES_STEPPED,
        "normalize_samples": 0,
        "with_itn": 14,
        "without_itn": 15,
        "lang_auto": 0,
        "lang_zh": 3,
        "lang_en": 4,
        "lang_yue": 7,
        "lang_ja": 11,
        "lang_ko": 12,
    }
    return {
        **{key: str(value) for key, value in numbers.items()},
        "neg_mean": ",".join("0" * _FEATURES),
        "inv_stddev": ",".join("1" * _FEATURES),
    }
