"""RTP packets to one side's audio on the call's clock (RFC 3550); what is lost is silence."""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from calls.call import Channel, SideQuality
from calls.errors import RecordingError
from calls.resample import resample
from calls.wav import Samples
from importer.audio import RATE
from importer.capture import UDP, Packet
from importer.g711 import decode_alaw, decode_ulaw

CLOCK = 8_000
"""RTP clock of G.711 and, by a famous mistake, of G.722 (RFC 3551 4.5.2)."""
_DRIFT_MS = 400
_WRAP = 1 << 32
_IGNORED = {"TELEPHONE-EVENT", "CN"}


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """One RTP packet."""

    at_us: int
    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


def read_rtp(packet: Packet) -> RtpPacket | None:
    """The RTP packet in a datagram, or None when it cannot be one (RFC 3550 A.1)."""
    data = packet.payload
    if packet.protocol != UDP or len(data) < 13 or data[0] >> 6 != 2 or 72 <= data[1] & 0x7F <= 76:
        return None
    head = 12 + (data[0] & 0x0F) * 4
    if data[0] & 0x10:
        if len(data) < head + 4:
            return None
        head += 4 + struct.unpack_from("!H", data, head + 2)[0] * 4
    tail = data[-1] if data[0] & 0x20 else 0
    if head + tail >= len(data):
        return None
    sequence, timestamp, ssrc = struct.unpack_from("!HII", data, 2)
    payload = data[head : len(data) - tail]
    return RtpPacket(packet.at_us, data[1] & 0x7F, sequence, timestamp, ssrc, payload)


def place(
    heard: Iterable[RtpPacket], formats: Mapping[int, str], start_us: int, length_ms: int
) -> tuple[Samples, int, str]:
    """One side's samples at 8 kHz from ``start_us`` on, its packet count and its codec.

    A stream is put where its first packet arrived and then runs by its own timestamps; where the
    two part by more than 400 ms (a hold, a new source) it is put anew.
    """
    side = np.zeros(length_ms * RATE // 1000, np.float32)
    streams: dict[int, list[RtpPacket]] = {}
    codec, count = "", 0
    for packet in heard:
        name = formats.get(packet.payload_type, "")
        if name in _IGNORED:
            continue
        if name not in ("PCMA", "PCMU", "G722"):
            raise RecordingError(
                f"the call's audio is {name or 'of an unnamed kind'}, which cannot be decoded",
                remedy="G.711 and G.722 can",
            )
        codec, count = name, count + 1
        streams.setdefault(packet.ssrc, []).append(packet)
    for stream in streams.values():
        _lay(side, stream, formats, start_us)
    return side, count, codec


def quality(channel: Channel, heard: Iterable[RtpPacket], codec: str) -> SideQuality:
    """Loss and reordering of one side, from sequence numbers (RFC 3550 A.3)."""
    packets = lost = reordered = 0
    last: dict[int, int] = {}
    for packet in heard:
        packets += 1
        if packet.ssrc in last:
            step = (packet.sequence - last[packet.ssrc] + 0x8000) % 0x10000 - 0x8000
            if step <= 0:
                reordered += step < 0
                lost = max(0, lost - (step < 0))
                continue
            lost += step - 1 if step < 1_000 else 0
        last[packet.ssrc] = packet.sequence
    return SideQuality(
        channel=channel, packets=packets, lost=lost, reordered=reordered, codec=codec
    )


def _lay(side: Samples, stream: list[RtpPacket], formats: Mapping[int, str], start_us: int) -> None:
    base_us, base = stream[0].at_us, stream[0].timestamp
    placed: list[tuple[int, RtpPacket]] = []
    for packet in stream:
        by_clock = (packet.timestamp - base + _WRAP // 2) % _WRAP - _WRAP // 2
        arrived_ms = (packet.at_us - base_us) / 1000
        if abs(by_clock * 1000 / CLOCK - arrived_ms) > _DRIFT_MS:
            base_us, base, by_clock = packet.at_us, packet.timestamp, 0
        first = (base_us - start_us) * RATE // 1_000_000
        placed.append((first + by_clock, packet))
    placed.sort(key=lambda pair: pair[0])
    for (first, _), samples in zip(placed, _decoded(placed, formats), strict=True):
        skip = max(0, -first)
        room = side[first + skip : first + len(samples)]
        room[:] = samples[skip : skip + len(room)]


def _decoded(placed: list[tuple[int, RtpPacket]], formats: Mapping[int, str]) -> list[Samples]:
    names = [formats[packet.payload_type] for _, packet in placed]
    if "G722" not in names:
        return [
            decode_alaw(packet.payload) if name == "PCMA" else decode_ulaw(packet.payload)
            for name, (_, packet) in zip(names, placed, strict=True)
        ]
    if set(names) != {"G722"}:
        raise RecordingError("a stream changes between G.711 and G.722 without a new source")
    from importer.g722 import decode_g722

    narrow = resample(decode_g722(b"".join(p.payload for _, p in placed)), 16_000, RATE)
    cuts = np.cumsum([len(packet.payload) for _, packet in placed])[:-1]
    return [np.asarray(part, np.float32) for part in np.split(narrow, cuts)]
