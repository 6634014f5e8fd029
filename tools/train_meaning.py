"""Trains the meaning classifier: ``python tools/train_meaning.py [--evaluate] [--cache FILE]``.

Reads phrasebook/training/*.jsonl and the phrasebook's own phrases, writes
phrasebook/weights/meaning.npz. Needs the ``meaning`` extra and scikit-learn (dev only).
``held_out*.jsonl`` are of other styles and are only ever reported on, never learnt from. Each
``hand_*.jsonl`` is one hand's writing: the model is chosen by leaving hands out. The pieces learn
from every sentence twice, as written and as a recogniser might mishear it, and from the clauses of
harmless ones. ``--cache`` keeps the embeddings between runs: a minute's work for some 3,000.
"""

import argparse
import functools
import hashlib
import json
import random
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.neural_network import MLPClassifier

from calls.hit import Kind
from phrasebook import book as books
from phrasebook import meaning
from phrasebook.sound import code

PACKAGE = Path(books.__file__).parent
TRAINING = PACKAGE / "training"
WEIGHTS = PACKAGE / "weights" / "meaning.npz"
STRENGTH = 10.0
"""Inverse of the pieces' regularisation (scikit-learn's C); this and what follows to ``SHARE`` was
chosen by leaving hands out."""
FAMILY_STRENGTH = 30.0
RARITY = 1.5
"""Power of the log of a piece's rarity that is its weight."""
UNITS, NETS, ROUNDS, DECAY = 64, 3, 12, 0.1
"""Of the net: hidden units, nets averaged, passes over the sentences, penalty of its weights."""
SHARE = 0.25
"""The net's share of the log-odds."""
CLAUSE = 0.1
"""Weight beside a sentence of a harmless sentence's clause, misheard: a pause may cut it off."""
LEFT_OUT = 6
"""Groups of hands of which one is left out at a time."""
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
    """Values before they are weighed, shape (sentences, FEATURES)."""
    misheard: Any
    """The same of the sentences misheard."""
    clauses: Any
    """The same of the misheard clauses of the harmless ones; fewer or more rows than sentences."""
    embeddings: Any
    """Shape (sentences, EMBEDDING)."""
    doubts: Any
    """What is taken off each sentence's log-odds, as ``meaning.doubt`` has it."""

    def plus(self, other: "Sentences") -> "Sentences":
        """Both, one after the other."""
        return Sentences(
            np.r_[self.labels, other.labels],
            self.families + other.families,
            sp.vstack([self.pieces, other.pieces]).tocsr(),
            sp.vstack([self.misheard, other.misheard]).tocsr(),
            sp.vstack([self.clauses, other.clauses]).tocsr(),
            np.vstack([self.embeddings, other.embeddings]),
            np.r_[self.doubts, other.doubts],
        )


def read(name: str) -> Sentences:
    """A file of labelled sentences, the agents' only; those without spoken words are left out."""
    rows = map(json.loads, (TRAINING / name).read_text(encoding="utf-8").splitlines())
    kept = [r for r in rows if r["speaker"] == "agent" and r["text"] and r["text"][0] != "（"]
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
    chance = random.Random(len(rows))
    return Sentences(
        np.array([int(row[2]) for row in rows]),
        [row[3] for row in rows],
        _pieces([(text, previous) for previous, text, _, _ in rows]),
        _pieces([(mishear(text, chance), mishear(p, chance)) for p, text, _, _ in rows]),
        _pieces(
            [
                (mishear(clause, chance), "")
                for _, text, bad, _ in rows
                if not bad
                for clause in clauses_of(text)
            ]
        ),
        np.array([_embed(text) for _, text, _, _ in rows]),
        np.array([meaning.doubt(text) for _, text, _, _ in rows]),
    )


_EMBEDDINGS: dict[str, Any] = {}
"""By sentence; ``--cache`` keeps them."""


def _embed(text: str) -> Any:
    if text not in _EMBEDDINGS:
        vector = meaning.embed(text)
        if vector is None:
            sys.exit("train_meaning: install the `meaning` extra first")
        _EMBEDDINGS[text] = vector
    return _EMBEDDINGS[text]


