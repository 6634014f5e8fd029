"""Captures: times to the microsecond, every sample in its place, and no crash on anything."""

import json
import os
import random
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from calls import wav
from calls.call import Call, Channel, EndedBy, EndReason
from calls.errors import ImportSourceError, RecordingError
from importer.g711 import decode_alaw, decode_ulaw
from importer.pcap import PcapSource
from importer.settings import ImporterSettings
from tests.importer.conftest import START_US, Wire, alaw_bytes

DATA = Path(__file__).parent / "data"
SETTINGS = ImporterSettings()
MUTATIONS = int(os.environ.get("SANSHENG_MUTATIONS", "600"))
"""10,000 for a release: the parser's own figure in docs/import.md."""


def only_call(path: Path, folder: Path) -> Call:
    source = PcapSource(path, SETTINGS)
    (item,) = source.items()
    return source.read(item, folder)


def written(folder: Path, data: bytes, name: str = "a.pcap") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def talk(wire: Wire, *, lost: frozenset[int] = frozenset(), seconds: int = 2) -> dict[bool, bytes]:
    """Both sides speak from the answer at 6.1 s on; returns what each sent."""
    count = seconds * 50
    said = {side: alaw_bytes(count * 160, seed) for seed, side in enumerate((True, False))}
    for number in range(count):
        for side in (True, False):
            if number not in lost:
                payload = said[side][number * 160 : (number + 1) * 160]
                wire.rtp(6_100 + number * 20, side, number, payload)
    return said


@pytest.mark.parametrize(
    ("wire", "form"),
    [
        (Wire(), "pcap"),
        (Wire(), "pcapng"),
        (Wire(tcp=True), "pcap"),
        (Wire(hosts=("fd00::1", "fd00::2")), "pcap"),
        (Wire(mtu=120), "pcap"),
        (Wire(hosts=("fd00::1", "fd00::2"), mtu=120), "pcapng"),
    ],
    ids=["udp", "pcapng", "tcp-out-of-order", "ipv6", "fragments", "ipv6-fragments"],
)
def test_times_and_audio_are_those_on_the_wire(tmp_path: Path, wire: Wire, form: str) -> None:
    wire.call()
    said = talk(wire)
    wire.bye(8_100, from_caller=False)
    data = wire.pcap() if form == "pcap" else wire.pcapng()
    call = only_call(written(tmp_path, data), tmp_path)
    assert call.invited_at.timestamp() == pytest.approx(START_US / 1e6, abs=0.001)
    assert call.ring_ms == 6_000
    assert (call.ended_by, call.end_reason) == (EndedBy.AGENT, EndReason.BYE)
    assert call.duration_ms == 2_000
    assert (call.caller, call.agent) == ("13800000000", "1001")
    for channel, side in ((0, True), (1, False)):
        got = wav.read(tmp_path / "recording.wav", channel)
        assert np.array_equal(got, decode_alaw(said[side])[: len(got)])
        assert len(got) == 16_000


def test_loss_is_silence_in_its_place_and_order_does_not_matter(tmp_path: Path) -> None:
    wire = Wire()
    wire.call()
    said = talk(wire, lost=frozenset({3, 50}))
    signalling, media = wire.frames[:3], wire.frames[3:]
    swapped = [f for pair in zip(media[1::2], media[::2], strict=True) for f in pair]
    wire.frames = signalling + swapped
    wire.bye(8_100, from_caller=True)
    call = only_call(written(tmp_path, wire.pcap()), tmp_path)
    wanted = decode_alaw(said[True]).copy()
    for number in (3, 50):
        wanted[number * 160 : (number + 1) * 160] = 0
    assert np.array_equal(wav.read(tmp_path / "recording.wav", 0), wanted)
    assert call.ended_by is EndedBy.CALLER
    assert {quality.lost for quality in call.quality} == {2}


def test_a_hold_is_seen_and_its_silence_keeps_the_length(tmp_path: Path) -> None:
    wire = Wire()
    wire.call()
    talk(wire, seconds=1)
    held = wire.sdp(False, direction="sendonly")
    wire.sip(7_100, False, "INVITE sip:x SIP/2.0", "5 INVITE", held)
    wire.sip(9_100, False, "INVITE sip:x SIP/2.0", "6 INVITE", wire.sdp(False))
    late = alaw_bytes(160, 9)
    wire.rtp(9_600, True, 175, late)
    wire.bye(10_100, from_caller=True)
    call = only_call(written(tmp_path, wire.pcap()), tmp_path)
    (hold,) = call.holds
    assert (hold.start_ms, hold.end_ms, hold.by) == (1_000, 3_000, Channel.AGENT)
    got = wav.read(tmp_path / "recording.wav", 0)
    assert len(got) == 32_000
    assert np.array_equal(got[28_000:28_160], decode_alaw(late))
    assert not got[8_000:28_000].any()


