"""The one exception family: every room raises these, so that a caller catches one base.

The message says what is wrong; ``remedy`` says what to do next. Neither ever holds speech, a
telephone number or a person's name (they reach logs and terminals).
"""


class SanshengError(Exception):
    """Base of every error that Sansheng raises on purpose."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}: {self.remedy}" if self.remedy else self.message


class SettingsError(SanshengError):
    """A settings file is wrong; the message names the file, the key and the nearest known key."""


class TapError(SanshengError):
    """The SIP tap cannot start or go on (port taken, registration refused, library limit)."""


class RecordingError(SanshengError):
    """A recording is missing, torn, empty or of a form that cannot be read."""


class EngineError(SanshengError):
    """The speech engine cannot do its work; ``retryable`` says whether trying again may help."""

    def __init__(self, message: str, *, remedy: str = "", retryable: bool = False) -> None:
        super().__init__(message, remedy=remedy)
        self.retryable = retryable


class PhrasebookError(SanshengError):
    """A phrasebook file is wrong; the message names the file, the line and the key."""


class RulesError(SanshengError):
    """A rules file is wrong; the message names the file, the line and the key."""


class WarehouseError(SanshengError):
    """The warehouse cannot be opened, migrated, written or asked."""


class HandoverError(SanshengError):
    """A hand-over folder or file is broken, or was written by a newer version."""


class ImportSourceError(SanshengError):
    """A source of past calls cannot be read at all (one bad call is quarantined instead)."""