def _pieces(rows: list[tuple[str, str]]) -> Any:
    places, values, starts = [np.empty(0, int)], [np.empty(0, np.float32)], [0]
    for text, previous in rows:
        where, what = meaning.pieces(text, previous)
        places.append(where)
        values.append(what)
        starts.append(starts[-1] + len(where))
    return sp.csr_matrix(
        (np.concatenate(values), np.concatenate(places), starts),
        shape=(len(rows), meaning.FEATURES),
    )


def clauses_of(text: str) -> list[str]:
    """The clauses of a sentence that has several, those of a single character aside."""
    clauses = [c for c in re.split(r"[，。？！,.?! ]+", text) if len(c) > 1]
    return clauses if len(clauses) > 1 else []


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
    """Two classifiers: pieces, of text as written and misheard; and nets over the embedding."""

    def __init__(self, data: Sentences) -> None:
        seen = np.asarray((data.pieces > 0).sum(0)).ravel()
        rarity = np.log((1 + len(data.labels)) / (1 + seen)) ** RARITY
        self.rarity: Any = rarity.astype(np.float16).astype(np.float32)
        twice = np.r_[data.labels, data.labels]
        known = np.r_[twice, np.zeros(data.clauses.shape[0], int)]
        weights = np.where(np.arange(len(known)) < len(twice), 1.0, CLAUSE)
        weights /= np.bincount(known, weights)[known]
        kinds = [self.weigh(rows) for rows in (data.pieces, data.misheard, data.clauses)]
        self.pieces = LogisticRegression(C=STRENGTH, max_iter=1000).fit(
            sp.vstack(kinds).tocsr(), known, weights * len(twice) / 2
        )
        self.mean, self.spread = data.embeddings.mean(0), data.embeddings.std()
        vectors = (data.embeddings - self.mean) / self.spread
        self.nets = [
            MLPClassifier(
                (UNITS,), alpha=DECAY, batch_size=64, max_iter=ROUNDS, random_state=number
            ).fit(vectors, data.labels)
            for number in range(NETS)
        ]

    def weigh(self, raw: Any) -> Any:
        """Rows of pieces as ``meaning.weigh`` weighs them."""
        rows = raw.copy()
        for start, end in pairwise(rows.indptr):
            values, places = rows.data[start:end], rows.indices[start:end]
            rows.data[start:end] = meaning.weigh(places, values, self.rarity)
        return rows

    def net(self) -> tuple[Any, Any, Any, float]:
        """All nets as one: hidden weights, their bias, output weights and bias."""
        hidden = np.hstack([net.coefs_[0] for net in self.nets]) / self.spread
        bias = np.concatenate([net.intercepts_[0] for net in self.nets]) - self.mean @ hidden
        output = np.concatenate([net.coefs_[1][:, 0] for net in self.nets]) / NETS
        return hidden, bias, output, float(np.mean([net.intercepts_[1][0] for net in self.nets]))

    def likelihoods(self, data: Sentences) -> tuple[Any, ...]:
        """Probabilities: of written text as the product gives it, by pieces alone, misheard."""
        alone = self.pieces.decision_function(self.weigh(data.pieces))
        hidden, hidden_bias, output, bias = self.net()
        net = np.maximum(data.embeddings @ hidden + hidden_bias, 0) @ output + bias
        both = (1 - SHARE) * alone + SHARE * np.clip(net, -meaning.UTMOST, meaning.UTMOST)
        doubtful = np.array([meaning.is_doubtful(p) for p in expit(alone - data.doubts)])
        misheard = self.pieces.decision_function(self.weigh(data.misheard))
        scores = np.where(doubtful, both, alone), alone, misheard
        return tuple(expit(score - data.doubts) for score in scores)


def report(name: str, labels: Any, likelihoods: tuple[Any, ...]) -> None:
    """Print area under the curve, and what is found and falsely raised at some thresholds."""
    for kind, p in zip(("embedding", "pieces", "misheard"), likelihoods, strict=True):
        figures: dict[str, Any] = {}
        if len(set(labels)) > 1:
            figures["auc"] = round(float(roc_auc_score(labels, p)), 3)
        for limit in (0.3, 0.4, 0.5, 0.6):
            for label, share in ((1, "found"), (0, "raised")):
                if label in labels:
                    figures[f"{share}@{limit}"] = round(
                        float((p[labels == label] >= limit).mean()), 3
                    )
        print(json.dumps({"set": name, "model": kind, "n": len(labels), **figures}))  # noqa: T201
    embedded = np.mean([meaning.is_doubtful(p) for p in likelihoods[1]])
    print(json.dumps({"set": name, "embedded": round(float(embedded), 3)}))  # noqa: T201


