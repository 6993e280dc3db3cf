"""Ports for the servers of a test."""

from __future__ import annotations

from flownexus_local import ports

_given: set[int] = set()


def free_port(kind: ports.Kind = "tcp") -> int:
    """A port that nobody on this machine uses and that this test run has not given before."""
    while (port := ports.pick(kind)) in _given:
        pass
    _given.add(port)
    return port