@pytest.mark.parametrize(
    ("code", "reason", "by"),
    [
        (486, EndReason.BUSY, EndedBy.AGENT),
        (480, EndReason.NO_ANSWER, EndedBy.NETWORK),
        (603, EndReason.REJECTED, EndedBy.AGENT),
    ],
)
def test_calls_that_nobody_answered(
    tmp_path: Path, code: int, reason: EndReason, by: EndedBy
) -> None:
    wire = Wire()
    wire.call()
    wire.frames.pop()
    wire.sip(5_000, False, f"SIP/2.0 {code} No", "1 INVITE", own_from=True)
    call = only_call(written(tmp_path, wire.pcap()), tmp_path)
    assert (call.end_reason, call.ended_by, call.recording) == (reason, by, None)
    assert call.ring_ms == 4_900


def test_a_caller_who_gives_up(tmp_path: Path) -> None:
    wire = Wire()
    wire.call()
    wire.frames.pop()
    wire.sip(5_000, True, "CANCEL sip:1001@b SIP/2.0", "1 CANCEL")
    wire.sip(5_010, False, "SIP/2.0 487 Terminated", "1 INVITE", own_from=True)
    call = only_call(written(tmp_path, wire.pcap()), tmp_path)
    assert (call.end_reason, call.ended_by) == (EndReason.CANCEL, EndedBy.CALLER)
    assert call.ended_at - call.invited_at == timedelta(seconds=5)


