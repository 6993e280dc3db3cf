"""`flownexus up` where it cannot run: one clear message and exit code 2, nothing left behind."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from flownexus_local.instance import Instance
from harness.ports import free_port
from harness.system import RunningSystem


def refused(system: RunningSystem) -> str:
    """What it says, having ended with exit code 2."""
    system.launch()
    assert system.wait_end() == 2, system.log_text()
    assert "Traceback" not in system.log_text()
    return system.log_text()


def test_a_port_in_use_is_named_with_its_holder_and_the_option(tmp_path: Path) -> None:
    system = RunningSystem(tmp_path)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as holder:
        holder.bind(("127.0.0.1", system.api_port))
        holder.listen()
        said = refused(system)
    assert f"TCP port {system.api_port} for the API is in use by " in said
    assert f"(process {os.getpid()})" in said
    assert "--api-port" in said


def test_a_coap_port_in_use_is_named(tmp_path: Path) -> None:
    system = RunningSystem(tmp_path)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", system.coap_port))
        said = refused(system)
    assert f"UDP port {system.coap_port} for CoAP is in use" in said
    assert "--coap-port" in said


def test_one_port_for_two_parts_is_refused(tmp_path: Path) -> None:
    port = free_port()
    said = refused(RunningSystem(tmp_path, f"--api-port={port}", f"--console-port={port}"))
    assert f"cannot both have port {port}" in said


def test_a_second_system_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    system = RunningSystem(tmp_path)
    with Instance(system.folder).locked():
        said = refused(system)
    assert "is running" in said
    assert "--folder" in said


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    system = RunningSystem(tmp_path)
    system.folder.write_text("a file is in the way, for root too")
    said = refused(system)
    assert "cannot be written" in said
    assert "--folder" in said


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_write_access_is_refused(tmp_path: Path) -> None:
    system = RunningSystem(tmp_path)
    tmp_path.joinpath("up.log").touch()
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        assert "cannot be written" in refused(system)
    finally:
        tmp_path.chmod(stat.S_IRWXU)
