"""What /metrics shows of operations."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

OPEN = Gauge("flownexus_operations_open", "Operations that are queued or being sent, of all replicas.")
IN_FLIGHT = Gauge("flownexus_operations_in_flight", "Requests of this replica that are under way.")
REPLICAS = Gauge("flownexus_operations_replicas", "Replicas that are alive, this one counted.")
ROLLOUTS = Gauge("flownexus_operations_rollouts", "Open rollouts that this replica cares for.")
TRANSITIONS = Counter("flownexus_operations_transitions", "Transitions that this replica made.", ["happening"])
CONFLICTS = Counter("flownexus_operations_conflicts", "Transitions that another one had made before.")
DESIRED_CONFLICTS = Counter(
    "flownexus_desired_conflicts", "Changes of desired values that another replica had made before."
)
DESIRED_RESOURCES = Gauge("flownexus_desired_resources", "Desired values of all endpoints.", ["state"])
UNREADABLE = Counter("flownexus_operations_unreadable", "Messages of the stream that could not be read.")
READ_AT_START = Gauge("flownexus_operations_read_at_start", "Messages of the stream that the last start read.")
CHECKPOINT = Gauge("flownexus_operations_checkpoint", "Sequence up to which the next start reads what is open alone.")
ATTEMPT_SECONDS = Histogram(
    "flownexus_operations_attempt_seconds",
    "Seconds from the sending of a request to its outcome.",
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300),
)
FIRMWARE_OPEN = Gauge("flownexus_firmware_updates_open", "Firmware updates that have not ended, of all replicas.")
FIRMWARE_CHANGES = Counter(
    "flownexus_firmware_update_changes", "Changes of firmware updates that this replica made.", ["happening"]
)
