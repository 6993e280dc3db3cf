"""Queue mode: whether a device sleeps between its messages, and whether it listens now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

AWAKE_WINDOW_S = 93.0
"""Seconds for which a queue-mode device listens after its last message: MAX_TRANSMIT_WAIT. RFC 7252, 4.8.2;
LwM2M Transport 1.1.1, Queue Mode Operation. A server must not count on more than the device keeps: 20 s on Zephyr."""

ZEPHYR_AWAKE_WINDOW_S = 20.0
"""What Zephyr keeps unless configured otherwise (CONFIG_LWM2M_QUEUE_MODE_UPTIME)."""

TRANSPORTS = "UMHTSN"
"""UDP, MQTT, HTTP, TCP, SMS, non-IP. LwM2M Core 1.2, 6.2.1.2."""

LONGEST_EDRX_S = 10_800.0
"""Seconds that a sleeping device may take to answer: a little more than the longest cycle of eDRX, 10,485.76 s, in
which an NB-IoT device listens to the network once. 3GPP TS 24.008, 10.5.5.32.
"""

_FALSE = frozenset({"0", "false"})

Status = Literal["online", "asleep", "offline"]


@dataclass(frozen=True, slots=True)
class Binding:
    """The parameter `b` taken apart: the transports in the order given, and whether it asks for queue mode.

    `unknown` has the characters that are neither a transport nor Q.
    """

    transports: str
    queue_mode: bool
    unknown: str = ""


def parse_binding(text: str) -> Binding:
    """Read `U`, `UT` (1.1) or `UQ`, `SQ`, `UQS` (1.0), in any order and letter case. Raises nothing.

    In 1.0 the Q follows the transport that it queues; as requests go out over UDP, any Q means queue mode.
    LwM2M 1.0.2, 5.3.1.1; LwM2M Core 1.1.1, 6.2.1.2.
    """
    letters = "".join(dict.fromkeys(text.upper()))
    return Binding(
        transports="".join(letter for letter in letters if letter in TRANSPORTS),
        queue_mode="Q" in letters,
        unknown="".join(letter for letter in letters if letter not in TRANSPORTS and letter != "Q"),
    )


def queue_parameter(values: Sequence[str | None]) -> bool:
    """Whether the parameter `Q` of 1.1 asks for queue mode. `values` has one item for each time it is there.

    It stands alone (None); `Q=`, `Q=1` and `Q=true` are taken for the same, `Q=0` and `Q=false` are not.
    LwM2M Core 1.1.1, 6.2.1.
    """
    return any(value is None or value.lower() not in _FALSE for value in values)


def is_awake(now: float, last_seen: float, *, queue_mode: bool, awake_window_s: float = AWAKE_WINDOW_S) -> bool:
    """Whether a request sent now would be heard. Unix seconds; without queue mode a device always listens."""
    return not queue_mode or now - last_seen < awake_window_s


@dataclass(frozen=True, slots=True)
class Presence:
    """All that tells whether a device is there. Times in Unix seconds.

    `last_seen` is when its last message came; `expires_at` is when its registration ends unless updated.
    """

    registered: bool
    queue_mode: bool
    last_seen: float
    expires_at: float
    awake_window_s: float = AWAKE_WINDOW_S

    def status(self, now: float) -> Status:
        """`offline` without a live registration, `asleep` outside the awake window of queue mode, else `online`."""
        if not self.registered or now >= self.expires_at:
            return "offline"
        awake = is_awake(now, self.last_seen, queue_mode=self.queue_mode, awake_window_s=self.awake_window_s)
        return "online" if awake else "asleep"
