"""Hand-over folders: how a call goes from the tap to the ears and on, and survives any kill.

A call is a folder. A stage finishes its work inside the folder and then renames the folder into
the next stage, which is atomic on one file system. A stage that works on a folder holds a lock on
it (``flock``): the lock goes with the process, so nothing has to be cleaned up after a kill.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from calls.codec import sync_folder, write_bytes
from calls.errors import HandoverError, SanshengError

CALL_FILE = "call.json"
TRANSCRIPT_FILE = "transcript.json"
ANALYSIS_FILE = "analysis.json"
RECORDING_FILE = "recording.wav"
JOURNAL_FILE = "journal.jsonl"
DRAFT_FILE = "draft.json"
"""What was heard while the call went on."""
REASON_FILE = "reason.txt"
_LOCK_FILE = ".lock"


class Stage(StrEnum):
    """The folders of a spool, in the order in which a call passes through them."""

    LIVE = "live"
    """Under way: the tap's journal and a WAV a side."""
    RECORDED = "recorded"
    """``call.json`` and, if it was answered, ``recording.wav``."""
    ANALYSED = "analysed"
    """The same with ``transcript.json`` and ``analysis.json``."""
    FAILED = "failed"
    """What a stage could not do, with ``reason.txt``; nothing is thrown away."""


class Spool:
    """The hand-over folders below one root."""

    def __init__(self, root: Path) -> None:
        self.root = root
        try:
            for stage in Stage:
                (root / stage).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise HandoverError(
                f"cannot make the spool {root} ({error.strerror})",
                remedy="set data_dir to a folder that this user may write",
            ) from error

    def folder(self, stage: Stage, call_id: str) -> Path:
        """Where a call's folder is, or would be, in a stage."""
        return self.root / stage / call_id

    def begin(self, call_id: str, stage: Stage = Stage.LIVE) -> Path:
        """Make a new call's folder; an existing one is an error, not a second call."""
        folder = self.folder(stage, call_id)
        try:
            folder.mkdir()
        except FileExistsError as error:
            raise HandoverError(f"call {call_id} is in the spool already") from error
        except OSError as error:
            raise HandoverError(
                f"cannot write to the spool {self.root} ({error.strerror})",
                remedy="free space on the disk, then go on",
            ) from error
        return folder

    @contextmanager
    def begin_held(self, call_id: str, stage: Stage = Stage.LIVE) -> Iterator[Path]:
        """Make a new call's folder and hold it; it appears in the stage held already."""
        draft = self.begin(f".{call_id}.{os.getpid()}.new", stage)
        with self.claim(draft):
            folder = self.folder(stage, call_id)
            if folder.exists():
                draft.joinpath(_LOCK_FILE).unlink()
                draft.rmdir()
                raise HandoverError(f"call {call_id} is in the spool already")
            draft.rename(folder)
            yield folder

    def waiting(self, stage: Stage) -> list[Path]:
        """The folders of a stage, oldest first."""
        found: list[tuple[int, Path]] = []
        for entry in os.scandir(self.root / stage):
            if entry.is_dir() and not entry.name.startswith("."):
                try:
                    found.append((entry.stat().st_mtime_ns, Path(entry.path)))
                except FileNotFoundError:
                    continue
        return [path for _, path in sorted(found)]

    @contextmanager
    def claim(self, folder: Path, name: str = _LOCK_FILE) -> Iterator[bool]:
        """Hold a folder for this process; yields False when another process holds or moved it.

        ``name`` is another lock's, for who only looks at a folder that a stage works on.
        """
        try:
            lock = (folder / name).open("a")
        except (FileNotFoundError, NotADirectoryError):
            yield False
            return
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                mine = os.fstat(lock.fileno()).st_ino == (folder / name).stat().st_ino
            except (BlockingIOError, FileNotFoundError):
                mine = False
            yield mine

    def claimed(self, stage: Stage) -> Iterator[Path]:
        """Walk a stage's folders, each held while the loop's body works on it."""
        for folder in self.waiting(stage):
            with self.claim(folder) as mine:
                if mine:
                    yield folder

    def hand_on(self, folder: Path, stage: Stage) -> Path:
        """Rename a finished folder into the next stage; a folder already there is replaced.

        It is there already only when the same call was handed on before and is now made again
        from the start, so the later one is as good and more complete.
        """
        target = self.folder(stage, folder.name)
        for entry in folder.iterdir():
            _sync_file(entry)
        sync_folder(folder)
        while True:
            try:
                folder.rename(target)
                break
            except FileNotFoundError as error:
                raise HandoverError(f"call {folder.name} left the spool under our hands") from error
            except OSError as error:
                if not target.is_dir():
                    raise HandoverError(
                        f"cannot hand on call {folder.name} ({error.strerror})",
                        remedy="keep the whole data_dir on one file system with space left",
                    ) from error
                shutil.rmtree(target)
        sync_folder(target.parent)
        sync_folder(folder.parent)
        return target

    def fail(self, folder: Path, error: SanshengError) -> Path:
        """Set a folder aside with the reason; the operator mends it and puts it back."""
        write_bytes(folder / REASON_FILE, f"{error}\n".encode())
        return self.hand_on(folder, Stage.FAILED)

    def remove(self, folder: Path) -> None:
        """Drop a folder whose content has been taken over elsewhere.

        Renamed away first: a kill half-way leaves no half folder that looks like a call.
        """
        grave = folder.with_name(f".{folder.name}.{os.getpid()}.gone")
        folder.rename(grave)
        shutil.rmtree(grave)

    def sweep(self) -> int:
        """Remove what a killed ``remove`` or ``begin_held`` left; returns how many folders.

        For the one supervisor, before it starts whoever writes to the spool.
        """
        graves = [
            grave
            for stage in Stage
            for pattern in (".*.gone", ".*.new")
            for grave in (self.root / stage).glob(pattern)
        ]
        for grave in graves:
            shutil.rmtree(grave, ignore_errors=True)
        return len(graves)


def _sync_file(path: Path) -> None:
    if path.is_file():
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
