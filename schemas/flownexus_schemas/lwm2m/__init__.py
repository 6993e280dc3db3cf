"""LwM2M 1.0 to 1.2 without I/O: paths, registration, object models, content formats.

Nothing here opens a socket, reads a clock, logs or knows asyncio. Time is an argument.
"""
