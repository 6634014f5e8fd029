"""FreeSWITCH's records: json_cdr and xml_cdr files, with ``RECORD_STEREO`` or mono recordings.

Written from FreeSWITCH's documentation of its channel variables; not tried on a live one.
"""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

from calls.call import Call, EndedBy, EndReason, Mode, Signalling
from calls.errors import ImportSourceError
from importer.audio import bring_in
from importer.folder import Recordings, measure
from importer.manifest import decode, left_of
from importer.settings import ImporterSettings
from importer.source import Item, call_id
from importer.times import from_epoch

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SUFFIXES = (".json", ".xml")
_SECOND = 1.0
_AGENT_KEYS = ("cc_agent", "dialed_user", "last_sent_callee_id_number", "destination_number")
_HUNG_UP = {"recv_bye": EndedBy.CALLER, "send_bye": EndedBy.AGENT}
"""sip_hangup_disposition of the caller's leg: who the BYE on it came from."""
_REASONS = {
    "USER_BUSY": EndReason.BUSY,
    "NO_ANSWER": EndReason.NO_ANSWER,
    "NO_USER_RESPONSE": EndReason.NO_ANSWER,
    "ORIGINATOR_CANCEL": EndReason.CANCEL,
    "CALL_REJECTED": EndReason.REJECTED,
}


class FreeswitchSource:
    """A folder of CDR files with a folder of recordings."""

    name = "freeswitch"

    def __init__(self, logs: Path, recordings: Path | None, settings: ImporterSettings) -> None:
        self._logs = logs
        self._recordings = Recordings(recordings or logs, UUID, left_of(settings.stereo))
        self._keep = settings.keep
        self._files: dict[str, Path] = {}

    def items(self) -> Iterator[Item]:
        """One item a caller's leg; the legs to agents are part of it."""
        paths = sorted(p for p in self._logs.rglob("*") if p.suffix in _SUFFIXES)
        if not paths:
            raise ImportSourceError(f"{self._logs} holds no .cdr.json or .cdr.xml file")
        for path in paths:
            try:
                variables = read_cdr(path)
                key = variables.get("uuid", "")
                at = _time(variables, "start")
            except ImportSourceError:
                variables, key, at = {}, "", None
            if variables.get("direction") == "outbound" and variables.get("originator"):
                continue
            key = key or f"file {path.name}"
            if key in self._files:
                continue
            self._files[key] = path
            size, changed = measure(self._recordings.files(key))
            changed = max(changed, measure([path])[1])
            yield Item(key=key, label=path.name, at=at, size=size, changed=changed)

    def read(self, item: Item, folder: Path) -> Call:
        """The call of one CDR file."""
        variables = read_cdr(self._files[item.key])
        started, ended = _time(variables, "start"), _time(variables, "end")
        if started is None or ended is None or not variables.get("uuid"):
            raise ImportSourceError(f"{item.label} lacks uuid, start_uepoch or end_uepoch")
        answered = _time(variables, "answer")
        ringing = _time(variables, "progress") or _time(variables, "progress_media")
        bridged = _time(variables, "bridge")
        times = [t for t in (started, answered, ended) if t is not None]
        if times != sorted(times):
            raise ImportSourceError(f"{item.label} has times that contradict each other")
        known = ringing is not None and (
            answered is None
            or (bridged is not None and abs((bridged - answered).total_seconds()) < _SECOND)
        )
        recording = None
        sides = self._recordings.sides(item.key) if answered is not None else None
        if sides is not None and answered is not None:
            talk_ms = round((ended - answered).total_seconds() * 1000)
            recording = bring_in(sides, folder, talk_ms=talk_ms, keep=self._keep)
        cause = variables.get("hangup_cause", "")
        return Call(
            call_id=call_id(self.name, item.key),
            mode=Mode.IMPORT,
            caller=variables.get("caller_id_number", ""),
            called=variables.get("destination_number", ""),
            agent=next((variables[key] for key in _AGENT_KEYS if variables.get(key)), ""),
            invited_at=started,
            ringing_at=ringing if known else None,
            answered_at=answered,
            ended_at=ended,
            ended_by=_HUNG_UP.get(variables.get("sip_hangup_disposition", ""), EndedBy.UNKNOWN)
            if answered
            else EndedBy.UNKNOWN,
            end_reason=EndReason.BYE if answered else _REASONS.get(cause, EndReason.LOST),
            recording=recording,
            signalling=Signalling.FEED if known else Signalling.NONE,
            pbx_call_id=item.key,
            source=self.name,
        )


def read_cdr(path: Path) -> dict[str, str]:
    """The channel variables of one CDR file, with the caller profile's numbers."""
    try:
        text = decode(path.read_bytes())
        return _from_json(text) if path.suffix == ".json" else _from_xml(text)
    except (OSError, ValueError, RecursionError, ElementTree.ParseError) as error:
        raise ImportSourceError(f"{path.name} is no FreeSWITCH CDR that can be read") from error


def _from_json(text: str) -> dict[str, str]:
    whole = json.loads(text)
    if not isinstance(whole, dict) or not isinstance(whole.get("variables"), dict):
        raise ValueError("no variables")
    variables = {str(k): unquote(str(v)) for k, v in whole["variables"].items()}
    flows = whole.get("callflow")
    first = flows[0] if isinstance(flows, list) and flows else flows
    profile = first.get("caller_profile", {}) if isinstance(first, dict) else {}
    for key in ("caller_id_number", "destination_number"):
        if isinstance(profile, dict) and profile.get(key):
            variables.setdefault(key, str(profile[key]))
    return variables


def _from_xml(text: str) -> dict[str, str]:
    if "<!" in text.replace("<![CDATA[", ""):
        raise ValueError("a document type in a CDR")
    root = ElementTree.fromstring(text)
    found = root.find("variables")
    if found is None:
        raise ValueError("no variables")
    variables = {node.tag: unquote(node.text or "") for node in found}
    for key in ("caller_id_number", "destination_number"):
        node = root.find(f"callflow/caller_profile/{key}")
        if node is not None and node.text:
            variables.setdefault(key, node.text)
    return variables


def _time(variables: dict[str, str], name: str) -> datetime | None:
    micros = variables.get(f"{name}_uepoch", "")
    if micros.isdecimal() and int(micros):
        return from_epoch(int(micros) / 1_000_000)
    seconds = variables.get(f"{name}_epoch", "")
    return from_epoch(int(seconds)) if seconds.isdecimal() and int(seconds) else None
