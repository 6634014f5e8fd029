"""What the tests' Asterisk is configured with.

Its dialplan is a hotline's:

- 88908890 from the trunk goes to the tap, which calls 1001 back through Asterisk;
- 88908891 does the same from a queue with music;
- 88908895 rings 1001 without the tap, and tells the SIP Call-ID of its caller's leg in its events;
- 88908896 does the same from a queue with music;
- 1001 and 1002 ring the agents' telephones;
- 88908893 goes to the extension ``8800``, which the tap registers as; 1001 is then called by
  that extension, with its password; while it is not registered 1002 is called;
- 88908894 goes to the tap, which asks for a password, as user ``pbx``;
- 88908892 goes to the tap with the bypass route that ``docs/attach-asterisk.md`` gives, to 1002.
"""

from collections.abc import Mapping
from pathlib import Path

from sansheng.bench.asterisk import main_file

SECRET = "not-a-secret-but-a-test"
"""Password of the manager, of the extension 8800, and of the PBX itself at the tap."""

MODULES = [
    "res_timing_timerfd",
    "res_sorcery_config",
    "res_sorcery_memory",
    "res_sorcery_astdb",
    "res_pjproject",
    "res_pjsip",
    "res_pjsip_session",
    "res_pjsip_sdp_rtp",
    "res_pjsip_caller_id",
    "res_pjsip_dtmf_info",
    "res_pjsip_rfc3326",
    "res_pjsip_authenticator_digest",
    "res_pjsip_registrar",
    "res_pjsip_nat",
    "res_pjsip_refer",
    "res_pjsip_endpoint_identifier_anonymous",
    "res_pjsip_endpoint_identifier_user",
    "res_pjsip_outbound_authenticator_digest",
    "res_pjsip_header_funcs",
    "res_rtp_asterisk",
    "res_musiconhold",
    "chan_pjsip",
    "res_pjsip_pubsub",
    "app_dial",
    "app_queue",
    "app_playback",
    "app_stack",
    "app_verbose",
    "bridge_simple",
    "bridge_holding",
    "bridge_builtin_features",
    "bridge_softmix",
    "codec_alaw",
    "codec_ulaw",
    "codec_resample",
    "format_wav",
    "format_sln",
    "format_pcm",
    "pbx_config",
    "func_channel",
    "func_callerid",
    "func_cdr",
    "func_hangupcause",
    "func_strings",
    "cdr_custom",
    "cel_custom",
]


SAMPLE_CEL = ",".join(
    f"${{CSV_QUOTE(${{{name}}})}}"
    for name in (
        "eventtype",
        "eventtime",
        "CALLERID(name)",
        "CALLERID(num)",
        "CALLERID(ANI)",
        "CALLERID(RDNIS)",
        "CALLERID(DNID)",
        "CHANNEL(exten)",
        "CHANNEL(context)",
        "CHANNEL(channame)",
        "CHANNEL(appname)",
        "CHANNEL(appdata)",
        "CHANNEL(amaflags)",
        "CHANNEL(accountcode)",
        "CHANNEL(uniqueid)",
        "CHANNEL(linkedid)",
        "BRIDGEPEER",
        "CHANNEL(userfield)",
        "userdeftype",
        "eventextra",
    )
)
"""The line of the sample ``cel_custom.conf`` that comes with Asterisk."""


def udp_transport(sip_port: int) -> str:
    """The beginning of ``pjsip.conf``: a UDP port of loopback, and timers that give up early."""
    return f"""[system]
type = system
timer_t1 = 100
timer_b = 6400
[udp]
type = transport
protocol = udp
bind = 127.0.0.1:{sip_port}
"""


def endpoint(name: str, *more: str) -> str:
    """A section of ``pjsip.conf``: an endpoint of the hotline that speaks A-law alone."""
    return "\n".join(
        (
            *(f"[{name}]", "type = endpoint", "context = hotline", "disallow = all"),
            *("allow = alaw", "direct_media = no", *more, ""),
        )
    )


