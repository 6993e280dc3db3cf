"""`flownexus firmware update` and what belongs to it, with a simulated device that installs the image."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import ServiceFactory
from integration.local.conftest import NODE, Run


@pytest.mark.timeout(300)  # ten commands, each a process
def test_a_device_is_updated_from_the_command_line(run: Run, service: ServiceFactory, tmp_path: Path) -> None:
    service("flownexus_operations")
    assert run("firmware", "make-test-image", "new.bin", "--version=9.1", "--size=20000").returncode == 0
    image = run("firmware", "upload", "new.bin", "--name=simulated", "--version=9.1").stdout.split()[0]

    updated = run("firmware", "update", NODE, image, "--follow")
    assert updated.returncode == 0, updated.stdout + updated.stderr
    first, *steps = updated.stdout.splitlines()
    update = first.split()[0]
    assert f"{NODE} simulated 9.1 QUEUED 0%: Requested." in first
    assert steps[-1] == "SUCCEEDED: The device runs 9.1, and says success."
    assert f"{update} {NODE} simulated 9.1 SUCCEEDED 100%" in run("firmware", "updates", "--status=SUCCEEDED").stdout
    assert "QUEUED: Requested." in run("firmware", "show-update", update).stdout
    late = run("firmware", "cancel", update)
    assert (late.returncode, "cannot be cancelled any more" in late.stderr) == (2, True)
    no_window = run("firmware", "update", NODE, image, "--window=night")
    assert (no_window.returncode, "such as 01:30-04:00" in no_window.stderr) == (2, True)
    unknown = run("firmware", "update", "nobody", image)
    assert (unknown.returncode, "There is no endpoint 'nobody'" in unknown.stderr) == (2, True)
