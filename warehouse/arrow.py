"""Many rows as Arrow columns: DuckDB copies them as they are, where a text it would have to parse.

The only importer of nanoarrow, whose columns are laid out after the Arrow columnar format 1.5.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import nanoarrow
import numpy as np

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)
_NUMBERS: Mapping[str, tuple[Any, type[Any]]] = {
    "INTEGER": (nanoarrow.int32(), np.int32),
    "BIGINT": (nanoarrow.int64(), np.int64),
    "DOUBLE": (nanoarrow.float64(), np.float64),
}


class Rows:
    """Rows of a table's columns, for any reader of the Arrow PyCapsule interface."""

    def __init__(self, kinds: Mapping[str, str], rows: Sequence[Sequence[object]]) -> None:
        """``kinds`` has the SQL type of each column by its name, in the order of the rows' values.

        Text may be ``str`` or UTF-8 bytes, a moment is an aware datetime. Errors: KeyError for a
        type that no table of the warehouse has; OverflowError for a number that its column cannot
        hold.
        """
        columns = [
            _column(kind, values)
            for kind, values in zip(kinds.values(), zip(*rows, strict=True), strict=True)
        ]
        self._array = nanoarrow.c_array_from_buffers(
            nanoarrow.struct(dict(zip(kinds, (schema for schema, _ in columns), strict=True))),
            len(rows),
            [None],
            children=[
                nanoarrow.c_array_from_buffers(schema, len(rows), buffers)
                for schema, buffers in columns
            ],
        )

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> Any:
        """The columns as a stream of one batch; each call gives a new one."""
        return nanoarrow.c_array_stream(self._array).__arrow_c_stream__(requested_schema)


def _column(kind: str, values: Sequence[Any]) -> tuple[Any, list[Any]]:
    """The Arrow type of a column and its buffers: which values there are, then the values."""
    there = _bits(value is not None for value in values) if None in values else None
    if kind == "VARCHAR":
        texts = [v.encode() if isinstance(v, str) else bytes(v or b"") for v in values]
        ends = np.zeros(len(texts) + 1, dtype=np.int64)
        np.cumsum(np.fromiter(map(len, texts), dtype=np.int64), out=ends[1:])
        return nanoarrow.large_string(), [there, ends, b"".join(texts)]
    if kind == "BOOLEAN":
        return nanoarrow.bool_(), [there, _bits(bool(value) for value in values)]
    if kind == "TIMESTAMP":
        ticks = [0 if moment is None else (moment - _EPOCH) // _TICK for moment in values]
        return nanoarrow.timestamp("us"), [there, np.array(ticks, dtype=np.int64)]
    schema, number = _NUMBERS[kind]
    return schema, [there, np.array([value or 0 for value in values], dtype=number)]


def _bits(values: Iterator[bool]) -> bytes:
    """A bit a value, the first in the lowest place."""
    return np.packbits(np.fromiter(values, dtype=np.bool_), bitorder="little").tobytes()
