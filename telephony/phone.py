"""A scripted SIP telephone: ``python -m telephony.phone SCRIPT.json``.

It answers or places one call as its script says, plays a WAV, records what it hears, and tells
each event on stdout as a JSON line with both clocks. The demo's citizen and agent are such
phones; so are the peers of the tests.
"""

import gc
import signal
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from telephony.clock import Clock
from telephony.library import (
    listen_for_media,
    open_library,
    start_library,
    transport_config,
)
from telephony.pjsip import (
    SipLibraryError,
    call_parameters,
    encrypt_media,
    offer_tls,
    pj,
    reason_of,
)
from telephony.sip_text import holds
from telephony.talk import Talk

_STEP_MS = 5
_BUSY, _DECLINE, _RINGING, _PROGRESS, _OK = 486, 603, 180, 183, 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What the phone does; times are milliseconds."""

    port: Annotated[int, Meta(ge=1, le=65535)]
    """UDP port on 127.0.0.1."""
    rtp_port: int = 30000
    tls_port: int = 0
    """TLS port on 127.0.0.1; 0: no TLS. Needs our own PJSIP build."""
    certificate: str = ""
    key: str = ""
    ca: str = ""
    """PEM files: its certificate, that one's key, and who may sign the other side's."""
    srtp: Literal["off", "optional", "required"] = "off"
    user: str = "1001"
    """The user part of its own address: the number that its calls come from."""
    auth_user: str = ""
    """User name of its digest; empty: user."""
    password: str = ""
    """What it answers a challenge with; empty: it gives up at a 401."""
    call: str = ""
    """SIP URI to call; empty: wait for a call."""
    reaction: Literal["answer", "busy", "reject", "ignore"] = "answer"
    """What it does with a call; ``ignore`` rings on for ever."""
    ring_ms: int = 500
    """From its 180 to its 200, or to its refusal."""
    early_media: bool = False
    """Send 183 with media in place of 180."""
    play: str = ""
    """WAV to play from the moment both directions are open."""
    record: str = ""
    """WAV to write what it hears to."""
    hang_up_ms: int | None = None
    """After the answer, its BYE."""
    hang_up_after_playing: bool = False
    cancel_ms: int | None = None
    """After its INVITE, its CANCEL."""
    hold_ms: int | None = None
    """After the answer, a re-INVITE that holds the call."""
    resume_ms: int | None = None
    """After the answer, the re-INVITE that resumes it."""
    dtmf: str = ""
    """Keys to press half a second after the answer."""
    transfer_ms: int | None = None
    """After the answer, its REFER."""
    transfer_to: str = ""
    """SIP URI of the transfer's target."""
    consult: bool = False
    """Call the target first, and transfer once it answers (REFER with Replaces)."""
    stay: bool = False
    """Go on with the call when its transfer is done, until the other side ends it."""
    give_up_ms: int = 120_000
    """Leave after so long, whatever happens."""


class PhoneCall(pj.Call):  # type: ignore[misc]
    """The phone's one call."""

    def __init__(self, phone: "Phone", index: int = -1) -> None:
        super().__init__(phone.account, index)
        self._phone = phone

    def onCallState(self, prm: Any) -> None:  # noqa: N802
        """Tell the state and note what the script waits for."""
        del prm
        info = self.getInfo()
        if self is not self._phone.current:
            return
        names = {
            pj.PJSIP_INV_STATE_EARLY: "early",
            pj.PJSIP_INV_STATE_CONNECTING: "answered",
            pj.PJSIP_INV_STATE_CONFIRMED: "confirmed",
            pj.PJSIP_INV_STATE_DISCONNECTED: "ended",
        }
        if name := names.get(info.state):
            self._phone.tell(name, code=info.lastStatusCode)

    def onCallMediaState(self, prm: Any) -> None:  # noqa: N802
        """Connect player and recorder to the stream, again after every re-INVITE."""
        del prm
        self._phone.media = True

    def onDtmfDigit(self, prm: Any) -> None:  # noqa: N802
        """Tell a key that the other side pressed."""
        self._phone.tell("key", key=prm.digit)

    def onCallTransferStatus(self, prm: Any) -> None:  # noqa: N802
        """Tell how the transfer goes, as the other side's NOTIFY says."""
        self._phone.tell("transfer", code=prm.statusCode, final=bool(prm.finalNotify))
        if prm.finalNotify and prm.statusCode == _OK and not self._phone.script.stay:
            self._phone.transferred = True

    def onCallReplaced(self, prm: Any) -> None:  # noqa: N802
        """Go on with the call that takes this one's place."""
        prm.newCall = self._phone.current = PhoneCall(self._phone, prm.newCallId)
        self._phone.former.append(self)
        self._phone.tell("replaced")

    def onCallTsxState(self, prm: Any) -> None:  # noqa: N802
        """Tell a hold or resume that the other side asked for."""
        tsx = prm.e.body.tsxState
        if tsx.type == pj.PJSIP_EVENT_RX_MSG and tsx.tsx.role == pj.PJSIP_ROLE_UAS:
            if tsx.tsx.method == "BYE" and tsx.tsx.state == pj.PJSIP_TSX_STATE_TRYING:
                self._phone.tell("bye received")
            elif tsx.tsx.method == "INVITE" and "answered" in self._phone.times:
                held = holds(tsx.src.rdata.wholeMsg)
                if held is not None and tsx.tsx.state == pj.PJSIP_TSX_STATE_TRYING:
                    self._phone.tell("held" if held else "resumed")


