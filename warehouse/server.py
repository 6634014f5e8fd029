"""Answers queries and orders of other processes on a Unix socket: one process owns the file."""

import json
import socketserver
import threading
from pathlib import Path
from typing import Any

from calls.errors import SanshengError, WarehouseError
from warehouse.orders import obey
from warehouse.query import MAX_ROWS, TIMEOUT_S, answer, to_line
from warehouse.store import Warehouse

_LONGEST_QUERY = 1_000_000
_READ_S = 30


class QueryServer:
    """Listens on ``socket`` (readable by this user only) until ``stop``."""

    def __init__(self, warehouse: Warehouse, socket: Path) -> None:
        self._warehouse = warehouse
        self._path = socket
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to answer; a socket file left by a killed service is replaced."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.unlink(missing_ok=True)
            self._server = _Server(self._path, self._warehouse)
            self._path.chmod(0o600)
        except OSError as error:
            raise WarehouseError(
                f"cannot listen on {self._path} ({error.strerror})",
                remedy="set data_dir to a shorter path that this user may write",
            ) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and take the socket away."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._path.unlink(missing_ok=True)
            self._server = None


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, path: Path, warehouse: Warehouse) -> None:
        self.warehouse = warehouse
        super().__init__(str(path), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is its own affair."""


class _Handler(socketserver.StreamRequestHandler):
    timeout = _READ_S
    server: _Server

    def handle(self) -> None:
        """One query or order a connection: a JSON line in, a JSON line out."""
        try:
            asked = json.loads(self.rfile.readline(_LONGEST_QUERY))
            if "order" in asked:
                self._obey(str(asked["order"]), dict(asked["what"]))
                return
            sql = str(asked["sql"])
            max_rows = int(asked.get("max_rows", MAX_ROWS))
            timeout_s = float(asked.get("timeout_s", TIMEOUT_S))
        except (ValueError, KeyError, TypeError):
            self._refuse(WarehouseError("the query was not understood"))
            return
        try:
            with self.server.warehouse.cursor() as cursor:
                self.wfile.write(
                    to_line(answer(cursor, sql, max_rows=max_rows, timeout_s=timeout_s))
                )
        except SanshengError as error:
            self._refuse(error)

    def _obey(self, order: str, what: dict[str, Any]) -> None:
        try:
            done = obey(self.server.warehouse, order, what)
        except SanshengError as error:
            self._refuse(error)
            return
        self.wfile.write(json.dumps(done, ensure_ascii=False, default=str).encode() + b"\n")

    def _refuse(self, error: SanshengError) -> None:
        body = {"error": error.message, "remedy": error.remedy}
        self.wfile.write(json.dumps(body, ensure_ascii=False).encode() + b"\n")
