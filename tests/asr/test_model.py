"""The embedded model: joined once, whole or not at all, whoever starts first."""

import hashlib
import multiprocessing
from pathlib import Path

import pytest

from asr.engine import open_engine
from asr.model import embedded_model, join_model
from asr.settings import AsrSettings
from calls.errors import EngineError

PARTS = (b"one" * 1000, b"two" * 1000)
SHA256 = hashlib.sha256(b"".join(PARTS)).hexdigest()


@pytest.fixture
def sources(tmp_path: Path) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    folder = tmp_path / "package"
    folder.mkdir()
    for number, part in enumerate(PARTS):
        (folder / f"part{number}").write_bytes(part)
    (folder / "config.json").write_text("{}")
    return (folder / "part0", folder / "part1"), (folder / "config.json",)


Sources = tuple[tuple[Path, ...], tuple[Path, ...]]


def test_the_parts_become_one_file_beside_its_companions(sources: Sources, tmp_path: Path) -> None:
    target = join_model(*sources, tmp_path / "cache" / "model", SHA256)
    assert (target / "model.bin").read_bytes() == b"".join(PARTS)
    assert (target / "config.json").read_text() == "{}"
    assert {p.name for p in target.parent.iterdir()} == {"model", ".model.lock"}


def test_a_joined_model_is_taken_as_it_is(sources: Sources, tmp_path: Path) -> None:
    target = join_model(*sources, tmp_path / "model", SHA256)
    for source in (*sources[0], *sources[1]):
        source.unlink()
    assert join_model(*sources, tmp_path / "model", SHA256) == target


def test_a_wrong_hash_leaves_nothing_behind(sources: Sources, tmp_path: Path) -> None:
    sources[0][1].write_bytes(b"another")
    with pytest.raises(EngineError, match=r"sha256 differs.*force-reinstall"):
        join_model(*sources, tmp_path / "cache" / "model", SHA256)
    assert [p.name for p in (tmp_path / "cache").iterdir()] == [".model.lock"]


def test_a_missing_part_is_named(sources: Sources, tmp_path: Path) -> None:
    sources[0][1].unlink()
    with pytest.raises(EngineError, match=r"lacks part1.*asr extra"):
        join_model(*sources, tmp_path / "model", SHA256)


def test_a_cache_that_cannot_be_written_says_where(sources: Sources, tmp_path: Path) -> None:
    taken = tmp_path / "cache"
    taken.write_text("a file where the folder should be")
    with pytest.raises(EngineError, match=r"cannot write the speech model.*XDG_CACHE_HOME"):
        join_model(*sources, taken / "model", SHA256)


def _join(sources: Sources, target: Path, start: object, made: object) -> None:
    start.wait()  # type: ignore[attr-defined]
    path = join_model(*sources, target, SHA256)
    made.put((path / "model.bin").stat().st_ino)  # type: ignore[attr-defined]


def test_processes_that_start_at_once_make_one_model(sources: Sources, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    start, made = context.Barrier(4), context.Queue()
    workers = [
        context.Process(target=_join, args=(sources, tmp_path / "cache" / "model", start, made))
        for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    files = {made.get(timeout=60) for _ in workers}
    for worker in workers:
        worker.join(30)
    assert len(files) == 1


@pytest.mark.parametrize("content", [None, b"", b"no weights"])
def test_a_folder_that_is_no_model_is_one_clear_error(
    tmp_path: Path, content: bytes | None
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    if content is not None:
        (folder / "model.bin").write_bytes(content)
    with pytest.raises(EngineError, match=r"cannot be loaded.*\[asr\] model"):
        open_engine(AsrSettings(model=str(folder)))


@pytest.mark.model
@pytest.mark.parametrize("name", ["model.bin", "config.json", "tokenizer.json", "vocabulary.txt"])
def test_a_file_of_the_embedded_model_that_was_cut_off_is_told(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for whole in embedded_model().iterdir():
        if whole.name == name:
            (folder / name).write_bytes(whole.read_bytes()[:1000])
        else:
            (folder / whole.name).symlink_to(whole)
    monkeypatch.setattr("asr.whisper.embedded_model", lambda: folder)
    with pytest.raises(EngineError, match="cannot be loaded"):
        open_engine(AsrSettings())
