"""Processes killed at random under load: no finished call is lost, each broken one is marked."""

import os
from pathlib import Path

import pytest

from calls.handover import Spool
from sansheng.bench.sipp import Ports
from sansheng.bench.soak import soak
from telephony.build import find_build
from telephony.settings import Destination, TapSettings
from telephony.supervisor import TapSupervisor
from tests.telephony.conftest import free_ports

pytestmark = [pytest.mark.sip, pytest.mark.pbx]

SOAK_S = int(os.environ.get("SANSHENG_SOAK_S", "45"))
"""CI's is short; ``sansheng bench tap --soak 600`` is ten minutes of the same."""


def test_kills_lose_no_finished_call_and_each_broken_one_is_marked(tmp_path: Path) -> None:
    children = 2 if find_build().name == "own" else 3
    first, agents, rtp, sipp_rtp, *citizens = free_ports(4 + children)
    settings = TapSettings(
        port=first,
        children=children,
        rtp_port=rtp & ~1,
        rtp_ports=100,
        drain_s=5,
        default_destination=Destination(uri=f"sip:{{called}}@127.0.0.1:{agents}"),
    )
    supervisor = TapSupervisor(settings, Spool(tmp_path / "spool"))
    ports = Ports(
        agents,
        tuple(citizens),
        tuple(range(first, first + children)),
        sipp_rtp & ~1,
    )
    supervisor.start()
    try:
        found = soak(tmp_path / "soak", SOAK_S, supervisor, ports)
    finally:
        supervisor.drain_and_stop()
    assert found.kills >= 3
    assert found.finished > 0
    assert found.broken > 0
    assert (found.lost, found.unmarked, found.open) == (0, 0, 0)
