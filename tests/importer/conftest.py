"""Captures written packet by packet, so that a test knows every time and every sample in them."""

import ipaddress
import math
import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from calls import wav
from calls.call import Call
from importer.source import Source

START_US = 1_780_000_000_000_000
SDP = (
    "v=0\r\no=- 1 1 IN IP{v} {host}\r\ns=-\r\nc=IN IP{v} {host}\r\nt=0 0\r\n"
    "m=audio {port} RTP/AVP {pt}\r\n{more}"
)


@dataclass
class Wire:
    """Writes SIP and RTP between a caller (port 5060/4000) and an agent (5062/4002)."""

    hosts: tuple[str, str] = ("10.0.0.1", "10.0.0.2")
    tcp: bool = False
    mtu: int = 10_000
    frames: list[tuple[int, bytes]] = field(default_factory=list)
    sequence: dict[bool, int] = field(default_factory=lambda: {True: 1_000, False: 9_000})
    mark: int = 0

    @property
    def version(self) -> int:
        return ipaddress.ip_address(self.hosts[0]).version

    def udp(self, ms: float, from_caller: bool, ports: tuple[int, int], data: bytes) -> None:
        head = struct.pack("!4H", *ports, 8 + len(data), 0)
        self._ip(ms, from_caller, 17, head + data)

    def _segment(self, ms: float, from_caller: bool, ports: tuple[int, int], data: bytes) -> None:
        now = self.sequence[from_caller]
        self.sequence[from_caller] += len(data)
        head = struct.pack("!2H2I2B3H", *ports, now, 0, 0x50, 0x18, 0xFFFF, 0, 0)
        self._ip(ms, from_caller, 6, head + data)

    def _ip(self, ms: float, from_caller: bool, protocol: int, body: bytes) -> None:
        pair = [ipaddress.ip_address(host).packed for host in self.hosts]
        source, target = pair if from_caller else pair[::-1]
        self.mark += 1
        step = self.mtu // 8 * 8
        for at in range(0, len(body), step):
            part, more = body[at : at + step], at + step < len(body)
            split = len(body) > step
            if self.version == 4:
                flags = at // 8 | (0x2000 if more else 0)
                header = struct.pack(
                    "!2B3H2BH", 0x45, 0, 20 + len(part), self.mark, flags, 64, protocol, 0
                )
                packet, kind = header + source + target + part, 0x0800
            else:
                extra = struct.pack("!2BHI", protocol, 0, at | more, self.mark) if split else b""
                following = 44 if split else protocol
                header = struct.pack("!IH2B", 6 << 28, len(extra) + len(part), following, 64)
                packet, kind = header + source + target + extra + part, 0x86DD
            self.frames.append(
                (START_US + round(ms * 1_000), bytes(12) + struct.pack("!H", kind) + packet)
            )

    def sip(
        self,
        ms: float,
        from_caller: bool,
        start: str,
        cseq: str,
        sdp: str = "",
        own_from: bool | None = None,
    ) -> None:
        """One message; ``own_from``: whether the caller sent the request that it belongs to."""
        own = from_caller if own_from is None else own_from
        people = ["<sip:13800000000@a>;tag=c1", "<sip:1001@b>;tag=a1"]
        who, whom = people if own else people[::-1]
        text = (
            f"{start}\r\nVia: SIP/2.0/UDP x;branch=z9hG4bK1\r\nf: {who}\r\nTo: {whom}\r\n"
            f"Call-ID: call-1@a\r\nCSeq: {cseq}\r\nContent-Length: {len(sdp)}\r\n\r\n{sdp}"
        ).encode()
        ports = (5_060, 5_062) if from_caller else (5_062, 5_060)
        if not self.tcp:
            self.udp(ms, from_caller, ports, text)
            return
        half = len(text) // 2
        self._segment(ms, from_caller, ports, text[:half])
        self._segment(ms + 0.2, from_caller, ports, text[half:])
        self.frames[-2:] = self.frames[:-3:-1]

    def sdp(self, from_caller: bool, payload: int = 8, direction: str = "sendrecv") -> str:
        host = self.hosts[0 if from_caller else 1]
        port = 4_000 if from_caller else 4_002
        return SDP.format(
            v=self.version, host=host, port=port, pt=payload, more=f"a={direction}\r\n"
        )

    def rtp(self, ms: float, from_caller: bool, number: int, payload: bytes, kind: int = 8) -> None:
        ssrc = 11 if from_caller else 22
        head = struct.pack("!2BHII", 0x80, kind, number & 0xFFFF, number * 160 + 5_000, ssrc)
        self.udp(ms, from_caller, (4_000, 4_002) if from_caller else (4_002, 4_000), head + payload)

    def call(self, *, ring_ms: int = 6_000, payload: int = 8) -> None:
        """INVITE at 0, 180 at 100, 200 at 100 + ring."""
        self.sip(0, True, "INVITE sip:1001@b SIP/2.0", "1 INVITE", self.sdp(True, payload))
        self.sip(100, False, "SIP/2.0 180 Ringing", "1 INVITE", own_from=True)
        answer = self.sdp(False, payload)
        self.sip(100 + ring_ms, False, "SIP/2.0 200 OK", "1 INVITE", answer, own_from=True)

    def bye(self, ms: float, from_caller: bool) -> None:
        self.sip(ms, from_caller, "BYE sip:x SIP/2.0", "2 BYE")

    def pcap(self) -> bytes:
        body = b"".join(
            struct.pack("<4I", at // 1_000_000, at % 1_000_000, len(frame), len(frame)) + frame
            for at, frame in self.frames
        )
        return struct.pack("<I2H4I", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1) + body

    def pcapng(self) -> bytes:
        def block(kind: int, body: bytes) -> bytes:
            body += bytes(-len(body) % 4)
            size = struct.pack("<I", len(body) + 12)
            return struct.pack("<I", kind) + size + body + size

        head = block(0x0A0D0D0A, struct.pack("<I2Hq", 0x1A2B3C4D, 1, 0, -1))
        nanoseconds = struct.pack("<2HB3x2H", 9, 1, 9, 0, 0)
        head += block(1, struct.pack("<2HI", 1, 0, 65_535) + nanoseconds)
        return head + b"".join(
            block(6, struct.pack("<5I", 0, t >> 32, t & 0xFFFFFFFF, len(f), len(f)) + f)
            for t, f in ((at * 1_000, frame) for at, frame in self.frames)
        )


def alaw_bytes(count: int, seed: int) -> bytes:
    """Random A-law bytes: every 20 ms packet can be told from every other."""
    return np.random.default_rng(seed).integers(0, 256, count, np.uint8).tobytes()


def record(path: Path, seconds: float = 10, channels: int = 2) -> None:
    """Write noise as a recording."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(1).normal(0, 0.05, (int(8_000 * seconds), channels))
    wav.write(path, noise.astype(np.float32), 8_000)


def read_all(source: Source, folder: Path) -> list[Call]:
    """Every call of a source."""
    return [source.read(item, folder) for item in source.items()]


@pytest.fixture
def tone(tmp_path: Path) -> Path:
    """Two seconds, two channels at 16 kHz: 440 Hz left, 880 Hz right."""
    path = tmp_path / "tone.wav"
    seconds = np.arange(32_000) / 16_000
    pair = np.stack([np.sin(2 * math.pi * hertz * seconds) for hertz in (440, 880)], 1) * 0.3
    wav.write(path, pair.astype(np.float32), 16_000)
    return path