class Consultation(pj.Call):  # type: ignore[misc]
    """The phone's call to a transfer's target; it is there to be replaced."""

    def __init__(self, phone: "Phone") -> None:
        super().__init__(phone.account)
        self._phone = phone

    def onCallState(self, prm: Any) -> None:  # noqa: N802
        """Tell that the target has answered, or has gone."""
        del prm
        state = self.getInfo().state
        if state == pj.PJSIP_INV_STATE_CONFIRMED:
            self._phone.tell("consulted")
        elif state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self._phone.tell("consultation ended")


class Player(pj.AudioMediaPlayer):  # type: ignore[misc]
    """Plays a WAV once."""

    ended = False

    def onEof2(self) -> None:  # noqa: N802
        """Note the end."""
        self.ended = True


class PhoneAccount(pj.Account):  # type: ignore[misc]
    """Takes the phone's incoming call."""

    def __init__(self, phone: "Phone") -> None:
        super().__init__()
        self._phone = phone

    def onIncomingCall(self, prm: Any) -> None:  # noqa: N802
        """Take hold of the call; a second one is busy."""
        if self._phone.current is not None:
            second = pj.Call(self, prm.callId)
            second.answer(call_parameters(_BUSY))
            return
        self._phone.current = PhoneCall(self._phone, prm.callId)
        self._phone.tell("invited")


