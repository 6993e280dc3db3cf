"""Ingest as a process: how it stops, and what it says where a setting is wrong."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import pytest

SETTINGS = {
    "FLOWNEXUS_NATS_URL": "nats://nobody:a-word-of-the-tests@127.0.0.1:1",
    "FLOWNEXUS_DATABASE_URL": "postgresql://nobody:a-word-of-the-tests@127.0.0.1:1/none",
}


def run(**changes: str | None) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in {**os.environ, **SETTINGS, **changes}.items() if value is not None}
    return subprocess.run(
        [sys.executable, "-m", "flownexus_ingest"], env=env, capture_output=True, text=True, timeout=30, check=False
    )


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"FLOWNEXUS_DATABASE_URL": None}, "FLOWNEXUS_DATABASE_URL"),
        ({"FLOWNEXUS_DATABASE_URL": "hidden=hidden"}, "FLOWNEXUS_DATABASE_URL"),
        ({"FLOWNEXUS_INGEST_BATCH": "0"}, "FLOWNEXUS_INGEST_BATCH"),
        ({"FLOWNEXUS_OBJECT_MODEL_FOLDERS": '["nowhere"]'}, "nowhere"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it_and_exit_code_2(changes: dict[str, str | None], named: str) -> None:
    done = run(**changes)

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert named in done.stderr
    assert "hidden" not in done.stderr


def test_a_health_port_in_use_is_one_line_and_exit_code_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(FLOWNEXUS_HEALTH_PORT=str(port))

    assert done.returncode == 2
    assert [line for line in done.stderr.splitlines() if str(port) in line and not line.startswith("{")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_even_while_all_is_away(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "flownexus_ingest"], env={**os.environ, **SETTINGS}, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "health.listening" in line:
                break
        process.send_signal(number)
        process.stderr.read()

    assert process.returncode == 0
