"""How long is waited and how often is tried. Seconds, unless it says otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

LONGEST_RETRY_WAIT_S = 3600.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Of every update. What waits for a device that sleeps has no limit: only what does not go on while it could."""

    progress_s: float = 600.0
    """Without a byte or another state of a device that downloads: it is tried again."""
    install_s: float = 3600.0
    """From the command to install until the device is back, and from then on until it says how it went."""
    grace_s: float = 30.0
    """For a device that is back with another version than the wanted one to say a result. Those that know one say it
    with their registration: Anjay and nRF Connect, which keep it over the restart; Zephyr keeps none."""
    cancel_s: float = 86_400.0
    """For the device to be heard and to drop the image, once an update is taken back."""
    poll_s: float = 60.0
    """Before a device that says nothing by itself is read; then longer and longer."""
    longest_poll_s: float = 600.0
    settle_s: float = 2.0
    """Between a state and its result, which are told one after the other."""
    reread_s: float = 5.0
    """Between two reads of a device that is heard."""
    retry_wait_s: float = 30.0
    """Before the second try; each further one waits twice as long."""
    deferred_s: float = 3600.0
    """Before a device that put the installation off is told again."""
    max_retries: int = 5
    max_installs: int = 3
    max_silences: int = 3
    """Operations in a row without an answer, each of several attempts."""
    max_resets: int = 3
    link_lifetime_s: int = 7 * 86_400
    slice_s: float = 20.0
    """About how long one operation pushes, so that others come in between."""

    def retry_wait(self, retries: int) -> timedelta:
        """Before the next try, after so many."""
        return timedelta(seconds=min(self.retry_wait_s * 2.0 ** min(retries, 16), LONGEST_RETRY_WAIT_S))
