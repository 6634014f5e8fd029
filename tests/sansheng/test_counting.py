"""A running service counts past days for the reports."""

import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from calls.handover import Stage
from portal.settings import PortalSettings
from sansheng.service import Service
from sansheng.settings import Settings
from tests.peers.hotline import Story, hand_over

PATIENCE_S = 60
LONG_AGO = timedelta(days=40)
LEFT = """
SELECT ($now + INTERVAL 8 HOUR)::DATE - (min(invited_at) + INTERVAL 8 HOUR)::DATE
    - (SELECT count(*) FROM counted_days) AS days
FROM calls
"""
"""How many days since the first call are past and not counted, at the time of asking."""


def days_left(service: Service) -> int:
    (row,) = service.warehouse.rows(LEFT, {"now": datetime.now(UTC)})
    return int(row["days"])


def all_counted(service: Service) -> bool:
    """Wait for all past days to be counted."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if days_left(service) == 0:
            return True
        time.sleep(0.05)
    return False


def test_a_running_service_counts_past_days(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, portal=PortalSettings(enabled=False))
    service = Service(settings, None, with_tap=False)
    service.workers = []
    analysed = service.spool.folder(Stage.ANALYSED, "old").parent
    hand_over(Story(call_id="old", agent="1001", at=datetime.now(UTC) - LONG_AGO), analysed)
    service.ingest()
    assert days_left(service) >= LONG_AGO.days
    running = threading.Thread(target=service.run)
    running.start()
    try:
        assert all_counted(service)
        assert service.warehouse.rows("SELECT sum(calls) AS n FROM hour_counts") == [{"n": 1}]
    finally:
        service.stop()
        running.join()
