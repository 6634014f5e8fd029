"""The recordings of a folder, found by the identifier that their names carry."""

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from calls.call import Channel
from calls.errors import RecordingError
from importer.audio import AUDIO_SUFFIXES, Sides

_RECEIVED = re.compile(r"(?:[-_.](?:r|rx|in|caller))$", re.IGNORECASE)
_SENT = re.compile(r"(?:[-_.](?:t|tx|out|agent))$", re.IGNORECASE)


class Recordings:
    """An index of a folder's audio files by every identifier in their names."""

    def __init__(self, folder: Path, identifier: re.Pattern[str], left: Channel) -> None:
        self._left = left
        self._files: dict[str, list[Path]] = defaultdict(list)
        if folder.is_dir():
            for path in sorted(folder.rglob("*")):
                if path.suffix.lower() in AUDIO_SUFFIXES:
                    for found in identifier.findall(path.name):
                        self._files[found].append(path)

    def files(self, identifier: str) -> tuple[Path, ...]:
        """The files that carry this identifier."""
        return tuple(self._files.get(identifier, ()))

    def sides(self, identifier: str) -> Sides | None:
        """Which file is what; None when nothing was recorded.

        A pair is told by the end of the names: ``-r``, ``-in``, ``-rx``, ``-caller`` is what the
        PBX received from the caller, ``-t``, ``-out``, ``-tx``, ``-agent`` what it sent to them.
        """
        return choose(self.files(identifier), self._left)


def measure(files: Iterable[Path]) -> tuple[int, float]:
    """Bytes and newest change of files; those that are gone in the meantime count for nothing."""
    size, changed = 0, 0.0
    for path in files:
        try:
            about = path.stat()
        except (OSError, ValueError):
            continue
        size, changed = size + about.st_size, max(changed, about.st_mtime)
    return size, changed


def choose(files: tuple[Path, ...], left: Channel) -> Sides | None:
    """Caller's and agent's file, or the one file of both."""
    caller = [path for path in files if _RECEIVED.search(path.stem)]
    agent = [path for path in files if _SENT.search(path.stem)]
    both = [path for path in files if path not in caller and path not in agent]
    if len(caller) == 1 and len(agent) == 1:
        return Sides(caller=caller[0], agent=agent[0])
    if len(both) == 1:
        return Sides(both=both[0], left=left)
    if not files:
        return None
    raise RecordingError(
        f"{len(files)} recordings carry the identifier of this call",
        remedy="keep one file a call, or one ending in -r and one in -t",
    )
