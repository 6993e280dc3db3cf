"""What OpenAPI says of every route alike: the problems it can answer."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flownexus_api.errors import MEDIA_TYPE, Problem
from flownexus_api.too_large import DETAIL as TOO_LARGE

_DETAILS = {
    401: "The access token has expired; get a new one.",
    403: "This needs the role operator; yours is viewer.",
    404: "There is no endpoint 'node-7'.",
    409: "'node-7' is not registered; ask again after its next Register.",
    413: TOO_LARGE,
    422: "query.limit: Input should be less than or equal to 500",
    429: "Too many wrong passwords; wait and try again.",
    503: "The database is away or not migrated yet; try again shortly.",
    504: "The device did not answer: no answer within 30 s.",
}


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route: a problem document for each status."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {
                MEDIA_TYPE: {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "example": Problem(
                        title=HTTPStatus(status).phrase, status=status, detail=_DETAILS[status]
                    ).model_dump(exclude_none=True),
                }
            },
        }
        for status in statuses
    }


READ = answers(401, 422, 503)
READ_ONE = answers(401, 404, 422, 503)