def test_g722_is_heard(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    encoder = av.CodecContext.create("g722", "w")
    encoder.sample_rate, encoder.format, encoder.layout = 16_000, "s16", "mono"
    seconds = np.arange(32_000) / 16_000
    sound = (np.sin(2 * np.pi * 440 * seconds) * 9_000).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(sound[np.newaxis, :], format="s16", layout="mono")
    frame.sample_rate = 16_000
    coded = b"".join(bytes(p) for p in [*encoder.encode(frame), *encoder.encode(None)])
    wire = Wire()
    wire.call(payload=9)
    for number in range(len(coded) // 160):
        wire.rtp(6_100 + number * 20, True, number, coded[number * 160 :][:160], kind=9)
    wire.bye(8_100, from_caller=True)
    only_call(written(tmp_path, wire.pcap()), tmp_path)
    got = wav.read(tmp_path / "recording.wav", 0)
    spectrum = np.abs(np.fft.rfft(got[4_000:12_000]))
    assert int(spectrum.argmax()) == 440
    assert float(np.abs(got).max()) == pytest.approx(9_000 / 32_768, rel=0.05)


def test_what_cannot_be_used_says_why(tmp_path: Path) -> None:
    encrypted = Wire()
    offer = encrypted.sdp(True).replace("RTP/AVP", "RTP/SAVP")
    encrypted.sip(0, True, "INVITE sip:1001@b SIP/2.0", "1 INVITE", offer)
    encrypted.sip(9, False, "SIP/2.0 200 OK", "1 INVITE", encrypted.sdp(False), own_from=True)
    silent = Wire()
    silent.call()
    silent.bye(9_000, from_caller=True)
    for wire, said in ((encrypted, "SRTP"), (silent, "none of its audio")):
        with pytest.raises(RecordingError, match=said):
            only_call(written(tmp_path, wire.pcap()), tmp_path)
    for data, said in ((b"hello", "no pcap"), (b"", "no pcap")):
        with pytest.raises(ImportSourceError, match=said):
            only_call(written(tmp_path, data), tmp_path)
    small = PcapSource(written(tmp_path, bytes(3 << 20)), ImporterSettings(max_capture_mb=1))
    with pytest.raises(ImportSourceError, match="max_capture_mb"):
        small.read(next(small.items()), tmp_path)
    with pytest.raises(ImportSourceError, match="no SIP call"):
        only_call(DATA / "rtp_only_pcma.pcap", tmp_path)


def test_nothing_crashes_on_cut_shuffled_or_random_bytes(tmp_path: Path) -> None:
    wire = Wire(tcp=True)
    wire.call()
    talk(wire, seconds=1)
    wire.bye(7_100, from_caller=True)
    wire.frames = wire.frames[:5] + wire.frames[5::40] + wire.frames[-2:]
    real = [path.read_bytes() for path in sorted(DATA.glob("*.pcap"))]
    forms = (wire.pcap(), wire.pcapng(), *(data[:60_000] for data in real))
    chance = random.Random(7)
    path, whole = tmp_path / "a.pcap", 0
    for turn in range(MUTATIONS):
        data = bytearray(forms[turn % len(forms)])
        match turn // len(forms) % 4:
            case 0:
                del data[chance.randrange(len(data)) :]
            case 1:
                for _ in range(chance.randint(1, 40)):
                    data[chance.randrange(len(data))] = chance.randrange(256)
            case 2:
                at, size = chance.randrange(24, len(data)), chance.randint(1, 200)
                part = data[at : at + size]
                chance.shuffle(part)
                data[at : at + size] = part
            case 3:
                data = data[: chance.choice((4, 24, 60))] + chance.randbytes(300)
        path.write_bytes(data)
        source = PcapSource(path, SETTINGS)
        for item in source.items():
            try:
                whole += source.read(item, tmp_path).recording is not None
            except (ImportSourceError, RecordingError):
                continue
    assert whole > MUTATIONS // 20


@pytest.mark.pbx
@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is a Debian test peer")
@pytest.mark.parametrize("name", ["call_g711", "cancel_and_failures", "one_way_pcma_pcmu"])
def test_times_and_audio_equal_tsharks(tmp_path: Path, name: str) -> None:
    path = DATA / f"{name}.pcap"
    rows = tshark(path, "sip", "frame.time_epoch", "sip.Call-ID", "sip.CSeq.method",
                  "sip.Status-Code", "sip.Method")  # fmt: skip
    source = PcapSource(path, SETTINGS)
    items = list(source.items())
    assert {i.key for i in items} == {r[1] for r in rows if r[2] == "INVITE"}
    for item in items:
        mine = [row for row in rows if row[1] == item.key]
        try:
            call = source.read(item, tmp_path)
        except RecordingError:
            assert any(row[3] == "200" for row in mine)
            continue
        first: dict[str, float] = {}
        for at, _, method, code, _ in mine:
            first.setdefault(f"{method} {code}", float(at))
        ringing = [at for key, at in first.items() if key.startswith("INVITE 18")]
        for moment, wanted in (
            (call.invited_at, first["INVITE "]),
            (call.ringing_at, min(ringing) if ringing else None),
            (call.answered_at, first.get("INVITE 200")),
            (call.ended_at, first.get("BYE ")),
        ):
            if wanted is not None:
                assert moment is not None
                assert abs(moment.timestamp() - wanted) < 0.001
        if call.recording is not None:
            same_audio(path, call, tmp_path / "recording.wav")


def same_audio(path: Path, call: Call, recording: Path) -> None:
    """Every payload that tshark shows is in the recording, in order, sample for sample."""
    rows = tshark(path, "rtp", "frame.time_epoch", "ip.src", "udp.srcport", "rtp.p_type",
                  "rtp.payload", "rtp.seq")  # fmt: skip
    assert call.answered_at is not None
    for channel, side in enumerate((Channel.CALLER, Channel.AGENT)):
        count = next(q.packets for q in call.quality if q.channel is side)
        if not count:
            continue
        samples = wav.read(recording, channel)
        senders = {row[1:3] for row in rows}
        found = 0
        for sender in senders:
            for at, _, _, kind, payload, _ in (row for row in rows if row[1:3] == sender):
                data = bytes.fromhex(payload.replace(":", ""))
                wanted = decode_alaw(data) if kind == "8" else decode_ulaw(data)
                near = round((float(at) - call.answered_at.timestamp()) * 8_000)
                window = samples[max(0, near - 3_200) : near + 3_200 + len(wanted)]
                if len(window) < len(wanted) or near < 0:
                    continue
                views = np.lib.stride_tricks.sliding_window_view(window, len(wanted))
                found += bool((views == wanted).all(axis=1).any())
        assert found >= count * 0.99


def tshark(path: Path, wanted: str, *fields: str) -> list[tuple[str, ...]]:
    options = [part for name in fields for part in ("-e", name)]
    done = subprocess.run(
        ["tshark", "-r", str(path), "-Y", wanted, "-T", "json", *options],
        capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    layers = [packet["_source"]["layers"] for packet in json.loads(done.stdout)]
    return [tuple(layer.get(name, [""])[0] for name in fields) for layer in layers]
