"""Settings of firmware updates."""

from __future__ import annotations

from pydantic import Field

from flownexus_operations.firmware.limits import Limits
from flownexus_runtime.settings import ServiceSettings

_OF = Limits()


class FirmwareSettings(ServiceSettings):
    """Read from `FLOWNEXUS_*`. Seconds, unless it says otherwise."""

    firmware_progress_s: float = Field(
        default=_OF.progress_s, gt=0, description="A download that gets no further for so long is tried again."
    )
    firmware_install_s: float = Field(
        default=_OF.install_s, gt=0, description="A device that is told to install is to be back within this."
    )
    firmware_grace_s: float = Field(
        default=_OF.grace_s,
        gt=0,
        description="A device that is back with its old version may say a result for so long; then the update did not "
        "take.",
    )
    firmware_cancel_s: float = Field(
        default=_OF.cancel_s, gt=0, description="A device is to be heard, once its update is taken back."
    )
    firmware_poll_s: float = Field(
        default=_OF.poll_s,
        gt=0,
        description="A device that says nothing is read after this, then less often.",
    )
    firmware_retry_wait_s: float = Field(
        default=_OF.retry_wait_s, gt=0, description="Before the second try; each further one waits twice as long."
    )
    firmware_max_retries: int = Field(default=_OF.max_retries, ge=0, le=100, description="Tries after the first.")
    firmware_max_installs: int = Field(
        default=_OF.max_installs, ge=1, le=100, description="How often a device is told to install one image."
    )
    firmware_link_lifetime_s: int = Field(
        default=_OF.link_lifetime_s, ge=60, le=366 * 86_400, description="A link to an image is good for so long."
    )
    firmware_slice_s: float = Field(
        default=_OF.slice_s, gt=0, le=300, description="A push makes room for other requests after this."
    )

    @property
    def firmware_limits(self) -> Limits:
        """As decisions take them."""
        return Limits(
            progress_s=self.firmware_progress_s,
            install_s=self.firmware_install_s,
            grace_s=self.firmware_grace_s,
            cancel_s=self.firmware_cancel_s,
            poll_s=self.firmware_poll_s,
            longest_poll_s=10 * self.firmware_poll_s,
            retry_wait_s=self.firmware_retry_wait_s,
            max_retries=self.firmware_max_retries,
            max_installs=self.firmware_max_installs,
            link_lifetime_s=self.firmware_link_lifetime_s,
            slice_s=self.firmware_slice_s,
        )
