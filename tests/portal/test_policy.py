"""The content policy: every page has it, none has an inline script or handler."""

import re
from collections.abc import Callable

import pytest
from fastapi import FastAPI

from portal.access import Role
from tests.portal.conftest import Client
from tests.portal.test_access import WHO, gate_of, path_of

Visit = Callable[..., Client]
INLINE = re.compile(r"<script(?![^>]*\bsrc=)(?![^>]*type=\"application/json\")", re.I)
HANDLER = re.compile(r"<[^>]+\son[a-z]+\s*=", re.I)
ELSEWHERE = re.compile(r"(?:src|href|action)=\"(?:[a-z]+:)?//", re.I)


@pytest.mark.parametrize("role", list(WHO))
def test_no_page_has_an_inline_script_or_leads_elsewhere(
    app: FastAPI, visit: Visit, role: Role
) -> None:
    client, seen = visit(WHO[role]), 0
    for rule in gate_of(app).rules:
        if rule.method != "GET" or rule.scope is not None or rule.path == "/live/events":
            continue
        answer = client.get(path_of(rule.path))
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert re.search(r"script-src 'self'(;|$)", policy)
        if answer.headers.get("content-type", "").startswith("text/html"):
            seen += 1
            for wrong in (INLINE, HANDLER, ELSEWHERE):
                assert wrong.search(answer.text) is None, (rule.path, wrong.pattern)
    assert seen > 10


def test_a_page_that_broke_keeps_its_policy(app: FastAPI, visit: Visit) -> None:
    client = visit("qachen")
    app.state.desk.calibration = object()
    answer = client.get("/calibration")
    assert (answer.status_code, "服务出错了" in answer.text) == (500, True)
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"
