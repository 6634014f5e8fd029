"""Trains the meaning classifier: ``python tools/train_meaning.py [--evaluate]``.

Reads phrasebook/training/*.jsonl and the phrasebook's own phrases, writes
phrasebook/weights/meaning.npz. Needs the ``meaning`` extra and scikit-learn (dev only).
``held_out*.jsonl`` are of other styles and are only ever reported on, never learnt from. Each
``hand_*.jsonl`` is one hand's writing: the model is chosen by leaving out a hand at a time. The
pieces learn from every sentence twice, as written and as a recogniser might mishear it.
"""

import argparse
import functools
import hashlib
import json
import random
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from calls.hit import Kind
from phrasebook import book as books
from phrasebook import meaning
from phrasebook.sound import code

PACKAGE = Path(books.__file__).parent
TRAINING = PACKAGE / "training"
WEIGHTS = PACKAGE / "weights" / "meaning.npz"
STRENGTH = 30.0
"""Inverse of the regularisation (scikit-learn's C), chosen by leaving out a hand at a time."""
EMBEDDING_SCALE = 1.5
"""Mean length of a centred embedding beside the pieces' length of 1."""
MISHEARD = 0.15
"""Share of characters of a misheard sentence that become another of the same sound."""
LOST = 0.02
"""Share of characters that are not heard at all."""


@dataclass(frozen=True)
class Sentences:
    """Labelled sentences with their features."""

    labels: Any
    families: list[str]
    pieces: Any
    embeddings: Any
    misheard: Any
    """The pieces of the same sentences misheard."""

    def take(self, chosen: Any) -> "Sentences":
        """The chosen rows."""
        return Sentences(
            self.labels[chosen],
            [self.families[i] for i in chosen],
            self.pieces[chosen],
            self.embeddings[chosen],
            self.misheard[chosen],
        )

    def plus(self, other: "Sentences") -> "Sentences":
        """Both, one after the other."""
        return Sentences(
            np.r_[self.labels, other.labels],
            self.families + other.families,
            sp.vstack([self.pieces, other.pieces]).tocsr(),
            np.vstack([self.embeddings, other.embeddings]),
            sp.vstack([self.misheard, other.misheard]).tocsr(),
        )


def read(name: str) -> Sentences:
    """A file of labelled sentences, the agents' only; those without spoken words are left out."""
    rows = map(json.loads, (TRAINING / name).read_text(encoding="utf-8").splitlines())
    kept = [r for r in rows if r["speaker"] == "agent" and not r["text"].startswith("（")]
    return prepare([(r["prev"], r["text"], r["label"] == "violation", r["family"]) for r in kept])


def read_lexicon() -> Sentences:
    """The phrasebook's own phrases: forbidden ones, and the agent's courtesy."""
    return prepare(
        [
            ("", p.text, p.kind is Kind.FORBIDDEN, p.family)
            for p in books.load().phrases
            if p.kind is Kind.FORBIDDEN or p.id.startswith("C")
        ]
    )


def prepare(rows: list[tuple[str, str, bool, str]]) -> Sentences:
    """Features of (previous, text, violation, family) rows."""
    vectors = []
    for previous, text, _, _ in rows:
        vector = meaning.embed(text, previous)
        if vector is None:
            sys.exit("train_meaning: install the `meaning` extra first")
        vectors.append(vector)
    chance = random.Random(len(rows))
    return Sentences(
        np.array([int(row[2]) for row in rows]),
        [row[3] for row in rows],
        _pieces([(text, previous) for previous, text, _, _ in rows]),
        np.array(vectors, np.float32),
        _pieces([(mishear(text, chance), mishear(p, chance)) for p, text, _, _ in rows]),
    )


def _pieces(rows: list[tuple[str, str]]) -> Any:
    places, values, starts = [], [], [0]
    for text, previous in rows:
        where, what = meaning.pieces(text, previous)
        places.append(where)
        values.append(what)
        starts.append(starts[-1] + len(where))
    return sp.csr_matrix(
        (np.concatenate(values), np.concatenate(places), starts),
        shape=(len(rows), 2 * meaning.BUCKETS + 4),
    )


def mishear(text: str, chance: random.Random) -> str:
    """A sentence as a weak recogniser might write it: others of the same sound, some lost."""
    heard = []
    for character in text:
        alike = alike_characters().get(code(character), "")
        if alike and chance.random() < LOST:
            continue
        if alike and chance.random() < MISHEARD:
            character = chance.choice(alike.replace(character, "") or character)
        heard.append(character)
    return "".join(heard)


@functools.cache
def alike_characters() -> dict[str, str]:
    """The characters of the training sentences by their sound, each as often as it is there."""
    alike: dict[str, str] = {}
    for path in _learnt():
        for line in path.read_text(encoding="utf-8").splitlines():
            for character in json.loads(line)["text"]:
                if "\u4e00" <= character <= "\u9fff":
                    sound = code(character)
                    alike[sound] = alike.get(sound, "") + character
    return alike


