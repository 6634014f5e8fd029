"""What other systems write, as calls: lists, Asterisk's logs, FreeSWITCH's records, rosters."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from calls.call import EndedBy, EndReason, Signalling
from calls.errors import ImportSourceError, RecordingError, SettingsError
from importer import roster
from importer.freeswitch import FreeswitchSource
from importer.manifest import ManifestSource
from importer.settings import ImporterSettings
from importer.source import call_id
from tests.importer.conftest import read_all, record

SETTINGS = ImporterSettings()
EIGHT = datetime(2026, 11, 2, 0, 0, 0, tzinfo=UTC)
"""08:00 in Shanghai."""


class TestManifest:
    def test_defaults(self, tmp_path: Path) -> None:
        record(tmp_path / "audio/1.wav")
        (tmp_path / "calls.csv").write_text(
            "id,audio,caller,called,agent,invited_at,ringing_at,answered_at,ended_at,ended_by\n"
            "1,audio/1.wav,138,12345,1001,2026-11-02 08:00:00,2026-11-02T08:00:01,"
            "2026-11-02 08:00:09.5,2026-11-02 08:00:19.5,agent\n"
            "2,,138,12345,1001,2026-11-02T00:00:00Z,,,1793577660,\n",
            "utf-8",
        )
        first, second = read_all(ManifestSource(tmp_path, SETTINGS), tmp_path)
        assert first.invited_at == EIGHT
        assert (first.ring_ms, first.duration_ms) == (8_500, 10_000)
        assert (first.ended_by, first.agent) == (EndedBy.AGENT, "1001")
        assert first.recording is not None
        assert (second.answered_at, second.end_reason) == (None, EndReason.NO_ANSWER)
        assert second.ended_at.year == 2026

    def test_own_columns_gb18030_and_two_files(self, tmp_path: Path) -> None:
        record(tmp_path / "c.wav", channels=1)
        record(tmp_path / "a.wav", channels=1)
        (tmp_path / "columns.toml").write_text(
            'id = "编号"\ncaller_audio = "主叫录音"\nagent_audio = "坐席录音"\nagent = "工号"\n'
            'answered = "接听"\ninvited = ""\nended = ""\nended_by = "挂机方"\n'
            'ended_by_agent = "坐席"\ntime_form = "%Y/%m/%d %H:%M"\n',
            "utf-8",
        )
        text = "编号,主叫录音,坐席录音,工号,接听,挂机方\n7,c.wav,a.wav,88,2026/11/02 08:00,坐席\n"
        (tmp_path / "calls.csv").write_bytes(text.encode("gb18030"))
        (call,) = read_all(ManifestSource(tmp_path, SETTINGS), tmp_path)
        assert (call.agent, call.ended_by, call.answered_at) == ("88", EndedBy.AGENT, EIGHT)
        assert (call.signalling, call.ring_ms, call.duration_ms) == (Signalling.NONE, None, 10_000)

    def test_json(self, tmp_path: Path) -> None:
        record(tmp_path / "m.wav", channels=1)
        rows = [{"id": 5, "audio": "m.wav", "invited_at": 1793577600, "agent": None}]
        (tmp_path / "calls.json").write_text(json.dumps(rows))
        (call,) = read_all(ManifestSource(tmp_path, SETTINGS), tmp_path)
        assert call.recording is not None
        assert (call.recording.channels, call.ring_ms) == ((), None)

    @pytest.mark.parametrize(
        ("row", "said"),
        [
            (",a.wav,2026-11-02", "no id"),
            ("1,../a.wav,2026-11-02", "outside its folder"),
            ("1,/etc/hostname,2026-11-02", "outside its folder"),
            ("1,a.wav,yesterday", "time"),
            ("1,,", "no time"),
        ],
    )
    def test_a_bad_row_says_why(self, tmp_path: Path, row: str, said: str) -> None:
        folder = tmp_path / "in"
        record(folder / "a.wav")
        (folder / "calls.csv").write_text(f"id,audio,answered_at\n{row}\n")
        with pytest.raises(ImportSourceError, match=said):
            read_all(ManifestSource(folder, SETTINGS), tmp_path)

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "calls.csv").write_text("id,audio,answered_at\n1,b.wav,2026-11-02\n")
        with pytest.raises(RecordingError, match=r"b\.wav"):
            read_all(ManifestSource(tmp_path, SETTINGS), tmp_path)

    @pytest.mark.parametrize(
        ("files", "said"),
        [
            ({}, "holds no list"),
            ({"a.csv": "", "b.csv": ""}, "2 lists"),
            ({"a.json": "{"}, "as JSON"),
            ({"a.json": "{}"}, "array"),
            ({"a.csv": "call,file\n1,a.wav\n"}, "no column 'id'"),
        ],
    )
    def test_no_list_no_calls(self, tmp_path: Path, files: dict[str, str], said: str) -> None:
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        with pytest.raises(ImportSourceError, match=said):
            list(ManifestSource(tmp_path, SETTINGS).items())

    def test_a_wrong_mapping_names_the_key(self, tmp_path: Path) -> None:
        (tmp_path / "columns.toml").write_text('agnet = "x"\n')
        with pytest.raises(SettingsError, match="agnet"):
            ManifestSource(tmp_path, SETTINGS)


class TestFreeswitch:
    UUID = "f0f3c0de-0000-4000-8000-000000000001"

    def variables(self, **more: str) -> dict[str, str]:
        base = round(EIGHT.timestamp() * 1_000_000)
        return {
            "uuid": self.UUID, "direction": "inbound", "start_uepoch": str(base),
            "progress_uepoch": str(base + 500_000), "answer_uepoch": str(base + 6_500_000),
            "bridge_uepoch": str(base + 6_520_000), "end_uepoch": str(base + 16_500_000),
            "hangup_cause": "NORMAL_CLEARING", "sip_hangup_disposition": "send_bye",
            "dialed_user": "1001", **more,
        }  # fmt: skip

    def as_json(self, variables: dict[str, str]) -> str:
        profile = {"caller_id_number": "138", "destination_number": "12345"}
        return json.dumps({"variables": variables, "callflow": [{"caller_profile": profile}]})

    def as_xml(self, variables: dict[str, str]) -> str:
        body = "".join(f"<{key}>{value}</{key}>" for key, value in variables.items())
        profile = "<caller_id_number>138</caller_id_number>"
        profile += "<destination_number>12345</destination_number>"
        return (
            f"<?xml version='1.0'?><cdr><variables>{body}</variables><callflow><caller_profile>"
            f"{profile}</caller_profile></callflow></cdr>"
        )

    @pytest.mark.parametrize("form", ["json", "xml"])
    def test_times_sides_and_who_hung_up(self, tmp_path: Path, form: str) -> None:
        write: Callable[[dict[str, str]], str] = getattr(self, f"as_{form}")
        (tmp_path / f"a_{self.UUID}.cdr.{form}").write_text(write(self.variables()))
        record(tmp_path / f"{self.UUID}.wav")
        (call,) = read_all(FreeswitchSource(tmp_path, None, SETTINGS), tmp_path)
        assert (call.ring_ms, call.duration_ms, call.ended_by) == (6_000, 10_000, EndedBy.AGENT)
        assert (call.caller, call.called, call.agent) == ("138", "12345", "1001")
        assert call.recording is not None

    @pytest.mark.parametrize(
        ("more", "ring"),
        [({"bridge_uepoch": "1793577630000000"}, None), ({"progress_uepoch": "0"}, None)],
        ids=["answered-by-a-menu", "no-progress"],
    )
    def test_what_is_not_known_is_not_guessed(
        self, tmp_path: Path, more: dict[str, str], ring: Any
    ) -> None:
        (tmp_path / "a.cdr.json").write_text(self.as_json(self.variables(**more)))
        (call,) = read_all(FreeswitchSource(tmp_path, None, SETTINGS), tmp_path)
        assert call.ring_ms is ring
        assert call.signalling is Signalling.NONE

    def test_legs_to_agents_are_part_of_a_call(self, tmp_path: Path) -> None:
        leg = self.variables(uuid=self.UUID[:-1] + "2", direction="outbound", originator=self.UUID)
        (tmp_path / "a.cdr.json").write_text(self.as_json(self.variables()))
        (tmp_path / "b.cdr.json").write_text(self.as_json(leg))
        assert len(read_all(FreeswitchSource(tmp_path, None, SETTINGS), tmp_path)) == 1

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("a.json", "{"),
            ("a.json", "[]"),
            ("a.json", '{"variables": {"uuid": "x"}}'),
            ("a.xml", "<cdr>"),
            ("a.xml", "<cdr/>"),
            ("a.xml", '<!DOCTYPE a [<!ENTITY b "c">]><cdr><variables/></cdr>'),
        ],
    )
    def test_a_broken_record_is_one_error(self, tmp_path: Path, name: str, text: str) -> None:
        (tmp_path / name).write_text(text)
        source = FreeswitchSource(tmp_path, None, SETTINGS)
        (item,) = source.items()
        with pytest.raises(ImportSourceError, match=r"a\."):
            source.read(item, tmp_path)


class TestRoster:
    ROWS = (
        ("extension", "agent", "name", "team", "from", "to"),
        ("1001", "A7", "甲", "一班", "2026-11-01", "2026-11-02 08:00"),
        ("1001", "B3", "乙", "二班", "2026-11-02 08:00", ""),
    )

    def test_an_extension_is_reused(self, tmp_path: Path) -> None:
        path = tmp_path / "roster.csv"
        path.write_text("\n".join(",".join(row) for row in self.ROWS), "utf-8")
        found = roster.load(path, "Asia/Shanghai")
        agents = [
            post.agent if post else None
            for at in (datetime(2026, 10, 1, tzinfo=UTC), EIGHT.replace(year=2025), EIGHT)
            for post in [found.who("1001", at)]
        ]
        assert agents == [None, None, "B3"]
        last = found.who("1001", datetime(2026, 11, 1, 23, 59, 59, tzinfo=UTC))
        assert last is not None
        assert (last.agent, last.team) == ("A7", "一班")
        assert found.who("1002", EIGHT) is None

    def test_excel(self, tmp_path: Path) -> None:
        book = openpyxl.Workbook()
        for row in self.ROWS:
            book.active.append(row)
        book.save(tmp_path / "roster.xlsx")
        assert len(roster.load(tmp_path / "roster.xlsx", "Asia/Shanghai").posts) == 2

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("extension,agent\n1001,A\n1001,B\n", "two people"),
            ("extension,agent\n1001,\n", "row 2"),
            ("extension,agent,from\n1001,A,soon\n", "row 2"),
        ],
    )
    def test_a_wrong_roster_names_its_place(self, tmp_path: Path, text: str, said: str) -> None:
        path = tmp_path / "roster.csv"
        path.write_text(text)
        with pytest.raises(SettingsError, match=said):
            roster.load(path, "Asia/Shanghai")

    def test_no_excel_file(self, tmp_path: Path) -> None:
        path = tmp_path / "roster.xlsx"
        path.write_bytes(b"no zip")
        with pytest.raises(ImportSourceError, match="Excel"):
            roster.load(path, "Asia/Shanghai")


def test_a_call_id_is_a_folder_name_and_lasts() -> None:
    assert call_id("pcap", "a/../b 号") == call_id("pcap", "a/../b 号")
    assert call_id("pcap", "a") != call_id("asterisk", "a")
    assert len(call_id("pcap", "a")) == 29