def hotline_files(
    root: Path,
    home: Path,
    sip_port: int,
    ami_port: int,
    rtp_port: int,
    tap_port: int,
    phones: Mapping[str, int],
) -> dict[str, str]:
    loads = "\n".join(f"load = {name}.so" for name in MODULES)
    agents = "\n".join(
        f"exten = {name},1,Dial(PJSIP/phone/sip:{name}@127.0.0.1:{port},30,t)\n same = n,Hangup()"
        for name, port in phones.items()
    )
    return {
        "asterisk.conf": main_file(root, home, verbose=3),
        "modules.conf": f"[modules]\nautoload = no\n{loads}\n",
        "logger.conf": "[logfiles]\nconsole = warning,error,verbose\n",
        "rtp.conf": f"[general]\nrtpstart = {rtp_port}\nrtpend = {rtp_port + 400}\n",
        "manager.conf": f"""[general]
enabled = yes
bindaddr = 127.0.0.1
port = {ami_port}
timestampevents = yes
channelvars = SIPCALLID
[tests]
secret = {SECRET}
read = all
write = all
""",
        "musiconhold.conf": f"[default]\nmode = files\ndirectory = {home}/moh\n",
        "pjsip.conf": udp_transport(sip_port)
        + endpoint("anonymous", "moh_passthrough = yes")
        + endpoint("phone", "moh_passthrough = yes")
        + f"""[8800]
type = auth
auth_type = userpass
username = 8800
password = {SECRET}
[8800]
type = aor
max_contacts = 1
minimum_expiration = 10
[pbx]
type = auth
auth_type = userpass
username = pbx
password = {SECRET}
"""
        + endpoint("8800", "trust_id_inbound = yes", "auth = 8800", "aors = 8800")
        + endpoint("trunk", "outbound_auth = pbx"),
        "features.conf": "[general]\n[featuremap]\natxfer => *2\n",
        "queues.conf": """[general]
[hotline]
strategy = ringall
timeout = 30
ringinuse = yes
musicclass = default
member = Local/tap@hotline/n
[agents]
strategy = ringall
timeout = 30
ringinuse = yes
musicclass = default
member = Local/1001@hotline/n
""",
        "extensions.conf": f"""[hotline]
exten = 88908895,1,Set(SIPCALLID=${{CHANNEL(pjsip,call-id)}})
 same = n,Set(CHANNEL(userfield)=${{SIPCALLID}})
 same = n,Goto(1001,1)
exten = 88908896,1,Set(SIPCALLID=${{CHANNEL(pjsip,call-id)}})
 same = n,Set(CHANNEL(userfield)=${{SIPCALLID}})
 same = n,Answer()
 same = n,Queue(agents,,,,30)
 same = n,Hangup()
exten = 88908890,1,Dial(PJSIP/phone/sip:88908890@127.0.0.1:{tap_port},60)
 same = n,Hangup()
exten = 88908891,1,Answer()
 same = n,Queue(hotline,,,,30)
 same = n,Hangup()
exten = 88908893,1,Dial(PJSIP/8800,60)
 same = n,GotoIf($["${{DIALSTATUS}}" = "CHANUNAVAIL"]?bypass)
 same = n,GotoIf($["${{DIALSTATUS}}" = "CONGESTION"]?bypass)
 same = n,Hangup()
 same = n(bypass),Goto(1002,1)
exten = 88908894,1,Dial(PJSIP/trunk/sip:88908890@127.0.0.1:{tap_port},60)
 same = n,Hangup()
exten = tap,1,Dial(PJSIP/phone/sip:88908890@127.0.0.1:{tap_port},60)
exten = 88908892,1,Dial(PJSIP/phone/sip:88908890@127.0.0.1:{tap_port},60)
 same = n,GotoIf($["${{DIALSTATUS}}" = "CHANUNAVAIL"]?bypass)
 same = n,GotoIf($["${{DIALSTATUS}}" = "CONGESTION"]?bypass)
 same = n,Hangup()
 same = n(bypass),Goto(1002,1)
{agents}
""",
        "cdr.conf": "[general]\nenable = yes\nunanswered = yes\n",
        "cdr_custom.conf": """[mappings]
Master.csv => "${CDR(channel)}","${CDR(dstchannel)}","${CDR(dst)}","${CDR(start,u)}",\
"${CDR(answer,u)}","${CDR(end,u)}","${CDR(disposition)}","${CDR(linkedid)}"
""",
        "cel.conf": """[general]
enable = yes
apps = dial,queue
events = ALL
dateformat = %s.%6q
""",
        "cel_custom.conf": """[mappings]
Master.csv => "${eventtype}","${eventtime}","${CHANNEL(name)}","${CHANNEL(exten)}",\
"${CHANNEL(linkedid)}","${CHANNEL(uniqueid)}","${eventextra}"
"""
        + f"Sample.csv => {SAMPLE_CEL}\n",
    }
