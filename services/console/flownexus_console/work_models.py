"""What the REST API answers of what is to be done to devices, as far as the console reads it."""

from __future__ import annotations

from pydantic import AwareDatetime

from flownexus_console.api_models import Value
from flownexus_schemas.cloudevent import Frozen


class AnsweredValue(Frozen):
    """A value that a device answered."""

    path: str
    type: str | None = None
    value: Value | None = None


class Operation(Frozen):
    """A request that is kept until its device listens, as it stands."""

    id: str
    endpoint: str
    operation: str
    request: dict[str, object]
    status: str
    attempts: int
    max_attempts: int
    requested_at: AwareDatetime
    requested_by: str | None = None
    forecast_at: AwareDatetime | None = None
    finished_at: AwareDatetime | None = None
    last_action: str
    code: str | None = None
    diagnostic: str | None = None
    values: tuple[AnsweredValue, ...] = ()


class OperationStep(Frozen):
    """Something that happened to an operation."""

    time: AwareDatetime
    attempts: int
    action: str


class OperationDetail(Operation):
    """One operation with its history."""

    history: tuple[OperationStep, ...] = ()


class OperationPage(Frozen):
    """Some operations, the newest first, and the cursor of the rest."""

    items: tuple[Operation, ...]
    next: str | None = None


class Standing(Frozen):
    """One desired value of an endpoint, and how it stands. `attribute`: it is a notification attribute of the path."""

    path: str
    attribute: str | None = None
    type: str | None = None
    desired: Value | None = None
    profile: str | None = None
    state: str
    since: AwareDatetime
    reported: Value | None = None
    code: str | None = None
    reason: str | None = None


class Desired(Frozen):
    """What is declared for an endpoint itself, as the API has it, and how all that is desired of it stands."""

    revision: int | None = None
    values: tuple[dict[str, object], ...] = ()
    attributes: tuple[dict[str, object], ...] = ()
    standing: tuple[Standing, ...] = ()


class Image(Frozen):
    """A firmware image."""

    id: str
    name: str
    version: str
    size: int
    sha256: str
    uploaded_by: str | None = None
    created_at: AwareDatetime


class ImagePage(Frozen):
    """Some images, the newest first, and the cursor of the rest."""

    items: tuple[Image, ...]
    next: str | None = None


class Update(Frozen):
    """The update of an endpoint to an image, as it stands."""

    id: str
    endpoint: str
    name: str
    version: str
    rollout: str | None = None
    status: str
    size: int
    transferred: int
    waiting_for: str | None = None
    last_action: str
    requested_at: AwareDatetime
    requested_by: str | None = None
    finished_at: AwareDatetime | None = None


class UpdatePage(Frozen):
    """Some updates, the newest first, and the cursor of the rest."""

    items: tuple[Update, ...]
    next: str | None = None


class RolloutFirmware(Frozen):
    """The image of a rollout."""

    name: str
    version: str


class Rollout(Frozen):
    """An image to many devices, as it stands."""

    id: str
    name: str
    status: str
    firmware: RolloutFirmware | None = None
    devices: int
    by_status: dict[str, int]
    requested_at: AwareDatetime
    requested_by: str | None = None
    finished_at: AwareDatetime | None = None
    last_action: str


class RolloutPage(Frozen):
    """Some rollouts, the newest first, and the cursor of the rest."""

    items: tuple[Rollout, ...]
    next: str | None = None


class RolloutGroup(Frozen):
    """A group of a rollout."""

    number: int
    size: int
    status: str
    needed: int
    succeeded: int
    failed: int


class RolloutStep(Frozen):
    """Something that happened to a rollout."""

    time: AwareDatetime
    status: str
    action: str


class RolloutDetail(Rollout):
    """A rollout with its groups and its history."""

    groups: tuple[RolloutGroup, ...] = ()
    history: tuple[RolloutStep, ...] = ()
