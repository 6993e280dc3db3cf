"""The update of one endpoint to one firmware image, as it stands. Every message of its subject carries the whole."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, Field

from flownexus_schemas.cloudevent import Frozen
from flownexus_schemas.commands import ImageId
from flownexus_schemas.firmware.window import Install


class UpdateStatus(StrEnum):
    """Where an update stands. SUCCEEDED, FAILED and CANCELLED are for good."""

    QUEUED = "QUEUED"
    PREPARING = "PREPARING"
    TRANSFERRING = "TRANSFERRING"
    DOWNLOADED = "DOWNLOADED"
    INSTALLING = "INSTALLING"
    VERIFYING = "VERIFYING"
    CANCELLING = "CANCELLING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


CLOSED = frozenset({UpdateStatus.SUCCEEDED, UpdateStatus.FAILED, UpdateStatus.CANCELLED})


class Method(StrEnum):
    """Who moves the image: the device fetches it, or it is written to the device."""

    AUTO = "auto"
    PULL = "pull"
    PUSH = "push"


class Scheme(StrEnum):
    """How a device fetches the image."""

    AUTO = "auto"
    COAP = "coap"
    COAPS = "coaps"
    HTTP = "http"
    HTTPS = "https"


class Way(Frozen):
    """How the image is brought to the device. `scheme` is null where it is pushed."""

    method: Literal["pull", "push"]
    scheme: Literal["coap", "coaps", "http", "https"] | None = None

    def __str__(self) -> str:
        return f"pull by {self.scheme}" if self.scheme else self.method


class Step(StrEnum):
    """What the device is asked for; each time it is an operation of its own."""

    READ = "read"
    READ_VERSION = "read-version"
    READ_STATE = "read-state"
    READ_RESULT = "read-result"
    READ_PACKAGE_VERSION = "read-package-version"
    READ_PROTOCOLS = "read-protocols"
    READ_DELIVERY = "read-delivery"
    OBSERVE_STATE = "observe-state"
    OBSERVE_RESULT = "observe-result"
    OFFER = "offer"
    PUSH = "push"
    INSTALL = "install"
    RESET = "reset"


STEP_WORDS: dict[Step, str] = {
    Step.READ: "the read of 5/0",
    Step.READ_VERSION: "the read of 3/0/3",
    Step.READ_STATE: "the read of 5/0/3",
    Step.READ_RESULT: "the read of 5/0/5",
    Step.READ_PACKAGE_VERSION: "the read of 5/0/7",
    Step.READ_PROTOCOLS: "the read of 5/0/8",
    Step.READ_DELIVERY: "the read of 5/0/9",
    Step.OBSERVE_STATE: "the request to observe 5/0/3",
    Step.OBSERVE_RESULT: "the request to observe 5/0/5",
    Step.OFFER: "the link to the image (5/0/1)",
    Step.PUSH: "a part of the image (5/0/0)",
    Step.INSTALL: "the command to install (5/0/2)",
    Step.RESET: "the request to drop the image",
}


class DeviceFirmware(Frozen):
    """What the device said of its firmware, last."""

    package_version: str | None = Field(default=None, description="5/0/7.")
    running_version: str | None = Field(default=None, description="3/0/3.")
    delivery: int | None = Field(default=None, description="5/0/9: 0 pull, 1 push, 2 both.")
    protocols: tuple[int, ...] | None = Field(default=None, description="5/0/8: 0 coap, 1 coaps, 2 http, 3 https.")


class FirmwareUpdate(Frozen):
    """An update that is carried out step by step, whenever the device listens, however long that takes."""

    id: str = Field(pattern=r"^[0-9A-Za-z_-]{1,40}$")
    endpoint: str
    firmware: ImageId
    name: str = Field(description="Of the image.")
    version: str = Field(description="Of the image: the device has it when all went well.")
    size: int = Field(gt=0, description="Bytes of the image.")
    sha256: str = Field(description="Of the image, in hexadecimal.")
    requested_at: AwareDatetime
    requested_by: str | None = Field(default=None, description="Name of the user; null where the system asked.")
    rollout: str | None = Field(default=None, description="Id of the rollout that it is a part of.")
    method: Method = Method.AUTO
    scheme: Scheme = Scheme.AUTO
    install: Install = Install()
    expires_at: AwareDatetime | None = Field(default=None, description="Not begun any more from then on.")

    status: UpdateStatus = UpdateStatus.QUEUED
    state: int | None = Field(default=None, description="5/0/3 as the device said it last.")
    result: int | None = Field(default=None, description="5/0/5 as the device said it last.")
    transferred: int = Field(default=0, ge=0, description="Bytes of the image that the device has.")
    retries: int = Field(default=0, ge=0, description="How often the image was brought to the device again.")
    installs: int = Field(default=0, ge=0, description="How often the device was told to install it.")
    version_before: str | None = None
    version_after: str | None = None
    waiting_for: str | None = Field(default="the operations service", description="As words.")
    last_action: str = Field(default="Requested.", description="What happened last, as a sentence.")
    finished_at: AwareDatetime | None = None

    step: Step | None = Field(default=None, description="What the device was asked for last.")
    operation: str | None = Field(default=None, description="Id of the operation that is waited for.")
    steps: int = Field(default=0, ge=0, description="How many operations were asked for.")
    way: Way | None = Field(default=None, description="How the image is brought to the device.")
    ways_refused: tuple[Way, ...] = Field(default=(), description="Those that did not work.")
    device: DeviceFirmware = DeviceFirmware()
    singly: bool = Field(
        default=False, description="Whether 5/0 is read resource by resource, as the device refuses it as a whole."
    )
    results: tuple[int, ...] = Field(default=(), description="What 5/0/5 said of each try that failed.")
    seen_at: AwareDatetime | None = Field(
        default=None, description="As of when state and result are known; null where they may have changed since."
    )
    read_at: AwareDatetime | None = Field(default=None, description="As of when they were read, not reported.")
    begun_at: AwareDatetime | None = Field(
        default=None, description="Since when the device has the link, or the first part of the image."
    )
    begun_in: int | None = Field(default=None, description="Generation of the registration in which that was.")
    unsure: bool = Field(default=False, description="Whether it is not known if the device got what was sent then.")
    moved_at: AwareDatetime | None = Field(default=None, description="When it last got further.")
    not_before: AwareDatetime | None = Field(default=None, description="Nothing is tried again before.")
    started: bool = Field(default=False, description="Whether the device was seen to download since it was asked to.")
    block_size: int | None = Field(default=None, description="Of a push, as the device wants it.")
    observed: int | None = Field(
        default=None, description="Generation of the registration in which state and result are observed."
    )
    installed_in: int | None = Field(
        default=None, description="Generation of the registration in which the device was told to install."
    )
    installed_at: AwareDatetime | None = Field(default=None, description="When it was told to, last.")
    taken: bool = Field(default=False, description="Whether the device took the command to install.")
    silences: int = Field(default=0, ge=0, description="Operations in a row that the device gave no answer to.")
    unmet_at: AwareDatetime | None = Field(default=None, description="When one ended without what it asked for.")
    resets: int = Field(default=0, ge=0, description="How often in this try the device was told to drop an image.")
    transfers: int = Field(default=0, ge=0, description="How often it was begun to bring the image to the device.")
    cancelled_by: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether anything can still become of it."""
        return self.status not in CLOSED

    @property
    def operation_batch(self) -> str:
        """The batch that all its operations are of."""
        return f"firmware-{self.id}"


def operation_id(update: FirmwareUpdate, number: int) -> str:
    """Of its operation `number`, so that whoever asks for it asks for the same one."""
    return f"{update.id}-{number}"
