"""A telephone by hand on loopback, for what no user agent can be made to do."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 39000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
)


@dataclass
class RawPeer:
    """A telephone by hand: it sends what no telephone should."""

    uri: str
    """What it calls: ``sip:number@127.0.0.1:port``."""
    wire: socket.socket
    call: str

    def send(
        self,
        method: str,
        *,
        number: int = 1,
        branch: str = "a",
        to_tag: str = "",
        headers: str = "",
    ) -> None:
        """Send one request of the dialog; ``headers`` are whole lines."""
        host, port = self.wire.getsockname()
        to_tag = to_tag and f";tag={to_tag}"
        body = SDP if method == "INVITE" else ""
        self.wire.sendto(
            (
                f"{method} {self.uri} SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{self.call}{branch};rport\r\n"
                f"Max-Forwards: 70\r\nFrom: <sip:139@127.0.0.1>;tag=t{self.call}\r\n"
                f"To: <{self.uri}>{to_tag}\r\nCall-ID: {self.call}\r\n"
                f"CSeq: {number} {method}\r\nContact: <sip:139@{host}:{port}>\r\n"
                f"{headers}Content-Type: application/sdp\r\n"
                f"Content-Length: {len(body)}\r\n\r\n{body}"
            ).encode(),
            ("127.0.0.1", int(self.uri.rpartition(":")[2])),
        )

    def answer(self, method: str, lowest: int = 200) -> tuple[int, str]:
        """The next answer to a method from a status code on: the code, and the To tag."""
        said = self.message(method, lowest)
        to = next(line for line in said.splitlines() if line.startswith("To:"))
        return int(said[8:11]), to.partition(";tag=")[2]

    def message(self, method: str, lowest: int = 200) -> str:
        """The next answer to a method from a status code on, whole."""
        while True:
            said = self.wire.recv(8000).decode()
            if not said.startswith("SIP/2.0 "):
                continue
            if f" {method}\r\n" in said and int(said[8:11]) >= lowest:
                return said

    def request(self) -> str:
        """The method of the next request that comes in."""
        while (said := self.wire.recv(8000).decode()).startswith("SIP/2.0 "):
            continue
        return said.partition(" ")[0]


@contextmanager
def raw_peer(uri: str, call: str, address: str = "127.0.0.1") -> Iterator[RawPeer]:
    """A peer at an address of this machine; ``call`` names its dialog."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.bind((address, 0))
        wire.settimeout(15)
        yield RawPeer(uri, wire, call)
