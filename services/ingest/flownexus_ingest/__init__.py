"""Turns LWM2M_EVENTS into rows: the only writer of device data. Every table it writes can be dropped and replayed."""
