"""Ports for the servers of a test."""

from __future__ import annotations

import os

from flownexus_local import ports

_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
"""Which of the processes that share the tests this one is: each has ports of its own."""

_given: set[int] = set()


def free_port(kind: ports.Kind = "tcp") -> int:
    """A port that nobody on this machine uses and that this test run has not given before."""
    while (port := ports.pick(kind)) in _given or port % _WORKERS != _WORKER:
        pass
    _given.add(port)
    return port
