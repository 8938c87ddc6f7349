"""Whatever its own OpenAPI document lets be asked, the server answers without a fault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from striate.web.app import make_app
from striate.web.options import ServeOptions

schemathesis = pytest.importorskip(
    "schemathesis", reason="needs schemathesis: pip install 'striate[dev]'"
)
from schemathesis.checks import not_a_server_error  # noqa: E402  it may not be there

EXAMPLES = 8
"""Of each operation, here; ``bench/serve.py`` and a patient person ask more."""


@pytest.fixture(scope="module")
def schema(runs: Path) -> Any:
    app = make_app(ServeOptions(run=runs / "one", runs=(runs,)))
    return schemathesis.openapi.from_asgi("/openapi.json", app, headers={"Host": "localhost"})


def test_no_operation_fails(schema: Any) -> None:
    asked: dict[str, int] = {}
    for result in schema.get_all_operations():
        operation = result.ok()

        @settings(
            max_examples=EXAMPLES, deadline=None, database=None, derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        def one(case: Any) -> None:
            answer = case.call(headers={"Host": "localhost"})
            asked[case.path] = asked.get(case.path, 0) + 1
            case.validate_response(answer, checks=[not_a_server_error])
            assert answer.status_code in (200, 400, 404, 409, 413, 422, 429), answer.text

        given(case=operation.as_strategy())(one)()
    assert set(asked) >= {"/predict", "/api/design", "/api/look", "/api/runs", "/metrics"}
