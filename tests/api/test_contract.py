"""Schemathesis: requests made up from the OpenAPI document, answers held to it. More of them: ``traffic bench api``."""

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from api import openapi
from api.app import create_app
from api.context import Context
from smartcity.settings import Settings
from tests.api.rows import SUMS, scored

DOCUMENT = openapi.document("test")


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Flask:
    from sqlalchemy import text

    from smartcity.store.engine import create_all, create_engine
    from smartcity.store.tables import Base
    from smartcity.store.writer import upsert_windows, window_row

    url = request.getfixturevalue("postgresql") if request.param == "postgresql" else ""
    made = Settings(
        home=tmp_path_factory.mktemp("contract"), kafka_bootstrap="127.0.0.1:1", database_url=url, rate_per_second=0
    )
    engine = create_engine(made)
    Base.metadata.drop_all(engine)
    with engine.begin() as connection:
        connection.execute(text("drop table if exists alembic_version"))
    create_all(engine)
    with engine.begin() as connection:
        upsert_windows(
            connection, [window_row(scored("882a1008cbfffff", n, 0.4, "high", "low"), SUMS) for n in range(30)]
        )
    engine.dispose()
    context = Context(made)
    context.seed()
    context.refresh_progress()
    # Ready, as with a broker: /api/health says 503 otherwise, which is its job and no fault of the server's.
    context.events.connected = context.positions.connected = True
    return create_app(made, context)


@pytest.mark.parametrize(
    ("path", "method"),
    [(path, method) for path, item in DOCUMENT["paths"].items() for method in item],
)
def test_no_request_is_answered_otherwise_than_documented(served: Flask, path: str, method: str) -> None:
    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", served)
    operation = schema[path][method.upper()]

    @settings(
        max_examples=15, deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy())
    def ask(case: schemathesis.Case) -> None:
        # Rules over several fields (west < east) cannot be said in a schema: what it allows may still be refused.
        case.call_and_validate(headers={"Accept-Encoding": "identity"}, excluded_checks=[positive_data_acceptance])

    ask()
