"""The API against its own description: inputs made by schemathesis, none of which may break it."""

from collections.abc import Callable
from typing import Any

import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import response_schema_conformance

from tests.portal.conftest import Client
from tests.portal.test_access import bearer, token_for
from warehouse.store import Warehouse

EXAMPLES = 80
"""Inputs made for every operation."""
CHECKS = [not_a_server_error, response_schema_conformance]
BOUNDED = settings(
    max_examples=EXAMPLES,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def test_no_input_breaks_the_api_and_every_answer_is_as_described(
    app: FastAPI, visit: Callable[..., Client], warehouse: Warehouse
) -> None:
    token = bearer(token_for(warehouse, app, "banzhang"))
    described = visit().get("/api/v1/openapi.json", headers=token).json()
    schema = schemathesis.openapi.from_dict(described)
    schema.app = app
    statuses: set[int] = set()
    many = 0
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        many += 1

        @BOUNDED
        @given(case=found.ok().as_strategy(), with_token=st.integers(0, 9))
        def broken_by(case: schemathesis.Case[Any], with_token: int) -> None:
            headers = token if with_token else {}
            answer = case.call(headers=headers)
            statuses.add(answer.status_code)
            case.validate_response(answer, checks=CHECKS, headers=headers)
            if answer.status_code >= 400:
                body = answer.json()
                assert set(body) == {"error"}
                assert set(body["error"]) == {"code", "message"}

        broken_by()
    assert many >= 5
    assert {200, 401, 404, 422} <= statuses
