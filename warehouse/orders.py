"""Work on the warehouse that its owner does: asked of the running service, else done here.

The socket is readable by the service's user only, which is who may give orders.
"""

import json
import socket as sockets
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from calls.errors import WarehouseError
from warehouse.settings import WarehouseSettings
from warehouse.store import Warehouse

_TIMEOUT_S = 3600.0
"""Long enough for a backup of years of recordings."""


def give(order: str, what: Mapping[str, Any], *, path: Path, socket: Path | None) -> dict[str, Any]:
    """Have an order done and return its result; WarehouseError as the owner raised it."""
    if socket is not None and socket.is_socket():
        answer = _ask({"order": order, "what": dict(what)}, socket)
        if answer is not None:
            if "error" in answer:
                raise WarehouseError(answer["error"], remedy=answer.get("remedy", ""))
            return answer
    if not path.is_file():
        raise WarehouseError(f"there is no warehouse {path}", remedy="run `sansheng serve` first")
    warehouse = Warehouse.open(path)
    try:
        return obey(warehouse, order, what)
    finally:
        warehouse.close()


def obey(warehouse: Warehouse, order: str, what: Mapping[str, Any]) -> dict[str, Any]:
    """Do an order on the open warehouse."""
    made: Any
    match order:
        case "erase":
            made = warehouse.erase(what["number"], what["actor"], what["reason"])
        case "proofs":
            made = {"erasures": warehouse.proofs(what["number"])}
        case "hold":
            warehouse.hold(what["call_id"], what["actor"], what["reason"])
            made = {}
        case "release":
            warehouse.release(what["call_id"], what["actor"])
            made = {}
        case "retain":
            made = warehouse.retain(WarehouseSettings.model_validate(what["periods"]))
        case "backup":
            made = warehouse.backup(Path(what["folder"]))
        case "export":
            first, last = date.fromisoformat(what["since"]), date.fromisoformat(what["until"])
            folder, rows = warehouse.export(
                what["name"], first, last, what["actor"], unmasked=bool(what["unmasked"])
            )
            made = {"folder": str(folder), "rows": rows}
        case "note":
            seq = warehouse.audit(what["actor"], what["action"], "", what["detail"])
            made = {"audit_seq": seq}
        case _:
            raise WarehouseError("the order was not understood", remedy="upgrade the service")
    answer: dict[str, Any] = msgspec.to_builtins(made)
    return answer


def _ask(asked: dict[str, Any], socket: Path) -> dict[str, Any] | None:
    """The service's answer; None when nobody listens (a socket left by a kill)."""
    with sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM) as line:
        line.settimeout(_TIMEOUT_S)
        try:
            line.connect(str(socket))
        except (ConnectionRefusedError, FileNotFoundError):
            return None
        line.sendall(json.dumps(asked).encode() + b"\n")
        file: BinaryIO
        with line.makefile("rb") as file:
            try:
                answer: dict[str, Any] = json.loads(file.readline())
            except (OSError, ValueError) as error:
                raise WarehouseError(
                    "the service did not answer", remedy="look whether it still runs"
                ) from error
    return answer
