"""Calls out of packet captures: times and ends from SIP, both sides' audio from RTP."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from calls.call import Call, Channel, Original
from calls.errors import ImportSourceError, RecordingError
from importer.audio import Keep, original_of, write_recording
from importer.capture import Address, packets
from importer.dialog import Dialog, moment, read_dialog, to_call
from importer.folder import measure
from importer.rtp import RtpPacket, place, quality, read_rtp
from importer.settings import ImporterSettings
from importer.sip import SipMessage, SipReader
from importer.source import Item, call_id

SUFFIXES = (".pcap", ".pcapng", ".cap")
_MAX_CALL_MS = 12 * 3_600_000


@dataclass(slots=True)
class Capture:
    """All of one file that belongs to calls."""

    messages: dict[str, list[SipMessage]] = field(default_factory=dict)
    arrivals: dict[Address, list[RtpPacket]] = field(default_factory=dict)
    departures: dict[Address, list[RtpPacket]] = field(default_factory=dict)
    original: Original | None = None


class PcapSource:
    """One capture file, or every capture in a folder; a call must lie within one file."""

    name = "pcap"

    def __init__(self, path: Path, settings: ImporterSettings) -> None:
        self._path = path
        self._max_bytes = settings.max_capture_mb << 20
        self._keep: Keep = settings.keep
        self._lock = threading.Lock()
        self._opened = lru_cache(maxsize=2)(self._open)
        self._homes: dict[str, Path] = {}

    def items(self) -> Iterator[Item]:
        """One item a Call-ID; a file that cannot be read is an item that fails when read."""
        files = (
            [self._path]
            if self._path.is_file()
            else sorted(p for p in self._path.rglob("*") if p.suffix.lower() in SUFFIXES)
        )
        if not files:
            raise ImportSourceError(
                f"{self._path} holds no capture", remedy=f"files named {', '.join(SUFFIXES)}"
            )
        for path in files:
            yield from self._items_of(path)

    def _items_of(self, path: Path) -> Iterator[Item]:
        size, changed = measure([path])
        whole = Item(key=f"file {path.name}", label=path.name, size=size, changed=changed)
        try:
            capture = self._capture(path)
        except ImportSourceError:
            self._homes[whole.key] = path
            yield whole
            return
        calls = [key for key, messages in capture.messages.items() if read_dialog(messages)]
        if capture.arrivals and not calls:
            self._homes[whole.key] = path
            yield whole
        for number, (key, messages) in enumerate(sorted(capture.messages.items()), 1):
            dialog = read_dialog(messages)
            if dialog is not None:
                self._homes[key] = path
                yield Item(
                    key=key,
                    label=f"{path.name} call {number}",
                    at=moment(dialog.invite.at_us),
                    size=size // len(capture.messages),
                    changed=changed,
                )

    def read(self, item: Item, folder: Path) -> Call:
        """The call of an item that ``items`` gave."""
        path = self._homes[item.key]
        capture = self._capture(path)
        dialog = read_dialog(capture.messages.get(item.key, ()))
        if dialog is None:
            raise ImportSourceError(
                f"{path.name} holds audio and no SIP call from its INVITE on",
                remedy="capture the signalling too: without it nobody knows who was who",
            )
        call = to_call(dialog, call_id(self.name, item.key), self.name)
        if dialog.answered_us is None:
            return call
        return _with_audio(call, dialog, capture, folder, self._keep)

    def _capture(self, path: Path) -> Capture:
        with self._lock:
            return self._opened(path)

    def _open(self, path: Path) -> Capture:
        return read_capture(path, self._max_bytes)


def read_capture(path: Path, max_bytes: int) -> Capture:
    """The SIP messages by Call-ID and the RTP packets by address of one capture file."""
    capture, reader = Capture(), SipReader()
    for packet in packets(path, max_bytes):
        found = False
        for message in reader.feed(packet):
            found = True
            if message.call_id:
                capture.messages.setdefault(message.call_id, []).append(message)
        rtp = None if found else read_rtp(packet)
        if rtp is not None:
            capture.arrivals.setdefault(packet.target, []).append(rtp)
            capture.departures.setdefault(packet.source, []).append(rtp)
    capture.original = original_of(path)
    return capture


def _with_audio(call: Call, dialog: Dialog, capture: Capture, folder: Path, keep: Keep) -> Call:
    if dialog.encrypted:
        raise RecordingError("the call's audio is encrypted (SRTP)", remedy="record at the PBX")
    start_us = dialog.answered_us or 0
    heard = {side: _heard(dialog, capture, side, start_us) for side in Channel}
    ends = [stream[-1].at_us + 20_000 for stream in heard.values() if stream]
    if not ends:
        raise RecordingError(
            "the call was answered, and the capture holds none of its audio",
            remedy="capture the RTP ports too",
        )
    end_us = dialog.ended_us or max(ends)
    length_ms = max(0, end_us - start_us) // 1000
    if not 0 < length_ms <= _MAX_CALL_MS:
        raise RecordingError("the call's times make no sense", remedy="check the capture's clock")
    if dialog.ended_us is None:
        call = replace(call, ended_at=moment(end_us))
    sides, figures = [], []
    for side in (Channel.CALLER, Channel.AGENT):
        names = _formats(dialog, side)
        stream = heard[side]
        samples, _, codec = place(stream, names, start_us, length_ms)
        sides.append(samples)
        figures.append(quality(side, stream, codec))
    recording = write_recording(
        folder,
        np.stack(sides, axis=1),
        (Channel.CALLER, Channel.AGENT),
        complete=dialog.ended_us is not None,
        keep=keep,
        originals=() if capture.original is None else (capture.original,),
    )
    return replace(call, recording=recording, quality=tuple(figures))


def _formats(dialog: Dialog, side: Channel) -> dict[int, str]:
    """Payload types of what a side sends: the receiver's names first (RFC 3264 5.1)."""
    names: dict[int, str] = {}
    for address, owner in dialog.receives.items():
        if owner is side:
            names = {**dialog.formats[address], **names}
    for address, owner in dialog.receives.items():
        if owner is not side:
            names.update({k: v for k, v in dialog.formats[address].items() if v})
    return names


def _heard(dialog: Dialog, capture: Capture, side: Channel, start_us: int) -> list[RtpPacket]:
    """What a side sent, by arrival: to where the other receives, else from where it receives."""
    last_us = dialog.ended_us or (1 << 62)
    for wanted, packets_of in (
        ([a for a, owner in dialog.receives.items() if owner is not side], capture.arrivals),
        ([a for a, owner in dialog.receives.items() if owner is side], capture.departures),
    ):
        found = [
            packet
            for address in wanted
            for packet in packets_of.get(address, ())
            if start_us <= packet.at_us <= last_us
        ]
        if found:
            return sorted(found, key=lambda packet: packet.at_us)
    return []
