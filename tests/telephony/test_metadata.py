"""SIPREC metadata: five vendors' offers, what clients get wrong, and what attackers send."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calls.call import Channel
from calls.errors import TapError
from telephony.siprec.message import MediaLine, media_lines, read_message
from telephony.siprec.metadata import Metadata, Participant, Stream, merge, read_metadata, split_aor
from telephony.siprec.settings import SiprecSettings
from telephony.siprec.sides import assign_sides

DATA = Path(__file__).parent / "data" / "siprec"
OFFERS = sorted(DATA.glob("*.txt"))
CALLER, AGENT = Channel.CALLER, Channel.AGENT


def offer(vendor: str) -> bytes:
    return next(path for path in OFFERS if vendor in path.name).read_bytes()


def metadata_of(vendor: str) -> Metadata:
    raw = read_message(offer(vendor)).metadata
    assert raw is not None
    return read_metadata(raw)


@pytest.mark.parametrize(
    ("vendor", "labels", "users"),
    [
        ("acme", ("16777227", "16777228"), ("9000", "1002")),
        ("cisco", ("1", "2"), ("7301", "7300")),
        ("intrado", ("1",), ("4058327108",)),
        ("sonus", ("1", "2"), ("2249888500", "2249888012")),
        ("broadworks", ("1",), ()),
    ],
)
def test_every_vendors_offer_is_read(
    vendor: str, labels: tuple[str, ...], users: tuple[str, ...]
) -> None:
    message = read_message(offer(vendor))
    lines = media_lines(message.sdp)
    assert tuple(line.label for line in lines) == labels
    assert {line.direction for line in lines} == {"sendonly"}
    assert all(line.wanted for line in lines)
    assert message.is_siprec
    assert tuple(p.user for p in metadata_of(vendor).participants) == users


@pytest.mark.parametrize(
    ("vendor", "senders"),
    [
        ("acme", {"16777227": "9000", "16777228": "1002"}),
        ("cisco", {"1": "7301", "2": "7300"}),
        # Sonus names its first participant as the sender of the second label.
        ("sonus", {"2": "2249888500", "1": "2249888012"}),
        ("intrado", {"1": "4058327108"}),
        ("broadworks", {}),
    ],
)
def test_a_label_leads_to_the_one_who_speaks_on_it(vendor: str, senders: dict[str, str]) -> None:
    metadata = metadata_of(vendor)
    found = {
        stream.label: [p.user for p in metadata.senders(stream.label)]
        for stream in metadata.streams
    }
    assert found == {label: [user] for label, user in senders.items()}


def test_identifiers_and_times_are_kept_where_they_are_credible() -> None:
    assert metadata_of("sonus").started_at is None, "1970: the client has no clock"
    assert metadata_of("sonus").call_ids == ("2da553f7-a48b-1235-d6a2-5254003a4988", "241205267")
    assert str(metadata_of("cisco").started_at) == "2017-06-23 12:16:06.040000+00:00"
    assert str(metadata_of("intrado").started_at) == "2022-07-21 18:36:06+00:00"
    assert metadata_of("cisco").call_ids == ("e9fffff2020a598b86962867715db0cf",)
    assert "<datamode>complete</datamode>" in metadata_of("cisco").raw


def test_a_sip_requests_headers_tell_siprec_too() -> None:
    message = read_message(offer("intrado"))
    assert message.headers["require"] == "siprec"
    assert message.headers["accept"] == "application/rs-metadata, application/rs-metadata-request"
    plain = (
        b"INVITE sip:a@b SIP/2.0\r\nContact: <sip:c@d>\r\n"
        b"Content-Type: application/sdp\r\n\r\nv=0\r\n"
    )
    assert not read_message(plain).is_siprec
    assert read_message(plain).sdp == b"v=0\r\n"
    assert read_message(plain.replace(b"<sip:c@d>", b"<sip:c@d>;+sip.src")).is_siprec
    assert read_message(b"BYE sip:a@b SIP/2.0\r\n\r\n").parts == ()


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE r [<!ENTITY x "y">]><recording>&x;</recording>',
        '<!DOCTYPE r SYSTEM "http://attacker/x.dtd"><recording/>',
        "<recording>" + "<a>" * 100 + "</a>" * 100 + "</recording>",
        "<recording>" + "<a/>" * 6000 + "</recording>",
        "<recording>" + "x" * 140_000 + "</recording>",
        "<recording",
        "",
        '<?xml version="1.0" encoding="no-such-coding"?><recording/>',
        '<?xml version="1.0" encoding="utf-32"?><recording/>',
    ],
)
def test_hostile_or_broken_metadata_is_refused_in_words(text: str) -> None:
    with pytest.raises(TapError, match="SIPREC metadata"):
        read_metadata(text.encode())


BROKEN = b"""<recording><participant id="A"><nameID aor="sip:8012@agents.example">
<name>%b</name></nameID><send>s</send></participant>
<stream stream_id="s"><label>%b</label></stream></recording>"""


def test_octets_that_are_no_text_cost_no_side_and_are_shown_as_such() -> None:
    name = "王丽".encode()[:-1] + b"\xff"
    metadata = read_metadata(BROKEN % (name, b"1\xc3"))
    assert [p.user for p in metadata.senders("1\ufffd")] == ["8012"]
    assert metadata.participants[0].name == "王\ufffd\ufffd"
    assert "王\ufffd\ufffd" in metadata.raw
    sdp = b"v=0\r\nm=audio 4000 RTP/AVP 8\r\na=label:1\xc3\r\n"
    assert [line.label for line in media_lines(sdp)] == ["1\ufffd"]


@pytest.mark.parametrize("encoding", ["GB2312", "gbk", "GB18030", "Big5", "UTF-8"])
def test_a_chinese_name_is_read_in_the_encoding_declared(encoding: str) -> None:
    head = f"<?xml version='1.0' encoding='{encoding}' standalone='yes'?>\n".encode()
    metadata = read_metadata(head + BROKEN % ("王小明".encode(encoding), b"1"))
    assert metadata.participants[0].name == "王小明"
    assert [p.user for p in metadata.senders("1")] == ["8012"]
    assert "王小明" in metadata.raw


def test_utf_16_is_left_to_the_parser() -> None:
    text = (BROKEN % (b"Wang", b"1")).decode()
    assert read_metadata(text.encode("utf-16")).participants[0].name == "Wang"


def test_an_overlong_message_is_refused() -> None:
    with pytest.raises(TapError, match="over the limit"):
        read_message(b"x" * 300_000)


@given(st.binary(max_size=2000))
def test_any_bytes_give_metadata_or_a_tap_error(raw: bytes) -> None:
    for text in (raw, b"<recording>" + raw + b"</recording>"):
        with suppress(TapError):
            assert isinstance(read_metadata(text), Metadata)


@given(st.sampled_from(OFFERS), st.data())
def test_any_mutation_of_an_offer_gives_sides_or_a_tap_error(
    path: Path, data: st.DataObject
) -> None:
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(raw) - 1))
        length = data.draw(st.integers(0, 40))
        raw[at : at + length] = data.draw(st.binary(max_size=40))
        if not raw:
            return
    with suppress(TapError):
        message = read_message(bytes(raw))
        labels = [line.label for line in media_lines(message.sdp)]
        sides = assign_sides(read_metadata(message.metadata or b""), labels, SiprecSettings())
        assert set(sides.by_label) == set(labels)


@pytest.mark.parametrize(
    ("aor", "user", "domain"),
    [
        ("sip:1001@PBX.example:5060;user=phone", "1001", "pbx.example"),
        ("4058327108@10.105.190.136:5060", "4058327108", "10.105.190.136"),
        ("tel:+862288908890", "+862288908890", ""),
        ("<sips:a@[::1]:5061>", "a", "[::1]:5061"),
        ("", "", ""),
    ],
)
def test_an_address_of_record_is_split(aor: str, user: str, domain: str) -> None:
    assert split_aor(aor) == (user, domain)


def party(key: str, aor: str, sends: tuple[str, ...], calling: bool | None = None) -> Participant:
    return Participant(id=key, aor=aor, sends=sends, calling=calling)


TWO = Metadata(
    participants=(
        party("c", "sip:13900000000@trunk.example", ("sc",), calling=True),
        party("a", "sip:8012@agents.example", ("sa",), calling=False),
    ),
    streams=(Stream("sc", "x"), Stream("sa", "y")),
)


@pytest.mark.parametrize(
    ("rule", "sides"),
    [
        (SiprecSettings(), {"x": None, "y": None}),
        (SiprecSettings(agents=("80??",)), {"x": CALLER, "y": AGENT}),
        (SiprecSettings(agents=("*@AGENTS.example",)), {"x": CALLER, "y": AGENT}),
        (SiprecSettings(agent_domains=("agents.example",)), {"x": CALLER, "y": AGENT}),
        (SiprecSettings(caller_domains=("trunk.example",)), {"x": CALLER, "y": AGENT}),
        (SiprecSettings(callers=("139*",)), {"x": CALLER, "y": AGENT}),
        # Everybody an agent: an internal call has no caller.
        (SiprecSettings(agents=("*",)), {"x": AGENT, "y": AGENT}),
        # An address that is both is nobody's, and the rest is not guessed from it.
        (SiprecSettings(agents=("80??",), callers=("8*",)), {"x": None, "y": None}),
        (SiprecSettings(calling_party_is_caller=True), {"x": CALLER, "y": AGENT}),
        # The stated pattern goes before the client's word.
        (SiprecSettings(calling_party_is_caller=True, agents=("139*",)), {"x": AGENT, "y": CALLER}),
    ],
)
def test_sides_follow_the_stated_rule(
    rule: SiprecSettings, sides: dict[str, Channel | None]
) -> None:
    assert assign_sides(TWO, ("x", "y"), rule).by_label == sides
    assert assign_sides(TWO, ("y", "x"), rule).by_label == sides


def test_caller_and_agents_are_named_and_sides_apart() -> None:
    sides = assign_sides(TWO, ("y", "x"), SiprecSettings(agents=("80??",)))
    assert (sides.caller, sides.agents, sides.apart) == ("13900000000", ("8012",), True)
    assert not assign_sides(TWO, ("x",), SiprecSettings(agents=("80??",))).apart


def test_a_transfer_has_two_agents_and_one_caller() -> None:
    later = Metadata(
        complete=False,
        participants=(party("b", "sip:8099@agents.example", ("sb",)),),
        streams=(Stream("sb", "z"),),
    )
    sides = assign_sides(merge(TWO, later), ("x", "y", "z"), SiprecSettings(agents=("80??",)))
    assert sides.by_label == {"x": CALLER, "y": AGENT, "z": AGENT}
    assert sides.agents == ("8012", "8099")


def test_a_mixed_stream_and_a_label_without_sender_have_no_side() -> None:
    mixed = Metadata(
        participants=tuple(party(p.id, p.aor, ("m",)) for p in TWO.participants),
        streams=(Stream("m", "1"),),
    )
    rule = SiprecSettings(agents=("80??",))
    assert assign_sides(mixed, ("1", "2"), rule).by_label == {"1": None, "2": None}


def test_two_strangers_stay_unknown_beside_an_agent() -> None:
    crowd = Metadata(
        participants=(*TWO.participants, party("d", "sip:139@trunk.example", ("sd",))),
        streams=(*TWO.streams, Stream("sd", "z")),
    )
    found = assign_sides(crowd, ("x", "y", "z"), SiprecSettings(agents=("80??",))).by_label
    assert found == {"x": None, "y": AGENT, "z": None}


@given(st.permutations(TWO.participants), st.permutations(TWO.streams), st.permutations(["x", "y"]))
def test_no_order_ever_swaps_the_sides(
    participants: list[Participant], streams: list[Stream], labels: list[str]
) -> None:
    shuffled = Metadata(participants=tuple(participants), streams=tuple(streams))
    found = assign_sides(shuffled, labels, SiprecSettings(agents=("80??",)))
    assert found.by_label == {"x": CALLER, "y": AGENT}


def test_a_partial_update_keeps_what_was_known() -> None:
    update = Metadata(complete=False, participants=(Participant(id="a", name="Li"),), raw="<r/>")
    after = merge(TWO, update)
    agent = after.participants[1]
    assert (agent.aor, agent.name, agent.sends) == ("sip:8012@agents.example", "Li", ("sa",))
    assert merge(TWO, Metadata(raw="<new/>")).participants == ()


def test_sdp_lines_are_read_whatever_they_hold() -> None:
    sdp = (
        b"a=recvonly\r\nm=audio x RTP/AVP 0\r\nm=\r\n"
        b"m=video 5/2 RTP/AVP 31\r\na=inactive\r\na=label:7"
    )
    assert media_lines(sdp) == (
        MediaLine("audio", 0, "", "recvonly"),
        MediaLine("", 0, "", "recvonly"),
        MediaLine("video", 5, "7", "inactive"),
    )
    assert len(media_lines(b"m=audio 4 RTP/AVP 0\n" * 30)) == 16
