"""Which audio codecs the SIP library has: asked in a process of its own, since it is C code."""

import json
import subprocess
import sys

from calls.errors import TapError

_TIMEOUT_S = 20


def list_codecs() -> tuple[str, ...]:
    """The names of the library's codecs (``PCMA``, ``PCMU``, ``G722`` …), each once.

    Errors: TapError when the library cannot be loaded or dies.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", "telephony.codecs"],
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=True,
        )
        names: list[str] = json.loads(done.stdout.splitlines()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        raise TapError(
            "the SIP library does not start",
            remedy="install the telephony extra again, or run `make pjsip`",
        ) from error
    return tuple(names)


def main() -> None:
    """Print the codec names as one JSON list."""
    from telephony.pjsip import pj

    endpoint = pj.Endpoint()
    endpoint.libCreate()
    settings = pj.EpConfig()
    settings.logConfig.level = settings.logConfig.consoleLevel = 0
    settings.uaConfig.threadCnt = 0
    endpoint.libInit(settings)
    codecs = endpoint.codecEnum2()
    names = sorted({codec.codecId.split("/")[0] for codec in codecs})
    sys.stdout.write(json.dumps(names) + "\n")
    sys.stdout.flush()
    endpoint.libDestroy()


if __name__ == "__main__":
    main()
