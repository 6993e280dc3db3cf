"""The envelope of every message in a stream: CloudEvents 1.0 in structured JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

CONTENT_TYPE = "application/cloudevents+json"


class Frozen(BaseModel):
    """Base of all messages: immutable, unknown fields ignored so that additions break no reader."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_bytes="base64", val_json_bytes="base64")


class CloudEvent(Frozen):
    """CloudEvents 1.0, 2 and JSON event format 1.0, 3.

    `id` is also the `Nats-Msg-Id`: the same occurrence published again has the same id and is stored once.
    `subject` is the endpoint name as it is, not escaped. `time` is when it happened, in UTC.
    """

    specversion: Literal["1.0"] = "1.0"
    id: Annotated[str, Field(min_length=1, max_length=200)]
    source: Annotated[str, Field(examples=["/gateway/gw-1"])]
    subject: Annotated[str, Field(min_length=1, examples=["urn:imei:123456789012345"])]
    time: AwareDatetime
    datacontenttype: Literal["application/json"] = "application/json"


def utc(unix_s: float) -> datetime:
    """Unix seconds as an aware datetime. Raises OverflowError or ValueError outside the years 1 to 9999."""
    return datetime.fromtimestamp(unix_s, UTC)
