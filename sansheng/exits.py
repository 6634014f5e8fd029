"""Exit codes of every command, so that scripts can tell what happened."""

from enum import IntEnum


class Exit(IntEnum):
    """What a command ended with."""

    OK = 0
    FAILED = 1
    """The work was understood and could not be done (a service down, a check failed)."""
    BAD_INPUT = 2
    """What was given cannot be used: a broken recording, file, option or query."""
    INTERRUPTED = 130
    """Stopped by Ctrl-C."""
