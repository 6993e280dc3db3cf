"""What /metrics shows of ingest."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

MESSAGES = Counter("flownexus_ingest_messages", "Messages whose rows are committed or that were set aside.")
ROWS = Counter("flownexus_ingest_rows", "Rows inserted.")
DEAD_LETTERS = Counter("flownexus_ingest_dead_letters", "Messages set aside as dead letters.")
DEAD_LETTERS_KEPT = Gauge("flownexus_ingest_dead_letters_kept", "Dead letters that nobody retried or deleted yet.")
UNDECODED = Counter("flownexus_ingest_undecoded_reports", "Reports stored that the gateway could not decode.")
UNDECODED_WAITING = Gauge(
    "flownexus_ingest_undecoded_waiting",
    "Undecoded reports that wait for a retry; from 10,000 on not counted.",
)
OVERDUE = Gauge("flownexus_ingest_overdue", "Endpoints that were due and were not heard.")
BATCH_MESSAGES = Histogram(
    "flownexus_ingest_batch_messages",
    "Messages in one transaction.",
    buckets=(1, 3, 10, 30, 100, 300, 1000, 3000, 10000),
)
COMMIT_SECONDS = Histogram(
    "flownexus_ingest_commit_seconds",
    "Seconds from the first statement of a transaction to its commit.",
    buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10),
)
LAG_MESSAGES = Gauge("flownexus_ingest_lag_messages", "Messages of the stream that are not in the tables yet.")
POSITION = Gauge("flownexus_ingest_position", "Stream sequence up to which the tables are written.")
OPERATION_MESSAGES = Counter(
    "flownexus_ingest_operation_messages", "Messages of operations that are in the tables or were set aside."
)
OPERATIONS_LAG_MESSAGES = Gauge(
    "flownexus_ingest_operations_lag_messages", "Messages of the stream of operations that are not in the tables yet."
)
DECODED_AGAIN = Counter(
    "flownexus_ingest_values_decoded_again", "Stored values brought to the type of a model that came later."
)
RESTARTS = Counter("flownexus_ingest_restarts", "Times that work began anew after something was away.", ["reason"])
