"""A hotline's Asterisk that records its own calls, for ``sansheng import asterisk``.

The number that is called says what happens: form, way in and agent, as 1-2-1003. The forms are
those that MixMonitor of Asterisk 16 has; the ways are those by which a hotline reaches its agents.
"""

from collections.abc import Mapping

from tests.peers.asterisk_files import SAMPLE_CEL, endpoint, udp_transport

MODULES = (
    "app_mixmonitor",
    "cdr_csv",
    "codec_gsm",
    "format_gsm",
    "format_wav_gsm",
    "func_strings",
    "res_pjsip_endpoint_identifier_ip",
)
FORMS = {
    "1": ("${UNIQUEID}.wav", "r(${UNIQUEID}-r.wav)t(${UNIQUEID}-t.wav)S"),
    "2": ("${UNIQUEID}.wav", ""),
    "3": ("${UNIQUEID}.WAV", "b"),
    "4": ("", "br(${UNIQUEID}-r.alaw)t(${UNIQUEID}-t.alaw)S"),
    "5": ("q-600-${CALLERID(num)}-${UNIQUEID}.wav", "r({home}/spool/${UNIQUEID}-in.wav)"
          "t({home}/spool/${UNIQUEID}-out.wav)S"),
}  # fmt: skip
"""Pair, mono, mono of GSM only while bridged, pair alone in A-law, pair by whole path."""
_RECORD = "\n".join(
    f"exten = record{form},1,MixMonitor({name},{options})\n same = n,Return()"
    for form, (name, options) in FORMS.items()
)


def configuration(sip_port: int, phones: Mapping[str, int]) -> dict[str, str]:
    """Configuration files by name; ``phones`` are extensions with their telephones' ports."""
    agents = "".join(
        f"[{name}]\ntype = aor\ncontact = sip:{name}@127.0.0.1:{port}\n"
        + endpoint(name, f"aors = {name}")
        for name, port in phones.items()
    )
    queues = "".join(
        f"[{kind}{name}]\nstrategy = linear\ntimeout = 3\nretry = 1\nringinuse = yes\n"
        f"musicclass = default\nmember = {member}\n"
        for name in phones
        for kind, member in (
            ("direct", f"PJSIP/{name}"),
            ("local", f"Local/{name}@agents/n,0,Agent {name}"),
            ("pair", f"PJSIP/{name}\nmember = PJSIP/{int(name) + 1},1"),
        )
    )
    return {
        "pjsip.conf": udp_transport(sip_port) + endpoint("anonymous") + agents,
        "queues.conf": f"[general]\n{queues}",
        "extensions.conf": f"""[hotline]
exten = _X1XXXX,1,Gosub(record,record${{EXTEN:0:1}},1)
 same = n,Dial(PJSIP/${{EXTEN:2}},3,tT)
 same = n,Hangup()
exten = _X2XXXX,1,Answer()
 same = n,Gosub(record,record${{EXTEN:0:1}},1)
 same = n,Queue(direct${{EXTEN:2}},tT,,,10)
 same = n,Hangup()
exten = _X3XXXX,1,Answer()
 same = n,Gosub(record,record${{EXTEN:0:1}},1)
 same = n,Queue(local${{EXTEN:2}},tT,,,10)
 same = n,Hangup()
exten = _X4XXXX,1,Answer()
 same = n,Gosub(record,record${{EXTEN:0:1}},1)
 same = n,Queue(pair${{EXTEN:2}},tT,,,20)
 same = n,Hangup()
exten = _X5XXXX,1,Gosub(record,record${{EXTEN:0:1}},1)
 same = n,Dial(PJSIP/${{EXTEN:2}}&PJSIP/$[${{EXTEN:2}}+1],10,tT)
 same = n,Hangup()
exten = _X6XXXX,1,Answer()
 same = n,Playback(pbx-transfer)
 same = n,Gosub(record,record${{EXTEN:0:1}},1)
 same = n,Dial(PJSIP/${{EXTEN:2}},10,tT)
 same = n,Hangup()
exten = _XXXX,1,Dial(PJSIP/${{EXTEN}},10,tT)
 same = n,Hangup()
[agents]
exten = _XXXX,1,Dial(PJSIP/${{EXTEN}},10,tT)
 same = n,Hangup()
[record]
{_RECORD}
""",
        "cdr.conf": "[general]\nenable = yes\n[csv]\nusegmtime = yes\nloguniqueid = yes\n"
        "loguserfield = yes\n",
        "cel.conf": "[general]\nenable = yes\napps = dial,queue\nevents = ALL\n",
        "cel_custom.conf": f"[mappings]\nMaster.csv => {SAMPLE_CEL}\n",
        "logger.conf": "[general]\ndateformat = %F %T.%3q\n[logfiles]\n"
        "console = warning,error\nfull = notice,warning,error,verbose\n",
    }
