"""A service takes analysed calls in together; one that is broken is set aside by itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from calls.handover import ANALYSIS_FILE, REASON_FILE, Stage
from portal.settings import PortalSettings
from sansheng.service import Service
from sansheng.settings import Settings
from tests.peers.hotline import hand_over, stories


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    settings = Settings(data_dir=tmp_path, portal=PortalSettings(enabled=False))
    opened = Service(settings, None, with_tap=False)
    yield opened
    opened.warehouse.close()


def test_a_broken_folder_is_set_aside_and_the_others_go_in(service: Service) -> None:
    analysed = service.spool.root / Stage.ANALYSED
    folders = [hand_over(story, analysed) for story in stories()[3:8]]
    (folders[2] / ANALYSIS_FILE).write_text("{")
    assert service.ingest() == 4
    assert list(analysed.iterdir()) == []
    assert (service.spool.folder(Stage.FAILED, folders[2].name) / REASON_FILE).is_file()
    taken = service.warehouse.rows("SELECT call_id FROM calls ORDER BY call_id")
    assert [row["call_id"] for row in taken] == [f.name for f in folders if f is not folders[2]]
    assert service.ingest() == 0
