"""Records to JSON and back: what is refused, and that the refusal quotes no value."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from calls.call import Call, Mode, Recording
from calls.codec import SCHEMA, from_json, read_record, to_json, to_line, write_record
from calls.errors import HandoverError

START = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


def a_call() -> Call:
    return Call(
        call_id="c1",
        mode=Mode.BRIDGE,
        caller="+8613900000000",
        called="88908890",
        agent="1001",
        invited_at=START,
        ended_at=START + timedelta(seconds=30),
        recording=Recording(path="recording.wav"),
    )


def test_a_record_survives_the_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "call.json"
    write_record(path, a_call())
    assert read_record(path, Call) == a_call()
    assert list(tmp_path.iterdir()) == [path]


def test_a_line_says_the_same_as_the_file() -> None:
    line = to_line(a_call())
    assert b"\n" not in line
    assert msgspec.json.decode(line) == msgspec.json.decode(to_json(a_call()))
    assert from_json(line, Call) == a_call()


def test_other_tools_may_leave_out_the_schema_and_add_keys() -> None:
    raw = msgspec.json.decode(to_json(a_call()))
    del raw["schema"]
    raw["site"] = {"anything": 1}
    assert from_json(msgspec.json.encode(raw), Call) == a_call()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"schema": SCHEMA + 1}, "upgrade Sansheng"),
        ({"caller": 13900000000}, "$.caller"),
        ({"invited_at": "2026-11-24T08:00:00"}, "timezone"),
        ({"call_id": "../../etc/passwd"}, "$.call_id"),
        ({"mode": "telepathy"}, "$.mode"),
    ],
)
def test_a_wrong_value_names_its_place_and_not_itself(change: dict[str, object], says: str) -> None:
    raw = msgspec.json.decode(to_json(a_call())) | change
    with pytest.raises(HandoverError) as caught:
        from_json(msgspec.json.encode(raw), Call, name="call.json")
    assert says in str(caught.value)
    assert "139000" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"{", b"[1]", b"\xff\xfe", b"null"])
def test_what_is_no_object_is_a_clear_error(data: bytes) -> None:
    with pytest.raises(HandoverError, match=r"x\.json"):
        from_json(data, Call, name="x.json")


def test_a_missing_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(HandoverError, match="does not exist"):
        read_record(tmp_path / "call.json", Call)
