"""Sign-in at an identity provider: a real one on loopback, and one that lies."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import oidc_provider_mock  # type: ignore[import-untyped]
import pytest
import werkzeug.serving
from fastapi import FastAPI
from flask import request as flask_request
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from portal.app import create_app
from portal.oidc import Oidc, OidcError
from portal.settings import OidcSettings, PortalSettings
from tests.portal.conftest import Client, Clocks
from warehouse.store import Warehouse

pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")
"""The provider's own library is behind its own deprecations."""
BASE = "https://qa.example.internal"
CLIENT = "sansheng"
SECRET = "a-client-secret-of-the-hotline"
PEOPLE = {
    "s-1": {"preferred_username": "zhang.wei", "name": "张伟", "groups": ["hotline-qa", "staff"]},
    "s-2": {
        "preferred_username": "sun",
        "name": "孙丽",
        "groups": ["hotline-agents"],
        "ext": "1001",
    },
    "s-3": {"preferred_username": "nobody", "groups": ["canteen"]},
    "s-4": {"preferred_username": "qachen", "groups": ["hotline-qa"]},
}


@dataclass
class Provider:
    """A real provider in a thread, and the token requests that it got."""

    issuer: str
    tokens: list[dict[str, str]] = field(default_factory=list)


@pytest.fixture
def provider() -> Iterator[Provider]:
    users = [oidc_provider_mock.User(sub=sub, claims=claims) for sub, claims in PEOPLE.items()]
    web = oidc_provider_mock.app(require_nonce=True, user_claims=users)
    mine = Provider("")

    def note() -> None:
        if flask_request.path == "/oauth2/token":
            mine.tokens.append(dict(flask_request.form))

    web.before_request(note)
    server = werkzeug.serving.make_server("127.0.0.1", 0, web, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    mine.issuer = f"http://127.0.0.1:{server.server_port}"
    yield mine
    server.shutdown()
    thread.join()
    server.server_close()


def asked(issuer: str) -> OidcSettings:
    return OidcSettings.model_validate(
        {
            "issuer": issuer,
            "client_id": CLIENT,
            "client_secret": SECRET,
            "base_url": BASE,
            "agent_claim": "ext",
            "roles": {"hotline-qa": "qa", "hotline-agents": "agent"},
        }
    )


@pytest.fixture
def enter(warehouse: Warehouse, provider: Provider) -> Iterator[Callable[[], Client]]:
    app: FastAPI = create_app(warehouse, PortalSettings(oidc=asked(provider.issuer)))
    opened: list[Client] = []

    def come() -> Client:
        client = Client(app, base_url=BASE, follow_redirects=False)
        opened.append(client)
        return client

    yield come
    for client in opened:
        client.close()


Enter = Callable[[], Client]


def back(client: Client, subject: str, next: str = "") -> str:
    """The address that the provider sends the browser back to."""
    way = client.get("/oidc/login", params={"next": next})
    assert way.status_code == 303
    with httpx.Client() as browser:
        consent = browser.post(way.headers["location"], data={"sub": subject})
    assert consent.status_code == 302
    there = urlsplit(consent.headers["location"])
    assert f"{there.scheme}://{there.netloc}" == BASE
    return f"{there.path}?{there.query}"


def test_a_reviewer_comes_in_with_the_role_that_the_group_gives(
    enter: Enter, provider: Provider, warehouse: Warehouse
) -> None:
    client = enter()
    assert 'id="oidc"' in client.get("/login").text
    address = back(client, "s-1", "/calls")
    answer = client.get(address)
    assert answer.status_code == 200
    assert 'content="0;url=/calls"' in answer.text
    assert client.get("/queue").status_code == 200
    assert client.get("/admin/users").status_code == 403
    assert warehouse.rows("SELECT name, role FROM users WHERE user_id = 'zhang_wei'") == [
        {"name": "张伟", "role": "qa"}
    ]
    assert client.get(address).status_code == 401
    again = enter()
    assert again.get(back(again, "s-1")).status_code == 200
    assert len(warehouse.rows("SELECT * FROM identities")) == 1


def test_the_code_is_proved_by_the_verifier_of_its_challenge(
    enter: Enter, provider: Provider
) -> None:
    client = enter()
    way = client.get("/oidc/login").headers["location"]
    query = {key: value[0] for key, value in parse_qs(urlsplit(way).query).items()}
    with httpx.Client() as browser:
        consent = browser.post(way, data={"sub": "s-1"})
    there = urlsplit(consent.headers["location"])
    assert client.get(f"{there.path}?{there.query}").status_code == 200
    (form,) = provider.tokens
    digest = hashlib.sha256(form["code_verifier"].encode()).digest()
    assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == query["code_challenge"]
    assert query["code_challenge_method"] == "S256"
    assert query["redirect_uri"] == form["redirect_uri"] == f"{BASE}/oidc/callback"


def test_an_agent_comes_in_to_their_own_extension(enter: Enter) -> None:
    client = enter()
    assert client.get(back(client, "s-2")).status_code == 200
    assert client.get("/calls/call-00").status_code == 200
    assert client.get("/calls/call-01").status_code == 404


@pytest.mark.parametrize("subject", ["s-3", "s-4"])
def test_no_role_and_a_name_that_is_taken_open_nothing(
    enter: Enter, subject: str, warehouse: Warehouse
) -> None:
    client = enter()
    assert client.get(back(client, subject)).status_code == 401
    assert client.get("/calls").headers["location"].startswith("/login")
    assert warehouse.rows("SELECT * FROM identities") == []


def test_a_closed_account_stays_closed(enter: Enter, warehouse: Warehouse) -> None:
    client = enter()
    assert client.get(back(client, "s-1")).status_code == 200
    warehouse.write(
        lambda c: c.execute("UPDATE users SET disabled = true WHERE user_id = 'zhang_wei'")
    )
    again = enter()
    assert again.get(back(again, "s-1")).status_code == 401


def test_the_answer_to_another_browser_is_refused(enter: Enter) -> None:
    mine, other = enter(), enter()
    address = back(mine, "s-1")
    assert other.get("/oidc/login").status_code == 303
    assert other.cookies["sansheng_oidc"] != mine.cookies["sansheng_oidc"]
    assert other.get(address).status_code == 401
    assert other.get("/oidc/callback?state=x&code=y").status_code == 401
    assert other.get("/oidc/callback").status_code == 401


@pytest.mark.parametrize("where", ["https://evil.example/", "//evil.example", "/\\evil"])
def test_the_way_back_never_leaves_the_site(enter: Enter, where: str) -> None:
    client = enter()
    answer = client.get(back(client, "s-1", where))
    assert re.findall(r'content="0;url=([^"]+)"', answer.text) == ["/queue"]


def test_without_a_provider_there_is_no_such_page(app: FastAPI) -> None:
    with Client(app, follow_redirects=False) as client:
        assert client.get("/oidc/login").status_code == 404
        assert 'id="oidc"' not in client.get("/login").text


KEY, OTHER = RSAKey.generate_key(2048), RSAKey.generate_key(2048)


@dataclass
class Liar:
    """A provider whose tokens are what a test says."""

    issuer: str = ""
    named: str = ""
    make: Callable[[str], str] = lambda nonce: nonce
    nonce: str = ""


@pytest.fixture
def liar() -> Iterator[Liar]:
    mine = Liar()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/jwks":
                self.say({"keys": [KEY.as_dict(private=False)]})
                return
            named = mine.named or mine.issuer
            ends = {
                name: f"{mine.issuer}/{name}"
                for name in ("authorization_endpoint", "token_endpoint")
            }
            self.say({"issuer": named, "jwks_uri": f"{mine.issuer}/jwks", **ends})

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.say({"id_token": mine.make(mine.nonce)})

        def say(self, body: dict[str, Any]) -> None:
            told = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    mine.issuer = f"http://127.0.0.1:{server.server_address[1]}"
    yield mine
    server.shutdown()
    thread.join()
    server.server_close()


def unsigned(claims: dict[str, Any]) -> str:
    parts = ({"alg": "none"}, claims)
    return (
        ".".join(
            base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=").decode() for p in parts
        )
        + "."
    )


def visit(liar: Liar, clocks: Clocks) -> str:
    oidc = Oidc(asked(liar.issuer), lambda: clocks.wall, lambda: clocks.ticks)
    query = parse_qs(urlsplit(oidc.begin("browser", "")).query)
    liar.nonce = query["nonce"][0]
    return oidc.finish("browser", query["state"][0], "code").subject


def claims_of(liar: Liar, clocks: Clocks, nonce: str, **more: Any) -> dict[str, Any]:
    now = int(clocks.wall.timestamp())
    plain = {"iss": liar.issuer, "aud": CLIENT, "sub": "s-1", "exp": now + 300, "iat": now}
    return {**plain, "nonce": nonce, **more}


def told_by(
    make: Callable[[dict[str, Any]], str], liar: Liar, clocks: Clocks
) -> Callable[[str], str]:
    return lambda nonce: make(claims_of(liar, clocks, nonce))


def test_a_good_token_is_taken(liar: Liar, clocks: Clocks) -> None:
    liar.make = lambda nonce: jwt.encode({"alg": "RS256"}, claims_of(liar, clocks, nonce), KEY)
    assert visit(liar, clocks) == "s-1"


@pytest.mark.parametrize(
    "lie",
    [
        {"nonce": "another"},
        {"aud": "another"},
        {"iss": "https://another.example"},
        {"exp": 1_700_000_000},
        {"azp": "another"},
        {"sub": None},
    ],
    ids=lambda lie: next(iter(lie)),
)
def test_a_false_claim_is_refused(liar: Liar, clocks: Clocks, lie: dict[str, Any]) -> None:
    def make(nonce: str) -> str:
        claims = {**claims_of(liar, clocks, nonce), **lie}
        return jwt.encode({"alg": "RS256"}, {k: v for k, v in claims.items() if v is not None}, KEY)

    liar.make = make
    with pytest.raises(OidcError):
        visit(liar, clocks)


def test_a_token_that_the_provider_did_not_sign_is_refused(liar: Liar, clocks: Clocks) -> None:
    secret = OctKey.import_key(SECRET)
    makers: list[Callable[[dict[str, Any]], str]] = [
        unsigned,
        lambda claims: jwt.encode({"alg": "RS256"}, claims, OTHER),
        lambda claims: jwt.encode({"alg": "HS256"}, claims, secret),
        lambda claims: "no.token",
    ]
    for make in makers:
        liar.make = told_by(make, liar, clocks)
        with pytest.raises(OidcError):
            visit(liar, clocks)


def test_a_provider_that_names_another_issuer_is_refused(liar: Liar, clocks: Clocks) -> None:
    liar.named = "https://another.example"
    with pytest.raises(OidcError):
        visit(liar, clocks)


def test_a_state_expires(liar: Liar, clocks: Clocks) -> None:
    liar.make = lambda nonce: jwt.encode({"alg": "RS256"}, claims_of(liar, clocks, nonce), KEY)
    oidc = Oidc(asked(liar.issuer), lambda: clocks.wall, lambda: clocks.ticks)
    state = parse_qs(urlsplit(oidc.begin("browser", "")).query)["state"][0]
    clocks.forward(timedelta(minutes=11))
    with pytest.raises(OidcError, match="expired"):
        oidc.finish("browser", state, "code")
