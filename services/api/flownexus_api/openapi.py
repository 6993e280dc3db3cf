"""The OpenAPI document: what FastAPI makes of the routes, with our examples and problem documents."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from flownexus_api.errors import Problem
from flownexus_api.examples import EXAMPLES

REFERENCE = "#/components/schemas/{model}"


def document(app: FastAPI) -> dict[str, Any]:
    """The document of an application. The same application gives the same document."""
    found = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        license_info=app.license_info,
        routes=app.routes,
    )
    schemas: dict[str, Any] = found["components"]["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    problem = Problem.model_json_schema(ref_template=REFERENCE)
    schemas |= {**problem.pop("$defs"), Problem.__name__: problem}
    # Not in the models: FastAPI leaves out of an example what is null.
    for name, example in EXAMPLES.items():
        schemas[name]["examples"] = [example]
    found["components"]["schemas"] = dict(sorted(schemas.items()))
    return found
