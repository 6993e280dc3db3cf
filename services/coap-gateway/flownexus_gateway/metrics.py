"""Prometheus metrics of the gateway."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

DATAGRAMS_IN = Counter("flownexus_gateway_datagrams_received", "Datagrams received, by kind.", ["kind"])
DATAGRAMS_OUT = Counter("flownexus_gateway_datagrams_sent", "Datagrams sent.")
UNSENT_DATAGRAMS = Counter("flownexus_gateway_unsent_datagrams", "Datagrams that the system did not take.")
MALFORMED = Counter("flownexus_gateway_malformed_datagrams", "Datagrams that are no CoAP message.")
FAILED_DATAGRAMS = Counter("flownexus_gateway_failed_datagrams", "Datagrams at which the gateway itself failed.")
NOTIFICATIONS = Counter("flownexus_gateway_notifications", "Notifications of known observations.")
UNDECODED = Counter("flownexus_gateway_undecoded_payloads", "Payloads published raw, as they could not be decoded.")
UNKNOWN_TOKENS = Counter("flownexus_gateway_unknown_tokens", "Responses whose token belongs to nothing.")
FOREIGN_TOKENS = Counter("flownexus_gateway_foreign_tokens", "Responses to what another device was asked, dropped.")
HANDED_OVER = Counter("flownexus_gateway_answers_handed_over", "Answers to requests of other gateways that came here.")
LATE_ANSWERS = Counter(
    "flownexus_gateway_late_answers", "Answers to attempts of operations that came after the attempt was given up."
)
UNACKNOWLEDGED = Counter(
    "flownexus_gateway_unacknowledged", "Messages left without an answer as they could not be kept."
)
PUBLISH_SECONDS = Histogram(
    "flownexus_gateway_publish_seconds",
    "From the publication of an event to its PubAck.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
PENDING_PUBLISHES = Gauge("flownexus_gateway_pending_publishes", "Events without a PubAck yet.")
REGISTRATIONS = Gauge("flownexus_gateway_registrations", "Live registrations known to this gateway.")
OBSERVATIONS = Gauge("flownexus_gateway_observations", "Tokens of observations known to this gateway.")
DEVICE_REQUESTS = Counter("flownexus_gateway_device_requests", "Requests sent to devices, by outcome.", ["outcome"])

TRANSFERS = Gauge("flownexus_gateway_block_transfers", "Requests of devices of which some blocks are here.")
TRANSFER_BYTES = Gauge("flownexus_gateway_block_transfer_bytes", "Bytes of requests of which some blocks are here.")
ABANDONED_TRANSFERS = Counter("flownexus_gateway_abandoned_transfers", "Requests whose blocks stopped coming.")
OVERLOADED = Counter("flownexus_gateway_overloaded", "Requests answered with 5.03, as too much was under way.")
REFUSED_FORMATS = Counter("flownexus_gateway_refused_formats", "Content-Formats that a device refused.")
FIRMWARE_PULLED = Counter("flownexus_gateway_firmware_pulled_bytes", "Bytes of firmware that devices fetched.")
FIRMWARE_PUSHED = Counter("flownexus_gateway_firmware_pushed_bytes", "Bytes of firmware that devices were sent.")

NOTIFICATION_IN = DATAGRAMS_IN.labels("notification")
REQUEST_IN = DATAGRAMS_IN.labels("request")
RESPONSE_IN = DATAGRAMS_IN.labels("response")
EMPTY_IN = DATAGRAMS_IN.labels("empty")
MARKS = Counter(
    "flownexus_gateway_marks", "Values that were not as the specification has them, by what was assumed.", ["mark"]
)

REFUSED_NAMES = Counter(
    "flownexus_gateway_names_refused", "Requests under a name that is not the sender's, by reason.", ["reason"]
)
KEPT_OUT = Counter("flownexus_gateway_plain_datagrams_kept_out", "Datagrams of plain CoAP from other networks.")
CREDENTIALS_REVISION = Gauge("flownexus_gateway_credentials_revision", "Newest change of credentials known here.")
CERTIFICATE_ENDS = Gauge(
    "flownexus_gateway_certificate_ends_seconds",
    "When our certificate (server) and the CAs of devices (client-ca) end, Unix seconds.",
    ["certificate", "subject"],
)
EXPIRING_CERTIFICATES = Counter(
    "flownexus_gateway_dtls_expiring_certificates", "Handshakes with certificates of devices that end within 30 days."
)
HANDSHAKES = Counter("flownexus_gateway_dtls_handshakes", "DTLS handshakes that were done, by what showed who.", ["by"])
REFUSED_DEVICES = Counter("flownexus_gateway_dtls_refused", "Devices that DTLS did not let in, by reason.", ["reason"])
HALF_OPEN = Gauge("flownexus_gateway_dtls_half_open", "DTLS handshakes under way.")
ASSOCIATIONS = Gauge("flownexus_gateway_dtls_associations", "DTLS associations with devices.")
HELLO_VERIFY_REQUESTS = Counter("flownexus_gateway_dtls_cookies", "ClientHellos that were answered with a cookie.")
DISCARDED_RECORDS = Counter("flownexus_gateway_dtls_discarded", "DTLS records and datagrams dropped.", ["reason"])
SESSIONS_LET_GO = Counter("flownexus_gateway_dtls_sessions_let_go", "DTLS sessions that went on at another gateway.")
UNSENT_RECORDS = Counter(
    "flownexus_gateway_dtls_unsent", "Datagrams to devices that have no association any more, or take none so large."
)
BOOTSTRAPS = Counter("flownexus_gateway_bootstraps", "Bootstraps begun and ended, and requests refused.", ["outcome"])