def _learnt() -> list[Path]:
    return [p for p in sorted(TRAINING.glob("*.jsonl")) if not p.name.startswith("held_out")]


class Model:
    """Two classifiers: pieces alone, of text as written and misheard; and with the embedding.

    What is asked of written text is the mean of both scores.
    """

    def __init__(self, data: Sentences) -> None:
        twice = sp.vstack([data.pieces, data.misheard]).tocsr()
        self.plain = _regression().fit(twice, np.r_[data.labels, data.labels])
        self.mean = data.embeddings.mean(0)
        length = np.linalg.norm(data.embeddings - self.mean, axis=1).mean()
        self.scale = EMBEDDING_SCALE / length
        self.joint = _regression().fit(self._both(data), data.labels)

    def _both(self, data: Sentences) -> Any:
        dense = sp.csr_matrix((data.embeddings - self.mean) * self.scale)
        return sp.hstack([data.pieces, dense]).tocsr()

    def likelihoods(self, data: Sentences) -> tuple[Any, Any, Any]:
        """Probabilities: of written text as the product gives it, by pieces alone, misheard."""
        plain = self.plain.decision_function(data.pieces)
        joint = (plain + self.joint.decision_function(self._both(data))) / 2
        doubtful = np.array([meaning.is_doubtful(p) for p in expit(plain)])
        misheard = self.plain.predict_proba(data.misheard)[:, 1]
        return expit(np.where(doubtful, joint, plain)), expit(plain), misheard


def report(name: str, labels: Any, likelihoods: tuple[Any, Any, Any]) -> None:
    """Print area under the curve, and what is found and falsely raised at some thresholds."""
    for kind, p in zip(("embedding", "pieces", "misheard"), likelihoods, strict=True):
        figures = {"auc": round(float(roc_auc_score(labels, p)), 3)}
        for limit in (0.4, 0.5, 0.7):
            figures[f"found@{limit}"] = round(float(np.mean(p[labels == 1] >= limit)), 3)
            figures[f"raised@{limit}"] = round(float(np.mean(p[labels == 0] >= limit)), 3)
        print(json.dumps({"set": name, "model": kind, "n": len(labels), **figures}))  # noqa: T201
    embedded = np.mean([meaning.is_doubtful(p) for p in likelihoods[1]])
    print(json.dumps({"set": name, "embedded": round(float(embedded), 3)}))  # noqa: T201


def save(model: Model, data: Sentences) -> None:
    """Write the weights, with the scale and mean of the embedding folded in."""
    guilty = [i for i, label in enumerate(data.labels) if label]
    family = LogisticRegression(C=STRENGTH, max_iter=500)
    family.fit(data.pieces[guilty], [data.families[i] for i in guilty])
    size = 2 * meaning.BUCKETS + 4
    joint = model.joint.coef_[0] / 2
    embedding = joint[size:] * model.scale
    bias = (model.joint.intercept_[0] + model.plain.intercept_[0]) / 2
    digest = hashlib.sha256()
    for path in _learnt():
        digest.update(path.read_bytes())
    WEIGHTS.parent.mkdir(exist_ok=True)
    np.savez_compressed(
        WEIGHTS,
        version=np.array(f"meaning-2+{digest.hexdigest()[:8]}"),
        pieces=model.plain.coef_[0].astype(np.float16),
        pieces_bias=np.array(model.plain.intercept_[0]),
        joint_pieces=(joint[:size] + model.plain.coef_[0] / 2).astype(np.float16),
        joint_embedding=embedding.astype(np.float32),
        joint_bias=np.array(bias - model.mean @ embedding),
        families=np.array(family.classes_),
        family_pieces=family.coef_.astype(np.float16),
        family_bias=family.intercept_.astype(np.float32),
    )


def main() -> None:
    """Train and write; with ``--evaluate`` also report cross-validation and the held-out sets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--evaluate", action="store_true")
    evaluate = parser.parse_args().evaluate
    first = read("violations.jsonl").plus(read("harmless.jsonl")).plus(read_lexicon())
    hands = {path.stem: read(path.name) for path in sorted(TRAINING.glob("hand_*.jsonl"))}
    dev = read("cases_dev.jsonl")
    lines = _joined([first, *hands.values()])
    if evaluate:
        for name, hand in hands.items():
            others = _joined([first, *(other for other in hands.values() if other is not hand)])
            report(f"{name}, left out", hand.labels, Model(others).likelihoods(hand))
        unseen = Model(lines)
        report("cases_dev, not learnt from", dev.labels, unseen.likelihoods(dev))
        for path in sorted(TRAINING.glob("held_out*.jsonl")):
            held_out = read(path.name)
            report(f"{path.stem}, another hand", held_out.labels, unseen.likelihoods(held_out))
    everything = lines.plus(dev)
    save(Model(everything), everything)


def _joined(parts: list[Sentences]) -> Sentences:
    return functools.reduce(Sentences.plus, parts)


def _regression() -> LogisticRegression:
    return LogisticRegression(C=STRENGTH, max_iter=3000, class_weight="balanced")


if __name__ == "__main__":
    main()
