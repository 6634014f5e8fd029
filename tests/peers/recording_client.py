"""A SIPREC recording client for tests: ``recording_client.py SCRIPT.json`` (RFC 7866's SRC).

It offers one ``sendonly`` line a stream, each with its label, beside the metadata it is given,
plays a WAV on each, follows its script of re-INVITEs, and tells each event as a JSON line.
"""

import gc
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from telephony.clock import Clock
from telephony.library import (
    listen_for_media,
    open_library,
    start_library,
    transport_config,
)
from telephony.pjsip import call_parameters, pj
from telephony.talk import Talk


@dataclass(frozen=True, kw_only=True)
class Stream:
    label: str
    play: str
    codec: str = "PCMA/8000/1"


@dataclass(frozen=True, kw_only=True)
class Step:
    """A re-INVITE some time after the answer."""

    at_ms: int
    inactive: tuple[str, ...] = ()
    """Labels that are paused from then on."""
    metadata: str = ""
    lines: int = 0
    """Number of streams from then on; 0: as before."""


@dataclass(frozen=True, kw_only=True)
class Script:
    port: int
    rtp_port: int
    call: str
    streams: tuple[Stream, ...]
    lines: int = 0
    """Number of streams at first; 0: all."""
    metadata: str = ""
    metadata_type: str = "rs-metadata+xml"
    require: bool = True
    headers: dict[str, str] = field(default_factory=dict)
    """Further headers of its requests."""
    direction: str = "sendonly"
    tcp: bool = False
    steps: tuple[Step, ...] = ()
    hang_up_ms: int = 3000


class Call(pj.Call):  # type: ignore[misc]
    def __init__(self, client: "Client") -> None:
        super().__init__(client.account)
        self.client = client

    def onCallState(self, prm: Any) -> None:  # noqa: N802
        info = self.getInfo()
        names = {
            pj.PJSIP_INV_STATE_CONFIRMED: "confirmed",
            pj.PJSIP_INV_STATE_DISCONNECTED: "ended",
        }
        if name := names.get(info.state):
            self.client.tell(name, code=info.lastStatusCode)

    def onCallTsxState(self, prm: Any) -> None:  # noqa: N802
        tsx = prm.e.body.tsxState
        if (
            tsx.type == pj.PJSIP_EVENT_RX_MSG
            and tsx.tsx.method == "INVITE"
            and tsx.tsx.statusCode == 200
        ):
            self.client.tell("answer", message=tsx.src.rdata.wholeMsg)

    def onCallMediaState(self, prm: Any) -> None:  # noqa: N802
        self.client.media = True

    def onCallSdpCreated(self, prm: Any) -> None:  # noqa: N802
        prm.sdp.wholeSdp = self.client.offer(prm.sdp.wholeSdp)


class Client:
    def __init__(self, script: Script) -> None:
        self.script = script
        self.talk = Talk()
        self.clock = Clock()
        self.times: dict[str, float] = {}
        self.media = False
        self.inactive: tuple[str, ...] = ()
        self.lines = script.lines or len(script.streams)
        self.players: dict[str, Any] = {}
        self.library = open_library()
        transport = transport_config("127.0.0.1", script.port)
        for kind in (pj.PJSIP_TRANSPORT_UDP, pj.PJSIP_TRANSPORT_TCP):
            self.library.transportCreate(kind, transport)
        start_library(self.library, {stream.codec: 255 for stream in script.streams})
        account = pj.AccountConfig()
        account.idUri = f"sip:src@127.0.0.1:{script.port}"
        account.sipConfig.contactParams = ";+sip.src"
        listen_for_media(account, "127.0.0.1", script.rtp_port, 100)
        self.account: Any = pj.Account()
        self.account.create(account)
        self.call: Call | None = Call(self)

    def tell(self, event: str, **more: Any) -> None:
        now = self.clock.now()
        self.times.setdefault(event, now.monotonic_ms)
        self.talk.say({"event": event, "at": now.at, "monotonic_ms": now.monotonic_ms, **more})

    def offer(self, sdp: str) -> str:
        """Our SDP with labels and directions, and one codec a line where the script says so."""
        lines, index = [], -1
        for line in sdp.splitlines():
            if line.startswith("m=audio"):
                index += 1
                stream = self.script.streams[index]
                lines.append(_with_one_codec(line, stream.codec))
                continue
            if line in ("a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive") and index >= 0:
                paused = stream.label in self.inactive
                lines.append("a=inactive" if paused else f"a={self.script.direction}")
                if stream.label:
                    lines.append(f"a=label:{stream.label}")
                continue
            lines.append(line)
        return "\r\n".join(lines) + "\r\n"

    def parameters(self, metadata: str) -> Any:
        parameters = call_parameters(audio_count=self.lines)
        if self.script.require:
            header = pj.SipHeader()
            header.hName, header.hValue = "Require", "siprec"
            parameters.txOption.headers.append(header)
        for name, value in self.script.headers.items():
            header = pj.SipHeader()
            header.hName, header.hValue = name, value
            parameters.txOption.headers.append(header)
        if metadata:
            part = pj.SipMultipartPart()
            part.contentType.type = "application"
            part.contentType.subType = self.script.metadata_type
            part.body = metadata
            parameters.txOption.multipartContentType.type = "multipart"
            parameters.txOption.multipartContentType.subType = "mixed"
            parameters.txOption.multipartParts.append(part)
        return parameters

    def run(self) -> None:
        self.tell("ready")
        assert self.call is not None
        target = self.script.call + (";transport=tcp" if self.script.tcp else "")
        self.call.makeCall(target, self.parameters(self.script.metadata))
        steps = list(self.script.steps)
        deadline = time.monotonic() + 60
        hung_up = False
        while "ended" not in self.times and time.monotonic() < deadline:
            self.library.libHandleEvents(5)
            if self.media:
                self.media = False
                self.connect()
            since = self.clock.now().monotonic_ms - self.times.get("confirmed", float("inf"))
            if steps and since >= steps[0].at_ms:
                step = steps.pop(0)
                self.inactive = step.inactive
                self.lines = step.lines or self.lines
                self.call.reinvite(self.parameters(step.metadata))
                self.tell("reinvited")
            if since >= self.script.hang_up_ms and not hung_up:
                hung_up = True
                self.tell("hanging up")
                self.call.hangup(call_parameters())
        for _ in range(20):
            self.library.libHandleEvents(5)

    def connect(self) -> None:
        assert self.call is not None
        info = self.call.getInfo()
        for index in range(len(info.media)):
            if not info.media[index].dir & pj.PJMEDIA_DIR_ENCODING:
                continue
            stream = self.script.streams[index]
            if stream.label not in self.players:
                player = pj.AudioMediaPlayer()
                player.createPlayer(stream.play, pj.PJMEDIA_FILE_NO_LOOP)
                self.players[stream.label] = player
                self.tell(f"playing {stream.label}")
            self.players[stream.label].startTransmit(self.call.getAudioMedia(index))

    def close(self) -> None:
        self.players.clear()
        self.call = None
        self.account.shutdown()
        self.account = None
        gc.collect()
        self.library.libDestroy()
        self.talk.close()


def _with_one_codec(line: str, codec: str) -> str:
    kind, port, profile, *_ = line.split()
    payload = {"PCMU/8000/1": "0", "PCMA/8000/1": "8", "G722/16000/1": "9"}[codec]
    return f"{kind} {port} {profile} {payload}"


def main() -> None:
    script = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Script)
    client = Client(script)
    client.run()
    client.close()


if __name__ == "__main__":
    main()
