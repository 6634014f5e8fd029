"""A copy of the warehouse and its recordings, taken while the service runs, and the way back.

A backup is a folder: ``warehouse.duckdb``, its log if there is one, ``recordings`` at the paths
that the warehouse names, and ``manifest.json``, which is written last: a folder without it is no
backup. Made again into the same folder it copies new recordings only, and drops those that
retention or erasure has taken.
"""

import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from calls.call import Utc
from calls.codec import read_record, sync_folder, write_record
from calls.errors import HandoverError, WarehouseError
from warehouse.duck import Database

MANIFEST = "manifest.json"
_FILE = "warehouse.duckdb"
_LOG = ".wal"
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup holds."""

    made_at: Utc
    calls: int
    recordings: int
    sha256: dict[str, str]
    """Of the warehouse file and its log, by name."""


def backup(database: Database, path: Path, folder: Path) -> Manifest:
    """Copy the warehouse as it is between two transactions, then its recordings.

    Writers wait while the file is copied, readers do not. A full disk is a WarehouseError, and the
    folder's earlier backup is gone then. Recordings outside the warehouse's folder are left out.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MANIFEST).unlink(missing_ok=True)
        (folder / (_FILE + _LOG)).unlink(missing_ok=True)
        with database.still():
            _copy(path, folder / _FILE)
            log = path.with_name(path.name + _LOG)
            if log.exists():
                _copy(log, folder / (_FILE + _LOG))
    except OSError as error:
        raise _unwritten(folder, error) from error
    copied = Database(folder / _FILE, read_only=True)
    try:
        with copied.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM calls")
            calls = int(cursor.fetchall()[0][0])
            cursor.execute("SELECT recording FROM calls WHERE recording IS NOT NULL")
            named = {str(name) for (name,) in cursor.fetchall()}
    finally:
        copied.close()
    names = {name for name in named if ".." not in Path(name).parts}
    try:
        kept = sum(_bring(path.parent / name, folder / name) for name in sorted(names))
        _drop_others(folder, names)
        files = [f for f in (folder / _FILE, folder / (_FILE + _LOG)) if f.exists()]
        manifest = Manifest(
            made_at=datetime.now(UTC),
            calls=calls,
            recordings=kept,
            sha256={f.name: _sha256(f) for f in files},
        )
        write_record(folder / MANIFEST, manifest)
    except (OSError, HandoverError) as error:
        raise _unwritten(folder, error) from error
    return manifest


def restore(folder: Path, path: Path) -> Manifest:
    """Put a backup where no warehouse is; WarehouseError when it is not whole, or one is there.

    Recordings come first and the warehouse last, so that a kill leaves nothing half: run it again.
    """
    if path.exists():
        raise WarehouseError(f"{path} is there already", remedy="put it aside first")
    manifest = verify(folder)
    log = path.with_name(path.name + _LOG)
    draft = path.with_name(f".{path.name}.restored")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for source in _recordings(folder):
            _bring(source, path.parent / source.relative_to(folder))
        log.unlink(missing_ok=True)
        shutil.copyfile(folder / _FILE, draft)
        if (folder / (_FILE + _LOG)).exists():
            shutil.copyfile(folder / (_FILE + _LOG), log)
        draft.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise _unwritten(path.parent, error) from error
    return manifest


def verify(folder: Path) -> Manifest:
    """The manifest of a whole backup; WarehouseError when a file differs from it or is missing."""
    try:
        manifest = read_record(folder / MANIFEST, Manifest)
        sums = {name: _sha256(folder / name) for name in manifest.sha256}
    except (HandoverError, OSError) as error:
        raise WarehouseError(
            f"{folder} holds no whole backup", remedy="take another one"
        ) from error
    if sums != manifest.sha256:
        raise WarehouseError(f"the backup in {folder} is damaged", remedy="take another one")
    return manifest


def _copy(source: Path, target: Path) -> None:
    """Copy by another process.

    A process that closes any handle of a file loses its locks on it (POSIX.1 fcntl), and DuckDB's
    is what keeps a second owner out.
    """
    done = subprocess.run(
        ["cp", "--reflink=auto", "--", str(source), str(target)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise OSError(None, "the copy failed")


def _bring(source: Path, target: Path) -> bool:
    """Copy a recording that is not there yet; False when it has just been taken away."""
    try:
        size = source.stat().st_size
        if target.exists() and target.stat().st_size == size:
            return True
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{target.name}.part")
        shutil.copyfile(source, draft)
        draft.replace(target)
    except FileNotFoundError:
        return False
    return True


def _recordings(folder: Path) -> list[Path]:
    return [f for f in sorted(folder.rglob("*")) if f.is_file() and f.parent != folder]


def _drop_others(folder: Path, names: set[str]) -> None:
    for file in _recordings(folder):
        if file.relative_to(folder).as_posix() not in names:
            file.unlink()


def _sha256(file: Path) -> str:
    made = hashlib.sha256()
    with file.open("rb") as opened:
        while block := opened.read(_BLOCK):
            made.update(block)
    return made.hexdigest()


def _unwritten(folder: Path, error: Exception) -> WarehouseError:
    del error
    return WarehouseError(
        f"the disk did not take all of the copy in {folder}",
        remedy="free space there, then do it again",
    )
