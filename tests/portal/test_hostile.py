"""Whatever an address or a form holds, the answer is an answer and never a 500."""

from collections.abc import Callable

import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.portal.conftest import Client
from tests.portal.test_access import bearer, gate_of, path_of, token_for
from warehouse.store import Warehouse

EDGES = (
    *("", "0", "-1", "1e9", "null", "' OR 1=1 --", "%00", "\x00", "../../etc/passwd", "🙂"),
    *("2026-11-24", "0001-01-01", "9999-12-31", "2026-02-30", "2026-13-01", "x" * 400),
    *("0001-01-01T00:00:00+00:00~a", "9999-12-31T23:59:59-23:59~a", "2026-11-24T00:00:00~a"),
    *("$1", "{}", "<script>", "999999999999999999999", "fail", "call-00", "greeting", "*"),
)
NAMES = (
    *("agent", "team", "rule", "show", "since", "until", "after", "limit", "words", "channel"),
    *("person", "action", "before", "next", "added", "finding", "decision", "call_id", "status"),
    *("comment", "reason", "start", "end", "verdict", "answer", "name", "scopes", "roles", "old"),
)
QUERIES = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(EDGES), max_size=4)
TRIES = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def crowd(app: FastAPI, visit: Callable[..., Client], warehouse: Warehouse) -> list[Client]:
    """Everybody signed in, with an API token."""
    found = [visit(user) for user in ("wangli", "qachen", "banzhang", "root")]
    for client, user in zip(found, ("wangli", "qachen", "banzhang", "root"), strict=True):
        client.headers.update(bearer(token_for(warehouse, app, user)))
    return found


def test_no_address_breaks_a_page(app: FastAPI, crowd: list[Client]) -> None:
    paths = [
        path_of(rule.path)
        for rule in gate_of(app).rules
        if rule.method == "GET" and not rule.path.endswith(("/events", ".xlsx", "/audio"))
    ]

    @TRIES
    @given(st.sampled_from(paths), st.sampled_from(range(4)), QUERIES)
    def no_500(path: str, who: int, query: dict[str, str]) -> None:
        answer = crowd[who].get(path, params=query)
        assert answer.status_code < 500, (path, query)

    no_500()


def test_no_form_breaks_a_page(app: FastAPI, crowd: list[Client]) -> None:
    paths = [
        path_of(rule.path)
        for rule in gate_of(app).rules
        if rule.method == "POST"
        and rule.path not in ("/logout", "/login", "/admin/users/{user_id}")
    ]
    tokens = [client.token() for client in crowd]

    @TRIES
    @given(st.sampled_from(paths), st.sampled_from(range(4)), QUERIES)
    def no_500(path: str, who: int, form: dict[str, str]) -> None:
        answer = crowd[who].post(path, data={"csrf": tokens[who], **form})
        assert answer.status_code < 500, (path, form)

    no_500()


def test_every_edge_in_every_filter_of_the_lists(crowd: list[Client]) -> None:
    filters = (
        *(("/calls", name) for name in ("since", "until", "after", "agent")),
        *(("/overview", name) for name in ("since", "until")),
        ("/api/v1/calls", "after"),
        ("/api/v1/reports/overview", "until"),
        ("/search", "words"),
    )
    broken = [
        (path, name, edge)
        for edge in EDGES
        for path, name in filters
        if crowd[2].get(path, params={name: edge}).status_code >= 500
    ]
    assert broken == []


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\xff\xfe\x00", "application/x-www-form-urlencoded"),
        (b"--x\r\nbroken", "multipart/form-data; boundary=x"),
        (b"x" * 5_000_000, "application/octet-stream"),
        (
            b'--x\r\nContent-Disposition: form-data; name="reason"; filename="../../evil.sh"\r\n'
            b"Content-Type: text/x-sh\r\n\r\n#!/bin/sh\r\n--x--\r\n",
            "multipart/form-data; boundary=x",
        ),
    ],
)
def test_a_hostile_body_or_upload_is_refused(
    crowd: list[Client], content: bytes, kind: str
) -> None:
    client = crowd[0]
    headers = {"X-CSRF-Token": client.token(), "Content-Type": kind}
    answer = client.post("/calls/call-00/appeals", content=content, headers=headers)
    assert 400 <= answer.status_code < 500