class Phone:
    """The library, the account and the script's clockwork."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self._talk = Talk()
        self.clock = Clock()
        self.current: PhoneCall | None = None
        self.former: list[PhoneCall] = []
        self.transferred = False
        self._consultation: Consultation | None = None
        self.media = False
        self.times: dict[str, float] = {}
        self._steps: set[str] = set()
        self._player: Player | None = None
        self._recorder: Any = None
        self._playing = False
        self.library = open_library()
        transport = transport_config("127.0.0.1", script.port)
        self.library.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport)
        if script.tls_port:
            transport.port = script.tls_port
            offer_tls(transport, script.certificate, script.key, script.ca, client_too=False)
            self.library.transportCreate(pj.PJSIP_TRANSPORT_TLS, transport)
        start_library(self.library)
        account = pj.AccountConfig()
        account.idUri = f"sip:{script.user}@127.0.0.1:{script.port}"
        if script.password:
            account.sipConfig.authCreds.append(
                pj.AuthCredInfo("digest", "*", script.auth_user or script.user, 0, script.password)
            )
        encrypt_media(account, script.srtp)
        listen_for_media(account, "127.0.0.1", script.rtp_port, 40)
        self.account: Any = PhoneAccount(self)
        self.account.create(account)

    def tell(self, event: str, **more: Any) -> None:
        """Print an event with both clocks; the first of a name is what the script counts from."""
        now = self.clock.now()
        self.times.setdefault(event, now.monotonic_ms)
        line = {"event": event, "at": now.at, "monotonic_ms": now.monotonic_ms, **more}
        self._talk.say(line)

    def run(self) -> None:
        """Follow the script to the end of the call."""
        self.tell("ready", script=asdict(replace(self.script, password="")))
        started = time.monotonic()
        if self.script.call:
            self.current = PhoneCall(self)
            self.current.makeCall(self.script.call, call_parameters())
            self.tell("calling")
        while "ended" not in self.times:
            self.library.libHandleEvents(_STEP_MS)
            self._step()
            if (time.monotonic() - started) * 1000 > self.script.give_up_ms:
                self.leave()
                break
        for _ in range(20):
            self.library.libHandleEvents(_STEP_MS)

    def leave(self) -> None:
        """Hang up now, as on SIGTERM."""
        if self.current is not None and "ended" not in self.times:
            self.current.hangup(call_parameters())

    def close(self) -> None:
        """Free everything on this thread, then the library."""
        self._player = self._recorder = None
        self.current = self._consultation = None
        self.former.clear()
        self.account.shutdown()
        self.account = None
        gc.collect()
        self.library.libDestroy()
        self._talk.close()

    def _due(self, name: str, since: str, after_ms: int | None) -> bool:
        """Whether a step's time has come; true once."""
        if after_ms is None or name in self._steps or since not in self.times:
            return False
        if self.clock.now().monotonic_ms < self.times[since] + after_ms:
            return False
        self._steps.add(name)
        return True

    def _step(self) -> None:
        script, call = self.script, self.current
        if call is None or "ended" in self.times:
            return
        if self.media:
            self.media = False
            self._connect(call)
        if self._due("ring", "invited", 0):
            self._say(call, _PROGRESS if script.early_media else _RINGING)
            self.tell("ringing")
        react = script.ring_ms if script.reaction != "ignore" else None
        if self._due("react", "ringing", react):
            code = {"answer": _OK, "busy": _BUSY, "reject": _DECLINE}[script.reaction]
            self._say(call, code)
            self.tell("reacted", code=code)
        if self._due("cancel", "calling", script.cancel_ms):
            call.hangup(call_parameters())
            self.tell("cancelled")
        if self._due("hold", "confirmed", script.hold_ms):
            call.setHold(call_parameters())
            self.tell("holding")
        if self._due("resume", "confirmed", script.resume_ms):
            resume = call_parameters()
            resume.opt.flag = pj.PJSUA_CALL_UNHOLD
            call.reinvite(resume)
            self.tell("resuming")
        if self._due("transfer", "confirmed", script.transfer_ms):
            self._transfer(call)
        if self._consultation is not None and self._due("refer", "consulted", 0):
            call.xferReplaces(self._consultation, call_parameters())
            self.tell("transferring")
        if self.transferred and self._due("hang up", "confirmed", 0):
            call.hangup(call_parameters())
            self.tell("hung up")
        if script.dtmf and self._due("dtmf", "confirmed", 500):
            call.dialDtmf(script.dtmf)
        played = bool(self._player and self._player.ended and script.hang_up_after_playing)
        if self._due("hang up", "confirmed", 0 if played else script.hang_up_ms):
            call.hangup(call_parameters())
            self.tell("hung up")

    def _transfer(self, call: PhoneCall) -> None:
        if self.script.consult:
            call.setHold(call_parameters())
            self._consultation = Consultation(self)
            self._consultation.makeCall(self.script.transfer_to, call_parameters())
            self.tell("consulting")
        else:
            call.xfer(self.script.transfer_to, call_parameters())
            self.tell("transferring")

    def _say(self, call: PhoneCall, code: int) -> None:
        call.answer(call_parameters(code))

    def _connect(self, call: PhoneCall) -> None:
        info = call.getInfo()
        for index in range(len(info.media)):
            media = info.media[index]
            if media.type != pj.PJMEDIA_TYPE_AUDIO or media.status != pj.PJSUA_CALL_MEDIA_ACTIVE:
                continue
            audio = call.getAudioMedia(index)
            secure = call.getStreamInfo(index).proto == pj.PJMEDIA_TP_PROTO_RTP_SAVP
            self.tell("media", secure=secure)
            if self.script.play:
                self._play(audio)
            if self.script.record:
                if self._recorder is None:
                    self._recorder = pj.AudioMediaRecorder()
                    self._recorder.createRecorder(self.script.record)
                audio.startTransmit(self._recorder)

    def _play(self, audio: Any) -> None:
        if self._player is None:
            self._player = Player()
            self._player.createPlayer(self.script.play, pj.PJMEDIA_FILE_NO_LOOP)
        self._player.startTransmit(audio)
        if not self._playing:
            self._playing = True
            self.tell("playing")


def main(arguments: list[str]) -> int:
    """Run a phone by the script file named."""
    script = msgspec.json.decode(Path(arguments[0]).read_bytes(), type=Script)
    try:
        phone = Phone(script)
    except SipLibraryError as error:
        sys.stderr.write(f"phone: {reason_of(error)}: is UDP port {script.port} free?\n")
        return 1

    def on_signal(_signal: int, _frame: FrameType | None) -> None:
        phone.leave()

    signal.signal(signal.SIGTERM, on_signal)
    phone.run()
    phone.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
