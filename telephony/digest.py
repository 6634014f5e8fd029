"""Digest authentication at the door: a challenge, and whether the answer to it is right.

RFC 7616 (which took over from RFC 2617) as RFC 3261 22.4 uses it, with RFC 8760's SHA-256. A nonce
carries its own time and a keyed hash, so that strangers' calls leave nothing behind to remember;
what is remembered is how often a right answer used one, against replay (RFC 7616 3.4.5).
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from telephony.identity_settings import Algorithm

_HEADER = re.compile(r"^authorization\s*:\s*digest\s+(.*)$", re.IGNORECASE | re.MULTILINE)
_FOLD = re.compile(r"\r?\n[ \t]+")
_PARAMETER = re.compile(r'([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_COUNT = re.compile(r"[0-9a-fA-F]{8}")
_LONGEST = 4000
"""Bytes of a header that are looked at: an honest one has some 300."""
_HASHES = {"MD5": "md5", "SHA-256": "sha256"}


class Verdict(Enum):
    """What an answer to a challenge is worth."""

    RIGHT = auto()
    STALE = auto()
    """The right password on a challenge that is too old or was answered before: ask again."""
    WRONG = auto()
    NONE = auto()
    """There is no answer in this message."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The parameters of an Authorization header (RFC 7616 3.4), none of them believed yet."""

    username: str
    realm: str
    nonce: str
    uri: str
    response: str
    algorithm: str
    qop: str
    nc: str
    cnonce: str


def read_answer(message: str, realm: str) -> Answer | None:
    """The Authorization header of a SIP message for a realm; None when there is none."""
    head = _FOLD.sub(" ", message.partition("\r\n\r\n")[0])
    for found in _HEADER.finditer(head):
        values = {
            name.lower(): re.sub(r"\\(.)", r"\1", quoted) if quoted else plain
            for name, quoted, plain in _PARAMETER.findall(found[1][:_LONGEST])
        }
        if values.get("realm") == realm:
            return Answer(
                username=values.get("username", ""),
                realm=realm,
                nonce=values.get("nonce", ""),
                uri=values.get("uri", ""),
                response=values.get("response", "").lower(),
                algorithm=values.get("algorithm", "MD5").upper(),
                qop=values.get("qop", ""),
                nc=values.get("nc", ""),
                cnonce=values.get("cnonce", ""),
            )
    return None


def digest(algorithm: Algorithm, *parts: str) -> str:
    """H(part:part:…) of RFC 7616 3.4.1 in lower-case hex."""
    plain = ":".join(parts).encode("utf-8", "surrogateescape")
    return hashlib.new(_HASHES[algorithm], plain, usedforsecurity=False).hexdigest()


def response_of(algorithm: Algorithm, ha1: str, method: str, answer: Answer) -> str:
    """The response of somebody who knows the password (RFC 7616 3.4.1; qop auth, or none)."""
    ha2 = digest(algorithm, method, answer.uri)
    counted = (answer.nc, answer.cnonce, answer.qop) if answer.qop else ()
    return digest(algorithm, ha1, answer.nonce, *counted, ha2)


class Guard:
    """Challenges peers and checks their answers. Holds no password, only H(user:realm:password)."""

    def __init__(
        self,
        passwords: Mapping[str, str],
        realm: str,
        algorithms: Sequence[Algorithm],
        nonce_s: float,
    ) -> None:
        self.realm = realm
        self._algorithms = tuple(algorithms)
        self._known = {
            (algorithm, user): digest(algorithm, user, realm, password)
            for algorithm in algorithms
            for user, password in passwords.items()
        }
        self._life_ms = nonce_s * 1000
        self._key = secrets.token_bytes(32)
        self._used: dict[str, tuple[int, float]] = {}
        """Nonce to the highest count it was used with, and when it may be forgotten."""

    def challenges(self, now_ms: float, *, stale: bool = False) -> list[str]:
        """Values of the WWW-Authenticate headers of a 401, one for each algorithm, best first."""
        nonce = self._nonce(f"{round(now_ms):x}-{secrets.token_hex(8)}")
        rest = 'qop="auth", stale=true' if stale else 'qop="auth"'
        return [
            f'Digest realm="{self.realm}", nonce="{nonce}", algorithm={algorithm}, {rest}'
            for algorithm in self._algorithms
        ]

    def judge(self, method: str, message: str, now_ms: float) -> Verdict:
        """Whether a message carries the right answer to one of our own challenges."""
        answer = read_answer(message, self.realm)
        if answer is None:
            return Verdict.NONE
        algorithm = next((a for a in self._algorithms if a == answer.algorithm), None)
        if algorithm is None or answer.qop not in ("", "auth"):
            return Verdict.WRONG
        if answer.qop and not _COUNT.fullmatch(answer.nc):
            return Verdict.WRONG
        # An unknown user costs the same work as a known one, and the comparison the same time.
        ha1 = self._known.get((algorithm, answer.username))
        wanted = response_of(algorithm, ha1 or secrets.token_hex(16), method, answer)
        if not hmac.compare_digest(wanted.encode(), answer.response.encode()) or ha1 is None:
            return Verdict.WRONG
        return Verdict.RIGHT if self._takes(answer, now_ms) else Verdict.STALE

    def _takes(self, answer: Answer, now_ms: float) -> bool:
        """Use a nonce once more: it must be ours, young, and its count higher than ever before."""
        stamp = answer.nonce.rpartition("-")[0]
        if not hmac.compare_digest(self._nonce(stamp).encode(), answer.nonce.encode()):
            return False
        if now_ms - int(stamp.partition("-")[0], 16) > self._life_ms:
            return False
        count = int(answer.nc, 16) if answer.qop else 1
        last, _ = self._used.get(answer.nonce, (0, 0.0))
        if count <= last:
            return False
        for nonce, (_, until) in list(self._used.items()):
            if until > now_ms:
                break
            del self._used[nonce]
        self._used[answer.nonce] = (count, now_ms + self._life_ms)
        return True

    def _nonce(self, stamp: str) -> str:
        return f"{stamp}-{hmac.new(self._key, stamp.encode(), 'sha256').hexdigest()[:32]}"
