"""NATS and PostgreSQL from Python wheels, run as child processes on the loopback: no container, no system package."""
