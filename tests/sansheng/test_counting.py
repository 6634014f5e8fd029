"""A running service counts past days for the reports."""

import threading
import time
from datetime import timedelta
from pathlib import Path

from calls.handover import Stage
from portal.settings import PortalSettings
from sansheng.service import Service
from sansheng.settings import Settings
from tests.peers.hotline import Story, hand_over, stories

PATIENCE_S = 60
LONG_AGO = stories()[0].at - timedelta(days=40)


def days_counted(service: Service, wanted: int) -> bool:
    """Wait for this many days between that time and now to be counted."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if service.warehouse.rows("SELECT count(*) AS n FROM counted_days") == [{"n": wanted}]:
            return True
        time.sleep(0.05)
    return False


def test_a_running_service_counts_past_days(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, portal=PortalSettings(enabled=False))
    service = Service(settings, None, with_tap=False)
    service.workers = []
    analysed = service.spool.folder(Stage.ANALYSED, "old").parent
    hand_over(Story(call_id="old", agent="1001", at=LONG_AGO), analysed)
    service.ingest()
    (row,) = service.warehouse.rows(
        "SELECT (now()::TIMESTAMP + INTERVAL 8 HOUR)::DATE"
        " - (min(invited_at) + INTERVAL 8 HOUR)::DATE AS days FROM calls"
    )
    running = threading.Thread(target=service.run)
    running.start()
    try:
        assert days_counted(service, row["days"])
        assert service.warehouse.rows("SELECT sum(calls) AS n FROM hour_counts") == [{"n": 1}]
    finally:
        service.stop()
        running.join()
