"""Firmware updates: what the services tell each other of them."""