def save(model: Model, data: Sentences) -> None:
    """Write the weights, with the scale and mean of the embedding folded in."""
    guilty = [i for i, label in enumerate(data.labels) if label]
    family = LogisticRegression(C=FAMILY_STRENGTH, max_iter=500)
    folded = _folded(model.weigh(data.pieces[guilty]))
    family.fit(folded, [data.families[i] for i in guilty])
    hidden, hidden_bias, output, output_bias = model.net()
    digest = hashlib.sha256()
    for path in _learnt():
        digest.update(path.read_bytes())
    WEIGHTS.parent.mkdir(exist_ok=True)
    np.savez_compressed(
        WEIGHTS,
        version=np.array(f"meaning-3+{digest.hexdigest()[:8]}"),
        rarity=model.rarity.astype(np.float16),
        pieces=model.pieces.coef_[0].astype(np.float16),
        pieces_bias=np.array(model.pieces.intercept_[0]),
        hidden=hidden.astype(np.float16),
        hidden_bias=hidden_bias.astype(np.float32),
        output=output.astype(np.float32),
        output_bias=np.array(output_bias),
        share=np.array(SHARE),
        families=np.array(family.classes_),
        family_pieces=family.coef_.astype(np.float16),
        family_bias=family.intercept_.astype(np.float32),
    )


def _folded(pieces: Any) -> Any:
    """The pieces in the buckets that tell families apart."""
    rows = pieces.tocoo()
    shape = (pieces.shape[0], meaning.FAMILY_BUCKETS)
    return sp.csr_matrix((rows.data, (rows.row, rows.col % meaning.FAMILY_BUCKETS)), shape)


@contextmanager
def kept_embeddings(cache: Path | None) -> Iterator[None]:
    """Use the embeddings of an earlier run, and keep those of this one."""
    if cache is not None and cache.is_file():
        with np.load(cache, allow_pickle=False) as saved:
            _EMBEDDINGS.update(zip(saved["sentences"].tolist(), saved["vectors"], strict=True))
    yield
    if cache is not None:
        vectors = np.array(list(_EMBEDDINGS.values()), np.float32)
        np.savez(cache, sentences=np.array(list(_EMBEDDINGS)), vectors=vectors)


def main() -> None:
    """Train and write; with ``--evaluate`` also report on hands left out and the held-out sets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--evaluate", action="store_true")
    parser.add_argument("--cache", type=Path, help="an .npz file that keeps the embeddings")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)  # few passes are wanted
    with kept_embeddings(arguments.cache):
        first = read("violations.jsonl").plus(read("harmless.jsonl")).plus(read_lexicon())
        hands = {path.stem: read(path.name) for path in sorted(TRAINING.glob("hand_*.jsonl"))}
        dev = read("cases_dev.jsonl")
        held_out = {p.stem: read(p.name) for p in sorted(TRAINING.glob("held_out*.jsonl"))}
    lines = _joined([first, *hands.values()])
    if arguments.evaluate:
        evaluate(first, hands)
        unseen = Model(lines)
        report("cases_dev, not learnt from", dev.labels, unseen.likelihoods(dev))
        for name, sentences in held_out.items():
            report(f"{name}, another hand", sentences.labels, unseen.likelihoods(sentences))
    everything = lines.plus(dev)
    save(Model(everything), everything)


def evaluate(first: Sentences, hands: dict[str, Sentences]) -> None:
    """Report on each hand as judged by a model that learnt from none of its group."""
    names = list(hands)
    labels, seen = [], []
    for number in range(LEFT_OUT):
        out = names[number::LEFT_OUT]
        model = Model(_joined([first, *(hands[name] for name in names if name not in out)]))
        for name in out:
            likelihoods = model.likelihoods(hands[name])
            report(f"{name}, left out", hands[name].labels, likelihoods)
            labels.append(hands[name].labels)
            seen.append(likelihoods)
    written, alone, misheard = (np.concatenate(kind) for kind in zip(*seen, strict=True))
    report("all hands, left out", np.concatenate(labels), (written, alone, misheard))


def _joined(parts: list[Sentences]) -> Sentences:
    return functools.reduce(Sentences.plus, parts)


if __name__ == "__main__":
    main()
