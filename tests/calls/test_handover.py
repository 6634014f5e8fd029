"""Hand-over folders: atomic, held by one process, and whole after a kill."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from calls.errors import HandoverError, SanshengError
from calls.handover import REASON_FILE, Spool, Stage


def test_a_call_passes_through_the_stages(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    folder = spool.begin("c1")
    (folder / "call.json").write_text("{}")
    folder = spool.hand_on(folder, Stage.RECORDED)
    assert folder == tmp_path / "recorded" / "c1"
    assert [f.name for f in spool.waiting(Stage.RECORDED)] == ["c1"]
    assert spool.waiting(Stage.LIVE) == []


def test_the_same_call_cannot_begin_twice(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.begin("c1")
    with pytest.raises(HandoverError, match="already"):
        spool.begin("c1")


def test_a_call_handed_on_again_replaces_the_earlier_one(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for text in ("first", "second"):
        folder = spool.begin("c1")
        (folder / "call.json").write_text(text)
        spool.hand_on(folder, Stage.RECORDED)
    assert (tmp_path / "recorded" / "c1" / "call.json").read_text() == "second"


def test_a_folder_is_held_by_one_process_and_free_after_its_kill(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    folder = spool.begin("c1")
    script = textwrap.dedent(
        """
        import sys, time
        from pathlib import Path
        from calls.handover import Spool
        with Spool(Path(sys.argv[1])).claim(Path(sys.argv[2])) as mine:
            print(mine, flush=True)
            time.sleep(60)
        """
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path), str(folder)], stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"True\n"
        with spool.claim(folder) as mine:
            assert not mine
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
    with spool.claim(folder) as mine:
        assert mine


def test_a_folder_that_moved_on_is_not_claimed(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    folder = spool.begin("c1")
    spool.hand_on(folder, Stage.RECORDED)
    with spool.claim(folder) as mine:
        assert not mine


def test_a_failed_call_is_kept_with_its_reason(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    kept = spool.fail(spool.begin("c1"), SanshengError("torn", remedy="mend it"))
    assert kept == tmp_path / "failed" / "c1"
    assert (kept / REASON_FILE).read_text() == "torn: mend it\n"


def test_a_half_removed_folder_is_swept_and_never_walked(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.begin("c1").rename(tmp_path / "live" / ".c1.1.gone")
    assert spool.waiting(Stage.LIVE) == []
    assert spool.sweep() == 1
    assert list((tmp_path / "live").iterdir()) == []


def test_remove_leaves_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.remove(spool.begin("c1"))
    assert list((tmp_path / "live").iterdir()) == []


def test_a_spool_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HandoverError, match="data_dir"):
        Spool(tmp_path / "file")
