"""What ``sansheng doctor`` looks at: each check says what it found and how to mend it."""

import ctypes
import ctypes.util
import errno
import os
import resource
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from calls.errors import SanshengError
from sansheng.settings import Settings

_GIB = 2**30
_DISK_WARN = 20 * _GIB
"""A line-hour of two A-law sides is 58 MB: 20 GiB hold some 350 hours."""
_DISK_FAIL = _GIB
_FILES_A_CALL = 12
"""File handles a bridged call takes: two legs' RTP and RTCP, two recorders, the journal."""
_STA_UNSYNC = 0x0040
"""adjtimex(2): the kernel clock is not kept by any time service."""


class Health(StrEnum):
    """A check's outcome."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's outcome: what was found and, if it is not well, how to mend it."""

    name: str
    health: Health
    found: str
    mend: str = ""


def examine(settings: Settings) -> Iterator[Finding]:
    """Run every check, one after the other; none can stop the rest."""
    for name, check in CHECKS.items():
        try:
            yield check(settings)
        except SanshengError as error:
            yield Finding(name, Health.FAIL, error.message, error.remedy)


def check_python(_: Settings) -> Finding:
    """The interpreter's version."""
    version = ".".join(map(str, sys.version_info[:3]))
    if (3, 11) <= sys.version_info[:2] <= (3, 12):
        return Finding("python", Health.OK, version)
    return Finding("python", Health.FAIL, version, "use Python 3.11 or 3.12")


def check_model(settings: Settings) -> Finding:
    """The speech model: there, whole and loadable."""
    from asr.engine import open_engine

    engine = open_engine(settings.asr)
    return Finding("model", Health.OK, f"{engine.name}, {engine.model}")


def check_phrases_and_rules(settings: Settings) -> Finding:
    """The phrasebook and the rules: there and valid."""
    from phrasebook import book
    from scoring import rules

    return Finding(
        "phrases and rules",
        Health.OK,
        f"phrasebook {book.load(settings.phrasebook.path).version}, "
        f"rules {rules.load(settings.scoring.path).version}",
    )


def check_tap(settings: Settings) -> Finding:
    """The SIP library: which build, how many legs, which codecs; its certificates and passwords."""
    from telephony.build import find_build
    from telephony.codecs import list_codecs
    from telephony.security import check_security

    build, codecs = find_build(), list_codecs()
    check_security(settings.telephony.tls, build)
    for secret in (*settings.telephony.registrations, *settings.telephony.digest.users):
        secret.password()
    children = settings.telephony.children
    found = (
        f"PJSIP {build.version} ({build.name}), {children} process(es) of {build.max_calls} legs:"
        f" {children * build.max_calls // 2} bridged calls at once; {', '.join(codecs)}"
    )
    missing = {"PCMA", "PCMU"} - set(codecs)
    if missing:
        return Finding("tap", Health.FAIL, found, f"the build lacks {', '.join(sorted(missing))}")
    return Finding("tap", Health.OK, found)


def check_ports(settings: Settings) -> Finding:
    """The SIP and portal ports: free, or held by the running service."""
    tap, portal = settings.telephony, settings.portal
    wanted = [("UDP", tap.host, tap.port + child) for child in range(tap.children)]
    if tap.tls.port:
        wanted += [("TCP", tap.host, tap.tls.port + child) for child in range(tap.children)]
    wanted.append(("TCP", portal.host, portal.port))
    taken = [f"{kind} {port}" for kind, host, port in wanted if not _port_is_free(kind, host, port)]
    names = ", ".join(f"{kind} {port}" for kind, _, port in wanted)
    if not taken:
        return Finding("ports", Health.OK, f"{names} are free")
    if settings.socket.exists():
        return Finding("ports", Health.OK, f"{', '.join(taken)} held, and the service runs")
    return Finding(
        "ports",
        Health.FAIL,
        f"{', '.join(taken)} taken by another program",
        "`ss -lpn` shows which; stop it, or change the port in sansheng.toml",
    )


def check_disk(settings: Settings) -> Finding:
    """Space where the recordings go."""
    folder = settings.data_dir
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    found = f"{free / _GIB:.1f} GiB free at {settings.data_dir}"
    mend = "free space, or set data_dir to a larger disk"
    if free < _DISK_FAIL:
        return Finding("disk", Health.FAIL, found, mend)
    if free < _DISK_WARN:
        return Finding("disk", Health.WARN, found, mend)
    if not os.access(folder, os.W_OK):
        return Finding("disk", Health.FAIL, f"{folder} cannot be written", "chown it to this user")
    return Finding("disk", Health.OK, found)


def check_clock(_: Settings) -> Finding:
    """Whether a time service keeps the clock: ring times are compared with the PBX's."""
    libc = ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True)
    # struct timex: modes (int), then longs; status is the fifth field after offset, freq,
    # maxerror and esterror. 256 bytes hold every layout.
    buffer = (ctypes.c_long * 32)()
    if libc.adjtimex(ctypes.byref(buffer)) < 0:
        return Finding("clock", Health.WARN, "the kernel does not tell whether it is kept")
    status = ctypes.cast(buffer, ctypes.POINTER(ctypes.c_int))[10]
    if status & _STA_UNSYNC:
        return Finding(
            "clock",
            Health.WARN,
            "no time service keeps this clock",
            "install chrony and point it at the site's time server",
        )
    return Finding("clock", Health.OK, "kept by a time service")


def check_limits(_: Settings) -> Finding:
    """Open files that this user may have, against what one tap process needs."""
    from telephony.build import find_build

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 256 + _FILES_A_CALL * find_build().max_calls // 2
    if soft >= wanted:
        return Finding("limits", Health.OK, f"{soft} open files, {wanted} wanted")
    health = Health.WARN if hard >= wanted else Health.FAIL
    return Finding(
        "limits",
        health,
        f"{soft} open files, {wanted} wanted",
        f"set LimitNOFILE={wanted} in the service's unit, or `ulimit -n {wanted}`",
    )


CHECKS: dict[str, Callable[[Settings], Finding]] = {
    "python": check_python,
    "model": check_model,
    "phrases and rules": check_phrases_and_rules,
    "tap": check_tap,
    "ports": check_ports,
    "disk": check_disk,
    "clock": check_clock,
    "limits": check_limits,
}


def _port_is_free(kind: str, host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM if kind == "UDP" else socket.SOCK_STREAM) as probe:
        if kind == "TCP":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise SanshengError(
                f"cannot listen on {host}:{port} ({error.strerror})",
                remedy="set an address of this machine in sansheng.toml",
            ) from error
    return True
