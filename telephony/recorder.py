"""One side's recording: a WAV that grows from the answer on, through holds and silence.

A recorder that hears nothing writes nothing, and its file would come out short. So a silent source
plays into every recorder for as long as it lives: a hold, a late stream or a lost one is silence
in its place, and 0 ms stays the answer.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from calls.errors import TapError
from telephony.pjsip import SipLibraryError, pj, reason_of

_DATA_SIZE = slice(40, 44)
"""Where the WAV header that the library writes has the length of the audio."""
SEAL_WAIT_MS = 1000.0
"""How long a closed recorder's file may take to be sealed: a tick of the bridge, and some load."""


def is_sealed(paths: Iterable[Path]) -> bool:
    """Whether the library has ended these files.

    It ends them on its own thread at the conference bridge's next tick, and until then keeps the
    last quarter of a second to itself: the words just before a BYE.
    """
    for path in paths:
        try:
            with path.open("rb") as file:
                if not any(file.read(_DATA_SIZE.stop)[_DATA_SIZE]):
                    return False
        except OSError:
            continue
    return True


class Recorder:
    """A recorder port of the conference bridge with its silent source. Owner thread only."""

    def __init__(self, path: Path) -> None:
        try:
            self._port = pj.AudioMediaRecorder()
            self._port.createRecorder(str(path))
            self._silence = pj.ToneGenerator()
            self._silence.createToneGenerator(8000, 1)
            self._silence.startTransmit(self._port)
        except SipLibraryError as error:
            raise TapError(
                f"cannot record ({reason_of(error)})", remedy="free space on the disk"
            ) from error

    def hear(self, source: Any) -> None:
        """Have an audio media (a leg's stream) heard from now on."""
        source.startTransmit(self._port)

    def ignore(self, source: Any) -> None:
        """Have it heard no longer."""
        source.stopTransmit(self._port)

    def close(self) -> None:
        """End the file; ``is_sealed`` says when that is done."""
        self._port = None
        self._silence = None
