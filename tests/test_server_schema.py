"""Whether the server does what its OpenAPI says: Schemathesis makes up requests and compares."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from image_samples import grey8, pillow, rgb8
from serving import HOST, Served, serving
from tintype.server.jobs.records import Jobs, Order, Outcome
from tintype.server.settings import Limits

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
OPERATIONS = (
    "POST /v1/colorize",
    "POST /v1/preview",
    "POST /v1/predict",
    "POST /colorized",
    "POST /v1/jobs",
    "GET /v1/jobs",
    "GET /v1/jobs/{job_id}",
    "DELETE /v1/jobs/{job_id}",
    "POST /v1/jobs/{job_id}/cancel",
    "GET /v1/jobs/{job_id}/events",
    "GET /v1/jobs/{job_id}/result",
    "GET /v1/jobs/{job_id}/sample",
    "GET /v1/jobs/{job_id}/watch/{piece}",
    "GET /healthz",
    "GET /readyz",
    "GET /metrics",
    "GET /v1/models",
)
BUSY = 503  # documented where it can happen; nothing else from 500 on may
TIMEOUT_S = 20


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[Served]:
    """A server that does no jobs; their number is bounded."""
    data = tmp_path_factory.mktemp("schema")
    with serving(data, tiny_model, workers=0, limits=Limits(jobs=100)) as server:
        yield server


def use_pictures_as_files() -> None:
    """Let made-up files be pictures now and then, so that requests come further."""
    data = pillow(grey8(), "PNG")
    files = st.sampled_from([data, data[: len(data) // 2], pillow(rgb8(), "JPEG")])
    schemathesis.openapi.format("binary", files | st.binary(max_size=100))


@pytest.fixture(scope="module")
def api(served: Served) -> Any:
    """What it says of itself."""
    use_pictures_as_files()
    config = SchemathesisConfig.from_dict({"seed": 1})
    return schemathesis.openapi.from_url(
        f"http://{HOST}:{served.port}/openapi.json", config=config, wait_for_schema=TIMEOUT_S
    )


def make_job(jobs: Jobs, outcome: Outcome | None) -> str:
    """A job that has ended so, or waits."""
    with jobs.upload() as (job_id, folder):
        (folder / "result.jpg").write_bytes(b"a picture")
        jobs.submit(job_id, Order("picture", "a.jpg", "given.jpg", "result.jpg", created=1.0))
    if outcome is not None:
        jobs.finish(job_id, outcome)
    return job_id


def some_job(jobs: Jobs, path: str, made_up: str) -> str:
    """A job for a made-up request: one that waits or has ended, or none at all."""
    done = Outcome("done", ("result.jpg",), notes=("A note.",))
    kinds: list[Outcome | None] = [done, Outcome("failed", error="It was torn.")]
    if not path.endswith("/events"):  # which would follow a job that nobody does for ever
        kinds.append(None)
    choice = random.Random(made_up).randrange(len(kinds) + 1)
    return make_job(jobs, kinds[choice]) if choice < len(kinds) else made_up


def validate(served: Served, case: schemathesis.Case) -> None:
    """Ask, and compare the answer with what is documented."""
    if "job_id" in case.path_parameters:
        made_up = str(case.path_parameters["job_id"])
        case.path_parameters["job_id"] = some_job(served.state.jobs, case.path, made_up)
    response = case.call(timeout=TIMEOUT_S)
    excluded = [not_a_server_error] if response.status_code == BUSY else []
    case.validate_response(response, checks=CHECKS, excluded_checks=excluded)


def test_every_operation_is_tried(api: Any) -> None:
    assert {operation.ok().label for operation in api.get_all_operations()} == set(OPERATIONS)


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_it_does_what_it_says(
    api: Any, served: Served, operation: str, mode: GenerationMode
) -> None:
    method, path = operation.split()
    described = api[path][method]
    if mode.is_negative and not (described.body or described.query):
        pytest.skip("nothing can be sent wrong: any text may be a job's number")

    @given(case=described.as_strategy(generation_mode=mode))
    @settings(
        max_examples=40,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: schemathesis.Case) -> None:
        validate(served, case)

    ask()


def test_requests_came_through_and_the_server_is_well(served: Served) -> None:
    figures = served.ask("GET", "/metrics").body.decode()
    for route, status in (("/v1/colorize", 200), ("/v1/jobs", 202), ("/v1/jobs/{job_id}", 204)):
        assert f'route="{route}",status="{status}"' in figures, figures
    assert served.is_well
