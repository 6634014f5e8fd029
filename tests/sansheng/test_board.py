"""The live board says what no longer hears the PBX; the portal's alerts are raised from it."""

from datetime import UTC, datetime
from pathlib import Path

from calls.call import Call, Mode
from sansheng.service import Service
from sansheng.settings import Settings
from telephony.feed.settings import FeedSettings
from telephony.settings import TapSettings

NOW = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)
CALL = Call(
    call_id="a1", mode=Mode.SIPREC, caller="", called="", agent="", invited_at=NOW, ended_at=NOW
)


def test_a_deaf_feed_of_the_pbx_stands_on_the_board(tmp_path: Path) -> None:
    feed = FeedSettings(file=str(tmp_path / "events.jsonl"), deaf_calls=1)
    settings = Settings(data_dir=tmp_path, telephony=TapSettings(feed=feed))
    service = Service(settings, None)
    try:
        assert [(t.name, t.hears) for t in service.board().taps][1:] == [("PBX 信令", True)]
        assert service.tap is not None
        assert service.tap.feed is not None
        service.tap.feed.store.complete(CALL, [])
        assert [(t.name, t.hears) for t in service.board().taps][1:] == [("PBX 信令", False)]
    finally:
        service.queries.stop()
        service.warehouse.close()
