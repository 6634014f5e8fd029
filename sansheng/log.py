"""Structured logs on stderr: call ids, counts and states, never speech, numbers or names."""

import logging
import sys

import structlog

_FORBIDDEN = frozenset({"text", "heard", "phrase", "caller", "called", "prev", "spoken", "sql"})
"""Keys that would carry speech, a number or a name."""


def _refuse_private(
    _: object, __: str, event: structlog.types.EventDict
) -> structlog.types.EventDict:
    private = _FORBIDDEN & event.keys()
    if private:
        raise ValueError(f"a log line must not hold {', '.join(sorted(private))}")
    return event


def configure(*, verbose: bool = False) -> None:
    """Set up logging for a long-running process: JSON lines, or key=value on a terminal."""
    renderer: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if sys.stderr.isatty()
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _refuse_private,
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.DEBUG if verbose else logging.INFO
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
