"""The embedded model's vocabulary, cut to what a Mandarin telephone call can hold.

For every token and beam the decoder weighs its whole vocabulary, 51,865 tokens of a hundred
languages; a tenth of them can stand in a Mandarin text. The weights are cut in memory as they are
loaded. Outside, a token keeps its id of the whole vocabulary.
"""

import json
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asr.model import WEIGHTS

_CONFIG, _WORDS, _TOKENIZER = "config.json", "vocabulary.txt", "tokenizer.json"
_EMBEDDINGS = b"decoder/embeddings/weight\0"
"""Shape (vocabulary, width); the projection on the vocabulary is an alias of it."""
_PIECE = "\ufffd"
"""How a tokenizer writes a piece of a character: a token may hold one or two of its three bytes."""
_BYTES = 256
"""The first tokens are the single bytes: they can spell any text."""
_COMMON = 2500
"""Below it are the tokens that are frequent in all languages, English words among them."""


class Cut:
    """Which tokens are kept, and a model's files with those alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tokenizer = _tokenizer(folder)
        first_special = self._tokenizer.token_to_id("<|endoftext|>")
        last_special = self._tokenizer.token_to_id("<|notimestamps|>")
        texts = self._tokenizer.decode_batch([[token] for token in range(first_special)])
        self._kept = (
            *(token for token, text in enumerate(texts) if _is_kept(token, text)),
            *range(first_special, last_special + 1),
        )
        self._places = {token: place for place, token in enumerate(self._kept)}

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, token: int) -> bool:
        return token in self._places

    def inside(self, tokens: Iterable[int]) -> list[int]:
        """Kept tokens as the cut model numbers them."""
        return [self._places[token] for token in tokens]

    def outside(self, places: Iterable[int]) -> list[int]:
        """The cut model's tokens as the whole vocabulary numbers them."""
        return [self._kept[place] for place in places]

    def spelled(self, tokens: Iterable[int]) -> list[int]:
        """The same text in kept tokens: one that was cut becomes its bytes."""
        spelled: list[int] = []
        for token in tokens:
            if token in self:
                spelled.append(token)
            else:
                letters = self._tokenizer.id_to_token(token)
                spelled += [self._tokenizer.token_to_id(letter) for letter in letters]
        return spelled

    def files(self) -> dict[str, bytes]:
        """The model's files as CTranslate2 takes them from memory.

        The words that were cut stand after the others: CTranslate2 takes a model for one of many
        languages by the number of its words.
        """
        config = json.loads((self._folder / _CONFIG).read_bytes())
        for name in ("lang_ids", "suppress_ids", "suppress_ids_begin"):
            config[name] = self.inside(token for token in config[name] if token in self)
        words = (self._folder / _WORDS).read_bytes().split(b"\n")[:-1]
        rest = (word for token, word in enumerate(words) if token not in self)
        return {
            WEIGHTS: self._weights((self._folder / WEIGHTS).read_bytes()),
            _CONFIG: json.dumps(config).encode(),
            _WORDS: b"".join(b"%s\n" % word for word in (*(words[t] for t in self._kept), *rest)),
        }

    def _weights(self, whole: bytes) -> bytes:
        """The weights with the kept rows of the embeddings; all else byte for byte.

        The format has of a variable its name, the number of its dimensions (one byte), each of
        them, its type (one byte), its size in bytes, and its rows.
        """
        shape = whole.index(_EMBEDDINGS) + len(_EMBEDDINGS) + 1
        rows, width, kind, size = struct.unpack_from("<IIBI", whole, shape)
        first, row = shape + struct.calcsize("<IIBI"), size // rows
        kept = b"".join(whole[first + t * row : first + (t + 1) * row] for t in self._kept)
        head = struct.pack("<IIBI", len(self._kept), width, kind, len(kept))
        return b"".join((whole[:shape], head, kept, whole[first + size :]))


@dataclass(frozen=True, slots=True)
class Generated:
    """What the decoder wrote for one window, likeliest first."""

    sequences_ids: list[list[int]]
    scores: list[float]
    no_speech_prob: float


class NarrowModel:
    """CTranslate2's Whisper with a cut vocabulary, asked and answering in ids of the whole one."""

    def __init__(self, model: Any, cut: Cut) -> None:
        self._model = model
        self._cut = cut

    def generate(
        self, encoded: Any, prompts: list[list[int]], *, suppress_tokens: list[int], **options: Any
    ) -> list[Generated]:
        """Decode; a token that was cut need not be suppressed."""
        cut = self._cut
        results = self._model.generate(
            encoded,
            [cut.inside(prompt) for prompt in prompts],
            suppress_tokens=cut.inside(token for token in suppress_tokens if token in cut),
            **options,
        )
        return [
            Generated(
                [cut.outside(sequence) for sequence in result.sequences_ids],
                list(result.scores),
                result.no_speech_prob,
            )
            for result in results
        ]

    def align(
        self,
        encoded: Any,
        start: list[int],
        texts: list[list[int]],
        frames: list[int],
        **options: Any,
    ) -> Any:
        """Times and probabilities of texts of kept tokens, one of each for each token."""
        inside = [self._cut.inside(text) for text in texts]
        return self._model.align(encoded, self._cut.inside(start), inside, frames, **options)

    def detect_language(self, encoded: Any) -> Any:
        """The languages and their probabilities, likeliest first."""
        return self._model.detect_language(encoded)


def _tokenizer(folder: Path) -> Any:
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(folder / _TOKENIZER))


def _is_kept(token: int, text: str) -> bool:
    """Chinese and its marks, common Latin script, and pieces of characters."""
    if token < _BYTES or _PIECE in text:
        return True
    if text.isascii():
        return token < _COMMON
    return all(c.isascii() or "\u3000" <= c <= "\u9fff" or "\uff00" <= c <= "\uffef" for c in text)
