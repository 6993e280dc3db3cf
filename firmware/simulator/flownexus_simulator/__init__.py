"""A fleet of simulated LwM2M 1.1 devices in one process, each with its own UDP socket.

It shares no wire format with the services: its CoAP, TLV, SenML and text are its own, so that a mistake of theirs
cannot hide in both directions.
"""
