"""Alerts to the addresses in the settings: signed JSON, and the robots of WeCom and DingTalk.

Nothing but a configured address is ever called: redirects are not followed, proxies not used.
"""

import base64
import hashlib
import hmac
import json
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.client import HTTPException
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

import structlog

from calls.errors import SanshengError
from portal.alerts import Alarms, Alert, Kind, address_key
from portal.clock import Clock
from portal.ports import Store
from portal.settings import PortalSettings, Webhook
from portal.words import words

log = structlog.get_logger()

WAITS_S = (1, 5, 30, 120, 600)
"""Waits before an alert is sent again; after the last one it is given up, and logged."""
_TIMEOUT_S = 5
_LONGEST_ANSWER = 4096
_LOOK_S = 5.0
_SETTLE_S = 0.2
"""Least time between two looks, however much is heard."""
_AGAIN = frozenset({408, 425, 429})


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow nothing: the answer is the redirect itself, which is an error."""


_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)


@dataclass(frozen=True, slots=True)
class _Letter:
    letter_id: int
    alert_id: int
    alert: Alert
    hook: Webhook
    tries: int


@dataclass
class Outbox:
    """The letters that wait in the warehouse; they outlive this process."""

    store: Store
    settings: PortalSettings
    clock: Clock

    def send(self) -> int:
        """Send what is due; returns how many still wait.

        A letter leaves the warehouse after it has been delivered: a kill between the two sends it
        again, and its ``id`` tells the receiver so.
        """
        now = self.clock()
        for letter in self._due(now):
            fault, again = self._post(letter)
            if not fault:
                log.info("alert sent", kind=letter.alert.kind, to=letter.hook.kind)
                self._drop(letter.letter_id)
            elif again and letter.tries < len(WAITS_S):
                wait = WAITS_S[letter.tries]
                log.warning("alert not sent", kind=letter.alert.kind, error=fault, again_in_s=wait)
                self._later(letter.letter_id, self.clock() + timedelta(seconds=wait))
            else:
                log.error("alert given up", kind=letter.alert.kind, reason=fault)
                self._drop(letter.letter_id)
        return int(self.store.rows("SELECT count(*) AS many FROM letters")[0]["many"])

    def _due(self, now: datetime) -> list[_Letter]:
        """The letters to send now; one whose address is no longer configured is dropped."""
        hooks = {address_key(hook): hook for hook in self.settings.webhooks}
        due: list[_Letter] = []
        for row in self.store.rows(
            "SELECT letter_id, alert_id, hook, tries, kind, subject, raised_at FROM letters"
            " JOIN alerts USING (alert_id) WHERE due_at <= $now ORDER BY letter_id",
            {"now": now},
        ):
            alert = Alert(kind=Kind(row["kind"]), subject=row["subject"], at=row["raised_at"])
            hook = hooks.get(row["hook"])
            if hook is None:
                log.error("alert given up", kind=alert.kind, reason="its address is gone")
                self._drop(row["letter_id"])
                continue
            due.append(_Letter(row["letter_id"], row["alert_id"], alert, hook, row["tries"]))
        return due

    def _drop(self, letter_id: int) -> None:
        sql, params = "DELETE FROM letters WHERE letter_id = $id", {"id": letter_id}
        self.store.write(lambda cursor: cursor.execute(sql, params))

    def _later(self, letter_id: int, due: datetime) -> None:
        sql = "UPDATE letters SET tries = tries + 1, due_at = $due WHERE letter_id = $id"
        params = {"id": letter_id, "due": due}
        self.store.write(lambda cursor: cursor.execute(sql, params))

    def _post(self, letter: _Letter) -> tuple[str, bool]:
        """What went wrong (empty: nothing), and whether to try again."""
        alert, hook = letter.alert, letter.hook
        text = words(self.settings.language)(f"alert.{alert.kind}", subject=alert.subject)
        asked = request(hook, alert, text, self.clock(), str(letter.alert_id))
        try:
            with _OPENER.open(asked, timeout=_TIMEOUT_S) as answer:
                body = answer.read(_LONGEST_ANSWER)
        except urllib.error.HTTPError as error:
            error.close()
            return f"HTTP {error.code}", error.code >= 500 or error.code in _AGAIN
        except (OSError, HTTPException) as error:
            return type(error).__name__, True
        if hook.kind != "json" and _errcode(body) != 0:
            return f"errcode {_errcode(body)}", True
        return "", False


def request(
    hook: Webhook, alert: Alert, text: str, now: datetime, alert_id: str
) -> urllib.request.Request:
    """The signed request that tells an alert to one address.

    ``json`` signs ``timestamp.body`` with HMAC-SHA256 into ``X-Sansheng-Signature``; DingTalk
    wants its own signature in the address; WeCom's key is part of its address.
    """
    secret = hook.secret.get_secret_value().encode()
    url, headers = hook.url.get_secret_value(), {"Content-Type": "application/json"}
    if hook.kind == "json":
        body = _json({**_fields(alert), "id": alert_id, "text": text})
        stamp = str(int(now.timestamp()))
        signed = hmac.new(secret, f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
        headers |= {"X-Sansheng-Timestamp": stamp, "X-Sansheng-Signature": f"sha256={signed}"}
    else:
        body = _json({"msgtype": "text", "text": {"content": text}})
    if hook.kind == "dingtalk" and secret:
        stamp = str(int(now.timestamp() * 1000))
        digest = hmac.new(secret, stamp.encode() + b"\n" + secret, hashlib.sha256).digest()
        sign = quote_plus(base64.b64encode(digest))
        url += ("&" if urlsplit(url).query else "?") + urlencode({"timestamp": stamp})
        url += f"&sign={sign}"
    return urllib.request.Request(url, data=body, headers=headers, method="POST")


def _fields(alert: Alert) -> dict[str, str]:
    return {"kind": alert.kind, "subject": alert.subject, "at": alert.at.isoformat()}


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True).encode()


def _errcode(body: bytes) -> int | None:
    try:
        answer = json.loads(body)
    except ValueError:
        return None
    code = answer.get("errcode") if isinstance(answer, dict) else None
    return code if isinstance(code, int) else None


class Watch:
    """Looks and sends in a thread of its own, so that no address can hold up a page."""

    def __init__(self, alarms: Alarms, outbox: Outbox) -> None:
        self._alarms, self._outbox = alarms, outbox
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self, within_s: float) -> None:
        """End; a request under way may take so long, and what waits is sent after a restart."""
        self._stop.set()
        self._alarms.live.fresh.set()
        self._thread.join(within_s)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._alarms.look(self._outbox.clock())
                self._outbox.send()
            except SanshengError as error:
                log.error("alerts could not look", error=type(error).__name__)
            self._alarms.live.fresh.wait(_LOOK_S)
            if self._alarms.live.fresh.is_set():
                self._stop.wait(_SETTLE_S)
