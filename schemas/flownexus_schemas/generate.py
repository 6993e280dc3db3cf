"""Writes the contracts for readers in other languages: `python -m flownexus_schemas.generate FOLDER`.

`FOLDER/jsonschema/<Message>.json` (JSON Schema 2020-12, one file a message) and `FOLDER/asyncapi.json` (AsyncAPI 3.0).
The models are the source; a test holds the files to them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from faststream.specification.asyncapi.v3_0_0.schema import (
    ApplicationInfo,
    ApplicationSchema,
    Channel,
    Components,
    License,
    Message,
    Operation,
    Reference,
)
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from flownexus_schemas import commands, events, profile_standing
from flownexus_schemas.bootstrap.configuration import BootstrapConfiguration, BootstrapProfile
from flownexus_schemas.cloudevent import CONTENT_TYPE
from flownexus_schemas.credentials import PskCredential, X509Credential
from flownexus_schemas.dead_letters import DeadLetter
from flownexus_schemas.desired.standing import DesiredChanged
from flownexus_schemas.desired.wish import DesiredProfile, DesiredValues
from flownexus_schemas.endpoint_tags import EndpointTags
from flownexus_schemas.firmware.messages import FirmwareUpdateChanged
from flownexus_schemas.firmware.progress import FirmwareProgress
from flownexus_schemas.profiles import ObservationProfile
from flownexus_schemas.registrations import StoredRegistration
from flownexus_schemas.rollouts.messages import RolloutChanged, RolloutDeviceChanged, RolloutPlanned
from flownexus_schemas.subjects import Stream

CONTRACT_VERSION = "1.0.0"

COMMANDS: tuple[type[commands.Command], ...] = (
    commands.ReadResource,
    commands.DiscoverResources,
    commands.WriteResource,
    commands.WriteAttributes,
    commands.ExecuteResource,
    commands.CreateObjectInstance,
    commands.DeleteObjectInstance,
    commands.ObserveResource,
    commands.CancelObservation,
    commands.ReadComposite,
    commands.WriteComposite,
    commands.ObserveComposite,
    commands.OfferFirmware,
    commands.PushFirmware,
)
MESSAGES: tuple[type[BaseModel], ...] = (
    *events.KINDS,
    *COMMANDS,
    commands.CommandAnswer,
    commands.CommandFailure,
    BootstrapConfiguration,
    BootstrapProfile,
    DeadLetter,
    DesiredChanged,
    DesiredProfile,
    DesiredValues,
    EndpointTags,
    FirmwareProgress,
    FirmwareUpdateChanged,
    profile_standing.AskProfile,
    profile_standing.ProfileStanding,
    ObservationProfile,
    PskCredential,
    RolloutPlanned,
    RolloutChanged,
    RolloutDeviceChanged,
    StoredRegistration,
    X509Credential,
)
ROLLOUTS: tuple[tuple[str, str, type[BaseModel]], ...] = (
    ("rollout_plan", "lwm2m.rollout.{rollout}.plan", RolloutPlanned),
    ("rollout", "lwm2m.rollout.{rollout}.state", RolloutChanged),
    ("rollout_device", "lwm2m.rollout.{rollout}.device.{endpoint}", RolloutDeviceChanged),
)

_ENDPOINT = {
    "description": "Endpoint name; characters outside A-Za-z0-9:_- are percent-encoded.",
    "examples": ["urn:imei:123456789012345"],
}
_MODE: JsonSchemaMode = "serialization"


def json_schemas() -> dict[str, dict[str, Any]]:
    """JSON Schema of every message, by its name."""
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {model.__name__: dialect | model.model_json_schema(mode=_MODE) for model in MESSAGES}


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI 3.0 document: each subject with its messages, seen from the platform."""
    _, definitions = models_json_schema(
        [(model, _MODE) for model in MESSAGES], ref_template="#/components/schemas/{model}"
    )
    channels: dict[str, Channel] = {}
    operations: dict[str, Operation] = {}
    messages: dict[str, Message] = {}

    def message(model: type[BaseModel], content_type: str) -> Reference:
        name = model.__name__
        messages[name] = Message(
            name=name,
            title=name,
            summary=_summary(model),
            contentType=content_type,
            payload={"$ref": f"#/components/schemas/{name}"},
            correlationId=None,
        )
        return Reference(**{"$ref": f"#/components/messages/{name}"})

    for model, kind in events.KINDS.items():
        channels[kind.value] = Channel(
            address=f"lwm2m.event.{{endpoint}}.{kind}",
            description=f"In the JetStream stream {Stream.EVENTS}.",
            messages={model.__name__: message(model, CONTENT_TYPE)},
            parameters={"endpoint": _ENDPOINT},
        )
        operations[f"publish_{kind}"] = _operation("send", kind.value, [model.__name__], _summary(model))
    channels["desired"] = Channel(
        address="lwm2m.desired.{endpoint}",
        description=f"In the JetStream stream {Stream.OPERATIONS}; the last message is how it stands.",
        messages={DesiredChanged.__name__: message(DesiredChanged, CONTENT_TYPE)},
        parameters={"endpoint": _ENDPOINT},
    )
    operations["publish_desired"] = _operation("send", "desired", ["DesiredChanged"], _summary(DesiredChanged))
    channels["dead_letter"] = Channel(
        address="lwm2m.dead.{service}",
        description=f"In the JetStream stream {Stream.DEAD_LETTERS}.",
        messages={DeadLetter.__name__: message(DeadLetter, "application/json")},
        parameters={"service": {"description": "The service that set the message aside.", "examples": ["ingest"]}},
    )
    operations["publish_dead_letter"] = _operation("send", "dead_letter", ["DeadLetter"], _summary(DeadLetter))
    channels["firmware_update"] = Channel(
        address="lwm2m.firmware.{endpoint}.{update}",
        description=f"In the JetStream stream {Stream.OPERATIONS}.",
        messages={FirmwareUpdateChanged.__name__: message(FirmwareUpdateChanged, CONTENT_TYPE)},
        parameters={
            "endpoint": _ENDPOINT,
            "update": {"description": "Id of the firmware update.", "examples": ["4f2a90c1d3b55e07"]},
        },
    )
    operations["publish_firmware_update"] = _operation(
        "send", "firmware_update", ["FirmwareUpdateChanged"], _summary(FirmwareUpdateChanged)
    )
    for name, address, of_rollout in ROLLOUTS:
        channels[name] = Channel(
            address=address,
            description=f"In the JetStream stream {Stream.OPERATIONS}.",
            messages={of_rollout.__name__: message(of_rollout, CONTENT_TYPE)},
            parameters={"rollout": {"description": "Id of the rollout.", "examples": ["7d1e5a"]}}
            | ({"endpoint": _ENDPOINT} if "{endpoint}" in address else {}),
        )
        operations[f"publish_{name}"] = _operation("send", name, [of_rollout.__name__], _summary(of_rollout))
    channels["firmware_progress"] = Channel(
        address="lwm2m.firmware-progress.{update}",
        description="In no stream: how it stands is in the update itself.",
        messages={FirmwareProgress.__name__: message(FirmwareProgress, "application/json")},
        parameters={"update": {"description": "Id of the firmware update.", "examples": ["01JD5ZK3"]}},
    )
    operations["publish_firmware_progress"] = _operation(
        "send", "firmware_progress", ["FirmwareProgress"], _summary(FirmwareProgress)
    )
    requests_and_answer: list[type[BaseModel]] = [*COMMANDS, commands.CommandAnswer, commands.CommandFailure]
    channels["gateway_request"] = Channel(
        address="lwm2m.gateway.{gateway}.request",
        description="Request and reply, in no stream. Every request in a message of its own.",
        messages={model.__name__: message(model, "application/json") for model in requests_and_answer},
        parameters={"gateway": {"description": "Id of the gateway.", "examples": ["gw-1"]}},
    )
    operations["take_request"] = _operation(
        "receive",
        "gateway_request",
        [model.__name__ for model in COMMANDS],
        "A request to one device.",
        reply={
            "channel": {"$ref": "#/channels/gateway_request"},
            "messages": [
                {"$ref": "#/channels/gateway_request/messages/CommandAnswer"},
                {"$ref": "#/channels/gateway_request/messages/CommandFailure"},
            ],
        },
    )
    standing: list[type[BaseModel]] = [
        profile_standing.AskProfile,
        profile_standing.ProfileStanding,
        commands.CommandFailure,
    ]
    channels["gateway_profile"] = Channel(
        address="lwm2m.gateway.{gateway}.profile",
        description="Request and reply, in no stream.",
        messages={model.__name__: message(model, "application/json") for model in standing},
        parameters={"gateway": {"description": "Id of the gateway.", "examples": ["gw-1"]}},
    )
    operations["take_profile_question"] = _operation(
        "receive",
        "gateway_profile",
        ["AskProfile"],
        _summary(profile_standing.AskProfile),
        reply={
            "channel": {"$ref": "#/channels/gateway_profile"},
            "messages": [
                {"$ref": "#/channels/gateway_profile/messages/ProfileStanding"},
                {"$ref": "#/channels/gateway_profile/messages/CommandFailure"},
            ],
        },
    )
    document = ApplicationSchema(
        info=ApplicationInfo(
            title="Flow Nexus",
            version=CONTRACT_VERSION,
            description="What the services of Flow Nexus publish and take on NATS. Events are CloudEvents 1.0.",
            license=License(name="Apache-2.0"),
        ),
        asyncapi="3.0.0",
        defaultContentType="application/json",
        channels=channels,
        operations=operations,
        components=Components(messages=messages, schemas=definitions["$defs"]),
    )
    tree: dict[str, Any] = document.model_dump(mode="json", by_alias=True, exclude_none=True)
    return tree


def files() -> dict[str, str]:
    """Every generated file by its path below the folder."""
    trees = {f"jsonschema/{name}.json": schema for name, schema in json_schemas().items()}
    trees["asyncapi.json"] = asyncapi()
    return {path: json.dumps(tree, indent=2, ensure_ascii=False) + "\n" for path, tree in trees.items()}


def write(folder: Path) -> None:
    """Write the files, and remove those of messages that are no more."""
    wanted = files()
    for path, text in wanted.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    for stale in (folder / "jsonschema").glob("*.json"):
        if f"jsonschema/{stale.name}" not in wanted:
            stale.unlink()


def _summary(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().splitlines()[0]


def _operation(action: Any, channel: str, names: list[str], summary: str, **extra: Any) -> Operation:
    return Operation(
        action=action,
        channel=Reference(**{"$ref": f"#/channels/{channel}"}),
        summary=summary,
        messages=[Reference(**{"$ref": f"#/channels/{channel}/messages/{name}"}) for name in names],
        **extra,
    )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m flownexus_schemas.generate FOLDER")
    write(Path(sys.argv[1]))
