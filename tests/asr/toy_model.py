"""Models of SenseVoice's and Paraformer's form that fit in a test.

sherpa-onnx loads and runs them like real ones (features, batches, the four tokens before
SenseVoice's text, times). The first writes 好 where there is sound, the second always the same.
What they cannot show is how well a real model hears.
"""

from collections.abc import Mapping, Sequence
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
PARAFORMER_TOKENS = ("<blank>", "<s>", "</s>", "好", "hel@@", "lo", "ok", "<unk>")
PARAFORMER_SAYS = ("好", "hel@@", "lo", "ok")
PARAFORMER_TIMES_S = (0.3, 0.6, 0.9, 1.2)
_PEAK_S = 0.02
_PEAKS = 90
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
    """Write a SenseVoice; ``metadata`` replaces entries, None leaves one out."""
    graph = _graph(TOKENS.index(word), TOKENS.index(language))
    return _write(folder, TOKENS, graph, _metadata() | dict(metadata or {}))


def write_toy_paraformer(folder: Path, *, timed: bool = True) -> Path:
    """Write a Paraformer that says PARAFORMER_SAYS of any sound, with or without times."""
    entries = _metadata() | {
        "vocab_size": str(len(PARAFORMER_TOKENS)),
        "encoder_output_size": "512",
        "lang_auto": None,
    }
    return _write(folder, PARAFORMER_TOKENS, _paraformer_graph(timed=timed), entries)


def _write(
    folder: Path,
    tokens: Sequence[str],
    graph: onnx.GraphProto,
    entries: Mapping[str, str | None],
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    lines = (f"{token} {number}\n" for number, token in enumerate(tokens))
    (folder / "tokens.txt").write_text("".join(lines), "utf-8")
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 9
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
    return helper.make_graph(nodes, "toy", inputs, outputs, _weights(constants))


def _paraformer_graph(*, timed: bool) -> onnx.GraphProto:
    """The same tokens for every window; their times are peaks in thirds of a frame."""
    said = [PARAFORMER_TOKENS.index(token) for token in (*PARAFORMER_SAYS, "</s>")]
    logits = np.full((1, len(said), len(PARAFORMER_TOKENS)), _NEVER, np.float32)
    logits[0, range(len(said)), said] = 0.0
    peaks = np.zeros((1, _PEAKS), np.float32)
    peaks[0, [round(s / _PEAK_S) for s in (*PARAFORMER_TIMES_S, PARAFORMER_TIMES_S[-1] + 0.3)]] = 1
    constants: dict[str, NDArray[np.generic]] = {
        "said": logits,
        "count": np.array([len(said)], np.int32),
        "peaks": peaks,
        "first": np.array([0], np.int64),
        "said_shape": np.array(logits.shape[1:], np.int64),
        "peaks_shape": np.array([_PEAKS], np.int64),
    }
    nodes = [
        helper.make_node("Shape", ["speech"], ["shape"]),
        helper.make_node("Gather", ["shape", "first"], ["windows"]),
        helper.make_node("Concat", ["windows", "said_shape"], ["all_said"], axis=0),
        helper.make_node("Expand", ["said", "all_said"], ["logits"]),
        helper.make_node("Expand", ["count", "windows"], ["token_num"]),
    ]
    outputs = [
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", "L", logits.shape[2]]),
        helper.make_tensor_value_info("token_num", TensorProto.INT32, ["N"]),
    ]
    if timed:
        nodes += [
            helper.make_node("Concat", ["windows", "peaks_shape"], ["all_peaks"], axis=0),
            helper.make_node("Expand", ["peaks", "all_peaks"], ["us_alphas"]),
            helper.make_node("Identity", ["us_alphas"], ["us_cif_peak"]),
        ]
        outputs += [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", "A"])
            for name in ("us_alphas", "us_cif_peak")
        ]
    inputs = [
        helper.make_tensor_value_info("speech", TensorProto.FLOAT, ["N", "T", _FEATURES]),
        helper.make_tensor_value_info("speech_lengths", TensorProto.INT32, ["N"]),
    ]
    return helper.make_graph(nodes, "toy", inputs, outputs, _weights(constants))


def _weights(constants: Mapping[str, NDArray[np.generic]]) -> list[onnx.TensorProto]:
    return [numpy_helper.from_array(array, name) for name, array in constants.items()]


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
