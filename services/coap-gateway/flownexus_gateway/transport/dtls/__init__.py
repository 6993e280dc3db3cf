"""DTLS 1.2 under CoAP. OpenSSL makes the handshakes; what comes after one needs keys and counters alone. RFC 6347."""
