"""The version of the code that judges: two Sanshengs may read the same files differently."""

import hashlib
from functools import lru_cache
from importlib import resources

_ROOMS = ("calls", "phrasebook", "phrasebook.weights", "scoring")
"""What a verdict is made by, beside the rules, the phrasebook and the ears."""
_HASH_DIGITS = 8


@lru_cache(maxsize=1)
def code_version() -> str:
    """A hash of the judging code and of the weights that it reads; 8 hexadecimal digits."""
    digest = hashlib.sha256()
    for room in _ROOMS:
        folder = resources.files(room)
        for file in sorted(folder.iterdir(), key=lambda file: file.name):
            if file.name.endswith((".py", ".npz")):
                digest.update(f"{room}/{file.name}\n".encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()[:_HASH_DIGITS]
