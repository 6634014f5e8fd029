"""Capture files to IP payloads: pcap, pcapng, link layers, IPv4 and IPv6 with their fragments.

Formats: draft-ietf-opsawg-pcap and -pcapng, RFC 791, RFC 8200. Whatever is cut or makes no sense
is passed over: a capture is a witness, and half a witness is still one.
"""

import ipaddress
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from calls.errors import ImportSourceError

UDP, TCP = 17, 6
_ETHERNET, _NULL, _RAW_LINKS, _SLL, _SLL2 = 1, 0, (101, 12, 14, 228, 229), 113, 276
_IPV4, _IPV6, _VLANS = 0x0800, 0x86DD, (0x8100, 0x88A8, 0x9100)
_FRAGMENT_HEADER, _SKIPPED_HEADERS = 44, (0, 43, 60)
_MAX_BLOCK = 1 << 20
_MAX_PARTS = 4_096
_LAST_US = 7_258_118_400_000_000
"""The year 2200: a later packet's clock is broken."""
_MAGIC = {
    b"\xd4\xc3\xb2\xa1": ("<", 1_000_000),
    b"\xa1\xb2\xc3\xd4": (">", 1_000_000),
    b"\x4d\x3c\xb2\xa1": ("<", 1_000_000_000),
    b"\xa1\xb2\x3c\x4d": (">", 1_000_000_000),
}
_PCAPNG = b"\x0a\x0d\x0d\x0a"


