"""A leg that has ended has no part in the library's later calls, though its number comes again.

pjsua2's destructor hangs up whatever call then has the object's number. The library runs in a
process of its own and calls itself.
"""

import json
import subprocess
import sys

import pytest

from telephony.ports import free_ports

pytestmark = pytest.mark.sip

_LEGS = """
import gc, json, sys, time
from collections import deque

from calls.call import Channel
from telephony.clock import Clock
from telephony.leg import Leg
from telephony.library import listen_for_media, open_library, start_library, transport_config
from telephony.pjsip import call_parameters, pj

port = int(sys.argv[1])
clock, facts = Clock(), deque()


class Account(pj.Account):
    def onIncomingCall(self, prm):
        legs.append(Leg(self, Channel.AGENT, clock, facts, prm.callId))
        legs[-1].say(200)


def wait(until):
    deadline = time.monotonic() + 20
    while not until():
        assert time.monotonic() < deadline
        library.libHandleEvents(10)


library = open_library(max_calls=4)
library.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport_config("127.0.0.1", port))
start_library(library)
config = pj.AccountConfig()
config.idUri = f"sip:legs@127.0.0.1:{port}"
listen_for_media(config, "127.0.0.1", port + 1, 40)
account = Account()
account.create(config)
ended, numbers = [], []
for _ in range(3):
    legs = []
    caller = Leg(account, Channel.CALLER, clock, facts)
    caller.ring(f"sip:legs@127.0.0.1:{port}", call_parameters())
    numbers.append(caller.getId())
    wait(lambda: caller.audio() is not None and legs and legs[0].audio() is not None)
    if len(numbers) < 3:
        caller.end()
        wait(lambda: not caller.alive and not legs[0].alive)
        ended += [caller, *legs]
facts.clear()
del ended
gc.collect()
for _ in range(50):
    library.libHandleEvents(10)
print(json.dumps({"numbers": numbers, "alive": [caller.alive, legs[0].alive],
                  "facts": [fact.kind for fact in facts], "active": caller.isActive()}))
library.hangupAllCalls()
caller = legs = None
facts.clear()
account.shutdown()
account = None
gc.collect()
library.libDestroy()
"""


def test_an_ended_leg_that_goes_late_ends_no_other_call() -> None:
    port, *_ = free_ports(2)
    run = subprocess.run(
        [sys.executable, "-c", _LEGS, str(port)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout.splitlines()[-1])
    assert found["numbers"][2] == found["numbers"][0], "the number did not come again"
    assert found["alive"] == [True, True]
    assert found["active"]
    assert found["facts"] == []
