"""What keeps a probe from becoming a nuisance: named targets, one call at a time, so many an hour.

The calls placed are written down before they are placed, in a file that all probes of a site share
and lock, so that neither two terminals nor a restart get round the cap.
"""

import fcntl
import re
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TextIO

from calls.errors import TapError
from telephony.probe.settings import ProbeSettings

_HOUR_S = 3600
_URI = re.compile(
    r"(sip:([A-Za-z0-9._+*#-]{1,64})@[A-Za-z0-9.-]{1,253}(?::\d{1,5})?)(?:;transport=(?:udp|tcp))?"
)


def number_of(target: str, settings: ProbeSettings) -> str:
    """The number that a permitted target calls.

    Errors: TapError when it is no SIP URI, or not among the configured targets.
    """
    found = _URI.fullmatch(target)
    if found is None:
        raise TapError("the target is no SIP URI", remedy="write it as sip:NUMBER@HOST[:PORT]")
    if not settings.targets:
        raise TapError(
            "no target may be called",
            remedy="list those that may in [telephony.probe] targets of sansheng.toml",
        )
    if not any(fnmatchcase(found[1].lower(), known.lower()) for known in settings.targets):
        raise TapError(
            "that target may not be called",
            remedy="[telephony.probe] targets of sansheng.toml lists those that may",
        )
    return found[2]


def check_pace(times: int, every_s: float, settings: ProbeSettings) -> None:
    """Whether a plan keeps to the limits. Errors: TapError."""
    if times > 1 and every_s < settings.interval_s:
        raise TapError(
            f"a call every {every_s:g} s is more than the limit of one in {settings.interval_s} s",
            remedy="a longer --every, or [telephony.probe] interval_s",
        )
    a_hour = min(times, int(_HOUR_S / every_s) + 1) if times > 1 else 1
    if a_hour > settings.calls_an_hour:
        raise TapError(
            f"{a_hour} calls in an hour are more than the limit of {settings.calls_an_hour}",
            remedy="a longer --every, or [telephony.probe] calls_an_hour",
        )


class Ledger:
    """When calls were placed in the last hour."""

    def __init__(self, path: Path, settings: ProbeSettings) -> None:
        self._path = path
        self._settings = settings

    @contextmanager
    def admit(self, now_s: float) -> Iterator[None]:
        """Write a call down and hold the line for as long as it lasts.

        ``now_s`` is the wall clock in seconds of the epoch. Errors: TapError when another probe's
        call is under way, or there were too many of late.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = self._path.open("a+")
        except OSError as error:
            raise TapError(
                f"{self._path} cannot be written ({error.strerror})",
                remedy="run the probe as the service's user",
            ) from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise TapError(
                    "another probe's call is under way", remedy="wait for its end"
                ) from error
            times = [each for each in _read(file) if now_s - _HOUR_S < each <= now_s]
            self._check(times, now_s)
            file.truncate(0)
            file.writelines(f"{each:.3f}\n" for each in [*times, now_s])
            file.flush()
            yield

    def _check(self, times: list[float], now_s: float) -> None:
        waits = [times[-1] + self._settings.interval_s - now_s] if times else [0.0]
        if len(times) >= self._settings.calls_an_hour:
            waits.append(times[-self._settings.calls_an_hour] + _HOUR_S - now_s)
        if (wait := max(waits)) > 0:
            raise TapError(
                f"too many probe calls of late ({len(times)} in the last hour)",
                remedy=f"the next may be placed in {int(wait) + 1} s",
            )


def _read(file: TextIO) -> list[float]:
    file.seek(0)
    times = []
    for line in file:
        try:
            times.append(float(line))
        except ValueError:
            continue
    return sorted(times)
