"""Records to JSON and back, with a schema version in every file.

Unknown keys are welcome (other tools add theirs); a newer schema, a missing key or a value of the
wrong kind is a HandoverError that names the file and the place in it.
"""

import os
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from calls.errors import HandoverError

SCHEMA = 1
"""Version of the records' JSON form. A reader takes this and every lower one."""

_LINE = b'{"schema":%d,' % SCHEMA
_PAGE = b'{\n "schema": %d,\n' % SCHEMA
"""How ``to_line`` and ``to_json`` begin: such a record need not be read twice."""

T = TypeVar("T")


def to_json(record: Any) -> bytes:
    """The record as one JSON object (UTF-8), ``schema`` first."""
    body: dict[str, Any] = msgspec.to_builtins(record)
    return msgspec.json.format(msgspec.json.encode({"schema": SCHEMA, **body}), indent=1)


def to_line(record: Any) -> bytes:
    """What ``to_json`` gives, on one line: for stores that hold millions of records."""
    return _LINE + msgspec.json.encode(record)[1:]


def from_json(data: bytes, kind: type[T], *, name: str = "record") -> T:
    """Read a record of ``kind``; ``name`` is what the error calls the data.

    A JSON without ``schema`` is taken as version 1: other tools write ``call.json`` too.
    """
    try:
        schema = (
            SCHEMA
            if data.startswith((_LINE, _PAGE))
            else msgspec.json.decode(data, type=_Head).schema
        )
        if schema > SCHEMA:
            raise HandoverError(
                f"{name} has schema {schema}, this Sansheng reads up to {SCHEMA}",
                remedy="upgrade Sansheng on this machine",
            )
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        raise HandoverError(
            f"{name} is not a {kind.__name__}: {_place(error)}",
            remedy="see docs/formats.md for the keys",
        ) from error
    except msgspec.DecodeError as error:
        raise HandoverError(
            f"{name} is broken JSON", remedy="have it written again by the tool that made it"
        ) from error


def read_record(path: Path, kind: type[T]) -> T:
    """Read a record from a file."""
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise HandoverError(f"{path} does not exist", remedy="check the path") from error
    except OSError as error:
        raise HandoverError(f"{path} cannot be read ({error.strerror})") from error
    return from_json(data, kind, name=str(path))


def write_record(path: Path, record: Any) -> None:
    """Write a record so that a reader sees the whole of it or nothing (temporary name, fsync)."""
    write_bytes(path, to_json(record))


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file under a temporary name, fsync it and rename it into place."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise HandoverError(
            f"cannot write {path} ({error.strerror})", remedy="free space on the disk, then go on"
        ) from error


def sync_folder(folder: Path) -> None:
    """Make a rename in this folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class _Head(msgspec.Struct):
    schema: int = 1


def _place(error: msgspec.ValidationError) -> str:
    """The validator's message without the value it quotes: a value may be speech or a number."""
    text = str(error)
    where = text.rsplit(" - at ", 1)
    reason = where[0].split(", got ")[0]
    return f"{reason} at {where[1]}" if len(where) == 2 else reason
