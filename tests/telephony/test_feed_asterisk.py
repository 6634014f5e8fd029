"""A SIPREC session of a call through a real Asterisk, completed by what Asterisk tells of it.

caller's telephone → Asterisk → agent's telephone, and a recording client beside them.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from calls.call import EndedBy, Mode, Signalling
from telephony.feed.settings import AmiSettings, FeedSettings
from telephony.siprec.settings import SiprecSettings
from tests.peers import asterisk
from tests.peers.asterisk_files import SECRET
from tests.telephony.conftest import Lateness, Phone, Tap, free_ports, until

pytestmark = [
    pytest.mark.pbx,
    pytest.mark.sip,
    pytest.mark.skipif(
        not asterisk.is_installed() and not os.environ.get("CI"),
        reason="needs Asterisk: make peers",
    ),
]

CLIENT = Path(__file__).parents[1] / "peers" / "recording_client.py"
METADATA = """<rec:recording xmlns:rec="urn:ietf:params:xml:ns:recording:1">
<rec:participant participant_id="A"><rec:nameID aor="sip:8012@agents.example"/></rec:participant>
<rec:participant participant_id="C"><rec:nameID aor="13900000000@trunk.example"/></rec:participant>
<rec:stream stream_id="sa"><rec:label>1</rec:label></rec:stream>
<rec:stream stream_id="sc"><rec:label>2</rec:label></rec:stream>
<rec:participantstreamassoc participant_id="A"><rec:send>sa</rec:send></rec:participantstreamassoc>
<rec:participantstreamassoc participant_id="C"><rec:send>sc</rec:send></rec:participantstreamassoc>
<x:callid xmlns:x="urn:example">CALL-ID</x:callid></rec:recording>"""
WINDOW_S = 30
"""The client is started by hand here, seconds after the answer; a PBX's own is not."""
TOLERANCE_MS = 50


@pytest.mark.parametrize(
    ("source", "who", "ended_by", "number"),
    [
        ("manager", "caller", EndedBy.CALLER, "88908895"),
        ("manager", "agent", EndedBy.AGENT, "88908896"),
        ("cel", "agent", EndedBy.AGENT, "88908895"),
    ],
    ids=["manager", "manager, from a queue", "cel"],
)
def test_asterisk_completes_a_siprec_call(
    tap_of: Callable[..., Tap],
    phones: Callable[..., Phone],
    speech: Callable[[int, float], Path],
    lateness: Lateness,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    who: str,
    ended_by: EndedBy,
    number: str,
) -> None:
    monkeypatch.setenv("SANSHENG_AMI_SECRET", SECRET)
    sip, ami, rtp, agent_port, client_port, client_rtp = free_ports(6)
    with asterisk.running(
        sip_port=sip,
        ami_port=ami,
        rtp_port=min(rtp, 60_000),
        tap_port=9,
        phones={"1001": agent_port},
    ) as pbx:
        cel = str(pbx.home / "log/cel-custom/Sample.csv")
        manager = AmiSettings(host="127.0.0.1", port=ami, user="tests")
        feeds = {
            "manager": FeedSettings(ami=manager, window_s=WINDOW_S, wait_s=2),
            "cel": FeedSettings(cel_file=cel, window_s=WINDOW_S, wait_s=2),
        }
        tap = tap_of(siprec=SiprecSettings(agent_domains=("agents.example",)), feed=feeds[source])
        if source == "manager":
            until(lambda: (health := tap.supervisor.feed_health()) and health.manager)
        ends: dict[str, dict[str, bool]] = {"caller": {}, "agent": {}}
        ends[who] = {"hang_up_after_playing": True}
        talk = str(speech(1, 3))
        agent = phones(port=agent_port, ring_ms=1500, play=talk, **ends["agent"])
        caller = phones(
            user="13900000000",
            call=f"sip:{number}@127.0.0.1:{sip}",
            play=talk,
            **ends["caller"],
        )
        # The queue answers its caller before it rings the agent.
        [answer] = until(
            lambda: (
                agent.told("answered")
                and pbx.named("Newstate", ChannelStateDesc="Up", ChanVariable="SIPCALLID=.+")[:1]
            )
        )
        call_id = answer["ChanVariable"].partition("=")[2]
        script = tmp_path / "client.json"
        script.write_text(
            json.dumps(
                {
                    "port": client_port,
                    "rtp_port": min(client_rtp & ~1, 60_000),
                    "call": tap.uri,
                    "streams": [{"label": "1", "play": talk}, {"label": "2", "play": talk}],
                    "metadata": METADATA.replace("CALL-ID", call_id),
                    "hang_up_ms": 3000,
                }
            )
        )
        client = Phone(
            subprocess.Popen([sys.executable, str(CLIENT), str(script)], stdout=subprocess.PIPE)
        )
        for phone in (client, caller, agent):
            phone.wait()
        [(call, _)] = tap.recorded()
    assert call.mode is Mode.SIPREC
    assert call.signalling is Signalling.FEED
    assert (call.caller, call.called, call.agent) == ("13900000000", number, "8012")
    assert call.ended_by is ended_by
    assert call.pbx_call_id == answer["Linkedid"]
    truth = (agent.at("answered") - agent.at("ringing")).total_seconds() * 1000
    # CEL has no ringing: its ring runs from the invitation, some milliseconds earlier.
    assert call.ring_ms == pytest.approx(truth, abs=TOLERANCE_MS + 2 * lateness.worst_ms())
    health = tap.supervisor.feed_health()
    assert health is not None
    assert (health.joined, health.unmatched, health.bad) == (1, 0, 0)
    assert health.events > 3
