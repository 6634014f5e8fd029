"""The metadata of an ONNX file, read without loading its weights.

A model tells its kind and its vocabulary there; sherpa-onnx ends the process when they are not
what it wants, so they are looked at first. Only the outermost message of the protobuf is read.
"""

from pathlib import Path
from typing import BinaryIO

from calls.errors import EngineError

_METADATA_FIELD = 14
"""``ModelProto.metadata_props`` (onnx.proto3): repeated key and value."""
_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5
"""Protobuf's wire types."""
_LONGEST_ENTRY = 1 << 20


def read_metadata(path: Path) -> dict[str, str]:
    """The keys and values that a model's maker wrote into its file.

    Errors: EngineError when the file is no ONNX model, or is torn.
    """
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            entries = {}
            while file.tell() < size:
                field, data = _next(file, size)
                if field == _METADATA_FIELD:
                    key, value = _entry(data)
                    entries[key] = value
            return entries
    except (OSError, ValueError) as error:
        raise EngineError(
            f"{path} is no ONNX model, or is torn", remedy="copy the model's folder again"
        ) from error


def _next(file: BinaryIO, size: int) -> tuple[int, bytes]:
    """A field's number, and its bytes where they are metadata; else they are passed over."""
    tag = _varint(file)
    field, wire = tag >> 3, tag & 7
    if wire == _VARINT:
        _varint(file)
        return field, b""
    length = {_EIGHT_BYTES: 8, _FOUR_BYTES: 4}.get(wire)
    if wire == _LENGTH:
        length = _varint(file)
    if length is None or field == 0 or file.tell() + length > size:
        raise ValueError("no protobuf")
    if field == _METADATA_FIELD and length <= _LONGEST_ENTRY:
        return field, file.read(length)
    file.seek(length, 1)
    return 0, b""


def _entry(data: bytes) -> tuple[str, str]:
    """A ``StringStringEntryProto``: key is its field 1, value its field 2."""
    parts = {1: "", 2: ""}
    at = 0
    while at < len(data):
        tag, at = _varint_in(data, at)
        length, at = _varint_in(data, at)
        parts[tag >> 3] = data[at : at + length].decode("utf-8")
        at += length
    return parts[1], parts[2]


def _varint(file: BinaryIO) -> int:
    """Protobuf's number: seven bits a byte, the lowest first."""
    read = bytearray()
    while True:
        byte = file.read(1)
        if not byte or len(read) > 9:
            raise ValueError("torn")
        read += byte
        if byte[0] < 0x80:
            return _varint_in(bytes(read), 0)[0]


def _varint_in(data: bytes, at: int) -> tuple[int, int]:
    """The number at an offset, and the offset after it."""
    value = 0
    for place, byte in enumerate(data[at:]):
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, at + place + 1
    raise ValueError("torn")
