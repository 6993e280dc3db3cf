"""Firmware updates of devices: what is asked of each next, decided by what it says, and kept in the stream."""