@dataclass(frozen=True, slots=True)
class Address:
    """One end of a packet."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Packet:
    """One UDP datagram or TCP segment."""

    at_us: int
    """Microseconds since the epoch."""
    protocol: int
    source: Address
    target: Address
    payload: bytes
    sequence: int = 0
    """TCP sequence number of the first byte."""
    opens: bool = False
    """TCP SYN."""


def packets(path: Path, max_bytes: int) -> Iterator[Packet]:
    """The UDP and TCP packets of a capture file, in its order.

    Errors: ImportSourceError when the file is no capture, or larger than ``max_bytes``.
    """
    try:
        if path.stat().st_size > max_bytes:
            raise ImportSourceError(
                f"{path.name} is larger than max_capture_mb",
                remedy="cut it by time (editcap -i 3600), or raise [importer] max_capture_mb",
            )
        data = path.read_bytes()
    except OSError as error:
        raise ImportSourceError(f"{path.name} cannot be read ({error.strerror})") from error
    if data[:4] in _MAGIC:
        frames = _pcap(data)
    elif data[:4] == _PCAPNG:
        frames = _pcapng(data)
    else:
        raise ImportSourceError(
            f"{path.name} is no pcap or pcapng file", remedy="check what wrote it"
        )
    yield from _Assembler().walk(frames)


def _pcap(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    order, per_second = _MAGIC[data[:4]]
    if len(data) < 24:
        return
    link = struct.unpack(order + "I", data[20:24])[0] & 0xFFFF
    at = 24
    while at + 16 <= len(data):
        seconds, part, kept, _ = struct.unpack(order + "4I", data[at : at + 16])
        at += 16
        if kept > _MAX_BLOCK:
            return
        yield seconds * 1_000_000 + part * 1_000_000 // per_second, link, data[at : at + kept]
        at += kept


def _pcapng(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    order, at = "<", 0
    links: list[tuple[int, int]] = []
    while at + 12 <= len(data):
        if data[at : at + 4] == _PCAPNG:
            order = "<" if data[at + 8 : at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            links = []
        kind, length = struct.unpack(order + "2I", data[at : at + 8])
        if length < 12 or length % 4 or length > _MAX_BLOCK:
            return
        body = data[at + 8 : at + length - 4]
        if kind == 1 and len(body) >= 8:
            links.append((struct.unpack(order + "H", body[:2])[0], _resolution(body[8:], order)))
        elif kind == 6 and len(body) >= 20:
            which, high, low, kept, _ = struct.unpack(order + "5I", body[:20])
            if which < len(links):
                link, per_second = links[which]
                ticks = high << 32 | low
                yield ticks * 1_000_000 // per_second, link, body[20 : 20 + kept]
        at += length


def _resolution(options: bytes, order: str) -> int:
    """Ticks a second of an interface (option if_tsresol, 9)."""
    at = 0
    while at + 4 <= len(options):
        code, length = struct.unpack(order + "2H", options[at : at + 4])
        if code == 9 and length >= 1 and at + 4 < len(options):
            value = options[at + 4]
            power = min(value & 0x7F, 60 if value & 0x80 else 18)
            return int((2 if value & 0x80 else 10) ** power)
        at += 4 + length + (-length % 4)
    return 1_000_000


class _Assembler:
    """Takes frames apart and puts IP fragments together."""

    def __init__(self) -> None:
        self._parts: dict[tuple[bytes, ...], dict[int, tuple[bytes, bool]]] = {}

    def walk(self, frames: Iterator[tuple[int, int, bytes]]) -> Iterator[Packet]:
        for at_us, link, frame in frames:
            if at_us > _LAST_US:
                continue
            try:
                packet = self._frame(at_us, link, frame)
            except (struct.error, IndexError, ValueError):
                continue
            if packet is not None:
                yield packet

    def _frame(self, at_us: int, link: int, frame: bytes) -> Packet | None:
        if link == _ETHERNET:
            at = 12
            kind = struct.unpack_from("!H", frame, at)[0]
            while kind in _VLANS:
                at += 4
                kind = struct.unpack_from("!H", frame, at)[0]
            body = frame[at + 2 :]
        elif link == _SLL:
            kind, body = struct.unpack_from("!H", frame, 14)[0], frame[16:]
        elif link == _SLL2:
            kind, body = struct.unpack_from("!H", frame, 0)[0], frame[20:]
        elif link == _NULL or link in _RAW_LINKS:
            body = frame[4:] if link == _NULL else frame
            kind = _IPV4 if body[0] >> 4 == 4 else _IPV6
        else:
            return None
        if kind == _IPV4:
            return self._ipv4(at_us, body)
        return self._ipv6(at_us, body) if kind == _IPV6 else None

    def _ipv4(self, at_us: int, body: bytes) -> Packet | None:
        header = (body[0] & 0x0F) * 4
        total, mark, offset = struct.unpack_from("!3H", body, 2)
        source, target, protocol = body[12:16], body[16:20], body[9]
        payload: bytes | None = body[header : max(total, header) if total else len(body)]
        if offset & 0x3FFF:
            key = (source, target, bytes([protocol]), mark.to_bytes(2, "big"))
            payload = self._join(key, (offset & 0x1FFF) * 8, payload or b"", bool(offset & 0x2000))
        return self._transport(at_us, protocol, source, target, payload)

    def _ipv6(self, at_us: int, body: bytes) -> Packet | None:
        length, following = struct.unpack_from("!HB", body, 4)
        source, target = body[8:24], body[24:40]
        payload: bytes | None = body[40 : 40 + length]
        while payload is not None and following in (*_SKIPPED_HEADERS, _FRAGMENT_HEADER):
            after = payload[0]
            if following == _FRAGMENT_HEADER:
                offset, mark = struct.unpack_from("!H4s", payload, 2)
                key = (source, target, bytes([after]), mark)
                payload = self._join(key, offset & 0xFFF8, payload[8:], bool(offset & 1))
            else:
                payload = payload[8 + payload[1] * 8 :]
            following = after
        return self._transport(at_us, following, source, target, payload)

    def _join(self, key: tuple[bytes, ...], offset: int, part: bytes, more: bool) -> bytes | None:
        """The whole payload once every fragment is here."""
        if key not in self._parts and len(self._parts) >= _MAX_PARTS:
            self._parts.pop(next(iter(self._parts)))
        parts = self._parts.setdefault(key, {})
        parts[offset] = (part, more)
        whole, more = b"", True
        while more:
            if len(whole) not in parts:
                return None
            part, more = parts[len(whole)]
            if more and not part:
                return None
            whole += part
        del self._parts[key]
        return whole

    @staticmethod
    def _transport(
        at_us: int, protocol: int, source: bytes, target: bytes, payload: bytes | None
    ) -> Packet | None:
        if payload is None or protocol not in (UDP, TCP):
            return None
        ports = struct.unpack_from("!2H", payload)
        near, far = (
            Address(str(ipaddress.ip_address(host)), port)
            for host, port in zip((source, target), ports, strict=True)
        )
        if protocol == UDP:
            length = struct.unpack_from("!H", payload, 4)[0]
            return Packet(at_us, UDP, near, far, payload[8 : max(8, length) if length else None])
        sequence = struct.unpack_from("!I", payload, 4)[0]
        data = payload[(payload[12] >> 4) * 4 :]
        return Packet(at_us, TCP, near, far, data, sequence, bool(payload[13] & 2))
