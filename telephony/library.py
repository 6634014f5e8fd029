"""The SIP library, set up the way the tap, the probe and every scripted telephone want it.

One thread that owns it, no sound device, telephone quality, nothing printed. Who opens it frees
everything on the same thread and then calls ``libDestroy`` (pjproject #4353).
"""

import contextlib
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from calls.errors import TapError
from telephony.door import Budget
from telephony.pjsip import BUILD, SipLibraryError, pj, reason_of

CODECS: Mapping[str, int] = {"PCMA/8000/1": 255, "PCMU/8000/1": 254, "G722/16000/1": 253}
"""Codecs on offer with their priority: A-law is what a Chinese trunk speaks."""

CONNECTIONS_A_SECOND, CONNECTIONS_AT_ONCE = 20, 10
"""Of one process of the wheel: with the calls' sockets, 40 of its 64 in the worst second."""
_CONNECTION_WAIT_S = 0.05
INBOX_BYTES = 4 << 20
"""Room for some 6,000 SIP messages. The system's usual 208 KiB hold 200: at 50 set-ups a second a
process that is kept waiting for a second loses answers and CANCELs, and their repetitions too."""
_SO_RCVBUFFORCE = 33
"""Linux, socket(7): beyond net.core.rmem_max, for root alone."""


class _Library(pj.Endpoint):  # type: ignore[misc]
    """The library; the wheel's is kept from taking TCP connections faster than it can let them go.

    It counts a closed one for half a second longer, and ends its process by an assertion when its
    64 sockets run out: 122 connections, opened and closed again, were enough. Meanwhile the next
    ones wait in the system, and SIP with them; voice does not.
    """

    def __init__(self) -> None:
        super().__init__()
        self._budget = Budget(CONNECTIONS_A_SECOND, CONNECTIONS_AT_ONCE)

    def onTransportState(self, prm: Any) -> None:  # noqa: N802
        """Wait where connections come too fast."""
        if BUILD.name != "wheel" or prm.state != pj.PJSIP_TP_STATE_CONNECTED:
            return
        while not self._budget.take("", time.monotonic() * 1000):
            time.sleep(_CONNECTION_WAIT_S)


def open_library(*, max_calls: int = 0, jitter_buffer_ms: int = 0) -> Any:
    """The library, created and initialised; transports come next, then ``start_library``.

    ``max_calls`` 0 is the build's default, ``jitter_buffer_ms`` 0 a depth that adapts.
    Errors: TapError when it cannot be initialised.
    """
    library = _Library()
    library.libCreate()
    config = pj.EpConfig()
    config.logConfig.level = config.logConfig.consoleLevel = 0
    config.uaConfig.threadCnt = 0
    config.uaConfig.mainThreadOnly = True
    config.uaConfig.userAgent = "Sansheng"
    if max_calls:
        config.uaConfig.maxCalls = max_calls
    media = config.medConfig
    media.clockRate = media.sndClockRate = 8000
    media.channelCount = 1
    media.ecTailLen = 0
    media.noVad = True
    media.sndAutoCloseTime = -1
    if jitter_buffer_ms:
        media.jbInit = media.jbMinPre = jitter_buffer_ms
    try:
        library.libInit(config)
    except SipLibraryError as error:
        library.libDestroy()
        raise TapError(
            f"the SIP library does not start ({reason_of(error)})",
            remedy="`sansheng doctor` looks at limits and build",
        ) from error
    return library


def transport_config(host: str, port: int, public_address: str = "") -> Any:
    """Where a transport listens, and the address that peers are told."""
    transport = pj.TransportConfig()
    transport.boundAddress, transport.port = host, port
    transport.publicAddress = public_address
    return transport


def start_library(library: Any, codecs: Mapping[str, int] = CODECS) -> None:
    """Start it with these codecs and their priorities, and no others."""
    library.libStart()
    library.audDevManager().setNullDev()
    known = library.codecEnum2()
    for position in range(len(known)):
        name = known[position].codecId
        library.codecSetPriority(name, codecs.get(name, 0))


def listen_for_media(account: Any, host: str, port: int, count: int, public: str = "") -> None:
    """Have an account's RTP use ``count`` ports from ``port`` on."""
    rtp = account.mediaConfig.transportConfig
    rtp.boundAddress, rtp.port, rtp.portRange = host, port, count
    rtp.publicAddress = public


def deepen_inbox(host: str, port: int) -> None:
    """Have the system keep more of what comes to a UDP port while the process is busy.

    pjsua2 has no option for it, so the socket is looked for among the process's own. Without root
    the room is what net.core.rmem_max allows; where there is no /proc it stays as it is.
    """
    for file in Path("/proc/self").glob("fd/*"):
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(int(file.name))) as wire:
            if wire.type != socket.SOCK_DGRAM or wire.getsockname()[:2] != (host, port):
                continue
            try:
                wire.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, INBOX_BYTES)
            except PermissionError:
                wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, INBOX_BYTES)
