"""Four of the scripted calls over real SIP and RTP: the tap sees what the script says happened."""

import contextlib
from functools import partial
from pathlib import Path

import pytest

from calls.call import EndedBy
from sansheng.demo import AGENTS, DemoCall, Site, Step, Telephones, find_ports, running_site
from sansheng.settings import load
from tests.sansheng.scripted import scripts, wanted
from tests.telephony.conftest import Lateness, until
from voices.render import render
from voices.script import Script
from warehouse.calls import load_call
from warehouse.query import run
from warehouse.store import StoredCall

pytestmark = [pytest.mark.sip, pytest.mark.model, pytest.mark.voices]

ROUNDS = (("dont_know", "busy"), ("abusive", "off_duty"))
"""The demo's hotline has two agents: two calls at a time."""
TALK_S = 120
LATE_S = 180
"""Four analyses on a busy machine."""
RING_MS = 50


def test_scripted_calls_over_sip_are_judged_as_scripted(tmp_path: Path) -> None:
    by_name = {script.name: script for script in scripts()}
    watch = Lateness()
    ports = find_ports()
    with running_site(tmp_path, ports) as site:
        for names in ROUNDS:
            calls = [
                spoken(by_name[name], slot, tmp_path / "voices" / name)
                for slot, name in zip(AGENTS, names, strict=True)
            ]
            with contextlib.ExitStack() as telephones:
                for call in calls:
                    line = Telephones(call, tmp_path, ports)
                    telephones.enter_context(contextlib.closing(line))
                until(partial(all_over, calls), TALK_S)
        until(lambda: len(stored_calls(site)) == 4, LATE_S)
        judged = stored_calls(site)
    late_ms = watch.worst_ms()
    watch.stop()
    for place, names in enumerate(ROUNDS):
        pair = {stored.call.agent: stored for stored in judged[2 * place : 2 * place + 2]}
        for slot, name in zip(AGENTS, names, strict=True):
            check(by_name[name], pair[AGENTS[slot]], late_ms)


def spoken(script: Script, slot: str, folder: Path) -> DemoCall:
    """The script's two voices, for one of the demo's two lines."""
    return DemoCall(slot, render(script, folder), folder)


def all_over(calls: list[DemoCall]) -> bool:
    return all(call.step is Step.ANALYSING for call in calls)


def stored_calls(site: Site) -> list[StoredCall]:
    """The calls in the warehouse, in order of time."""
    settings = load(site.config)
    path, socket = settings.database, settings.socket
    found = run("SELECT call_id FROM v_calls ORDER BY invited_at", path=path, socket=socket)
    return [load_call(str(call_id), path=path, socket=socket) for (call_id,) in found.rows]


def check(script: Script, stored: StoredCall, late_ms: float) -> None:
    assert stored.call.ring_ms is not None
    assert abs(stored.call.ring_ms - script.ring_ms) <= RING_MS + late_ms
    assert stored.call.ended_by is script.hangup is not EndedBy.UNKNOWN
    items = stored.analysis.scorecard.items
    assert {item.rule: item.status for item in items} == wanted(script), (
        script.name,
        [(item.rule, item.status, item.explanation) for item in items],
    )
