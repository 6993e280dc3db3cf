"""Requests to devices. LwM2M Core 1.1.1, 6.3."""
