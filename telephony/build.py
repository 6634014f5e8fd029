"""Which PJSIP is there: our own build (``make pjsip``) where it is installed, else the wheel.

Nothing is loaded here, so that ``sansheng doctor`` and the supervisor can ask without becoming a
process that holds a SIP stack; ``telephony.pjsip`` does the loading.
"""

import importlib.util
import json
import os
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from calls.errors import TapError

OWN_PACKAGE = "sansheng_pjsip"
"""The package that ``tools/pjsip/build.sh`` installs beside the project's dependencies."""
CHOICE_VARIABLE = "SANSHENG_PJSIP"
"""Environment variable: ``own`` or ``wheel`` insists on one build, empty takes the best."""
WHEEL_DISTRIBUTION = "pjsua2-python"
WHEEL_MAX_CALLS = 4
"""PJSUA_MAX_CALLS compiled into the wheel; pjsua clamps ``maxCalls`` to it in silence."""
WHEEL_MAX_MESSAGE_BYTES = 4000
"""PJSIP_MAX_PKT_LEN compiled into the wheel."""
_REMEDY = "install the telephony extra, or run `make pjsip`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """A PJSIP build and what was compiled into it."""

    name: Literal["own", "wheel"]
    version: str
    """PJSIP's version, e.g. ``2.17``."""
    max_calls: int
    """Calls a process can hold: a bridged call takes two, a SIPREC session one."""
    max_message_bytes: int
    siprec: bool
    """Whether the library itself knows SIPREC (PJSUA_HAS_SIPREC)."""
    tls: str
    """The OpenSSL line compiled in while it is in support, else empty: never offer TLS then."""
    module: str
    """The import name of the pjsua2 module."""
    library: Path
    """The shared object, for ``ctypes``."""


def find_build(choice: str | None = None) -> Build:
    """The build that ``telephony.pjsip`` loads; no build at all is a TapError.

    ``choice`` stands in for the environment variable ``SANSHENG_PJSIP``.
    """
    wanted = os.environ.get(CHOICE_VARIABLE, "") if choice is None else choice
    if wanted not in ("", "own", "wheel"):
        raise TapError(
            f"{CHOICE_VARIABLE} names no PJSIP build", remedy="set it to own or wheel, or unset it"
        )
    if wanted != "wheel":
        own = _find_own()
        if own is not None:
            return own
        if wanted == "own":
            raise TapError("our own PJSIP build is not installed", remedy="run `make pjsip`")
    wheel = _find_wheel()
    if wheel is None:
        raise TapError("no PJSIP is installed", remedy=_REMEDY)
    return wheel


def _find_own() -> Build | None:
    spec = importlib.util.find_spec(OWN_PACKAGE)
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent
    library = _library(folder)
    try:
        facts = json.loads((folder / "build.json").read_text("utf-8"))
        if library is None:
            raise KeyError("library")
        return Build(
            name="own",
            version=str(facts["version"]),
            max_calls=int(facts["max_calls"]),
            max_message_bytes=int(facts["max_message_bytes"]),
            siprec=bool(facts["siprec"]),
            tls=str(facts["openssl"]),
            module=f"{OWN_PACKAGE}.pjsua2",
            library=library,
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TapError(
            f"our own PJSIP build in {folder} is broken",
            remedy=f"run `make pjsip` again, or set {CHOICE_VARIABLE}=wheel",
        ) from error


def _find_wheel() -> Build | None:
    spec = importlib.util.find_spec("pjsua2")
    if spec is None or spec.origin is None:
        return None
    library = _library(Path(spec.origin).parent)
    if library is None:
        return None
    try:
        released = version(WHEEL_DISTRIBUTION)
    except PackageNotFoundError:
        released = "unknown"
    return Build(
        name="wheel",
        version=released.split(".post")[0],
        max_calls=WHEEL_MAX_CALLS,
        max_message_bytes=WHEEL_MAX_MESSAGE_BYTES,
        siprec=False,
        tls="",
        module="pjsua2",
        library=library,
    )


def _library(folder: Path) -> Path | None:
    return next(iter(sorted(folder.glob("_pjsua2*.so"))), None)
